// Walks a folder tree without following links: for the file list of a task and for Glob and Grep. Deterministic order
// (names sorted, a folder's files where its name falls), bounded in entries and depth, and gives the event loop a turn
// every few milliseconds, so a large tree holds nobody up.
import type { Dirent } from "node:fs"
import { PathRefused, systemCode } from "./errors.ts"
import { readFolder } from "./files.ts"
import { TEMP_PREFIX } from "./jail.ts"

export interface Walked {
  /** Relative to the folder that the walk started in, with `/`. */
  readonly path: string
  readonly real: string
  readonly kind: "file" | "folder" | "link" | "other"
}

export interface WalkOptions {
  readonly max_entries: number
  readonly signal?: AbortSignal
  /** False for a folder skips what is below it; "stop" ends the walk. */
  readonly visit: (entry: Walked) => boolean | "stop" | void
}

const MAX_DEPTH = 64
const SLICE_MS = 4

export const kindOfEntry = (entry: Dirent): Walked["kind"] =>
  entry.isDirectory() ? "folder" : entry.isFile() ? "file" : entry.isSymbolicLink() ? "link" : "other"

/** Sorted entries of a folder, unfinished writes left out; empty when the folder went away or may not be read. */
const entriesOf = (real: string): Array<Dirent> => {
  try {
    return readFolder(real).filter((entry) => !entry.name.startsWith(TEMP_PREFIX)).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (cause) {
    const code = systemCode(cause)
    if (cause instanceof PathRefused || code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP" || code === "EACCES") return []
    throw cause
  }
}

/** Gives other work a turn when the last slice is used up; answers when the new slice began. */
export const breathe = async (since: number): Promise<number> => {
  if (performance.now() - since < SLICE_MS) return since
  await new Promise((resolve) => setImmediate(resolve))
  return performance.now()
}

/** `complete` is false when a bound or `visit` ended the walk early. Throws the signal's reason when it fires. */
export const walk = async (start: string, options: WalkOptions): Promise<{ readonly complete: boolean }> => {
  const stack: Array<{ readonly entries: Array<Dirent>; next: number; readonly path: string; readonly real: string }> = [
    { entries: entriesOf(start), next: 0, path: "", real: start },
  ]
  let left = options.max_entries
  let complete = true
  let slice = performance.now()
  while (stack.length > 0) {
    const level = stack.at(-1)!
    const entry = level.entries[level.next++]
    if (entry === undefined) {
      stack.pop()
      continue
    }
    if (left-- <= 0) return { complete: false }
    slice = await breathe(slice)
    options.signal?.throwIfAborted()
    const kind = kindOfEntry(entry)
    const walked: Walked = { path: level.path + entry.name, real: `${level.real}/${entry.name}`, kind }
    const enter = options.visit(walked)
    if (enter === "stop") return { complete: false }
    if (kind !== "folder" || enter === false) continue
    if (stack.length >= MAX_DEPTH) complete = false
    else stack.push({ entries: entriesOf(walked.real), next: 0, path: `${walked.path}/`, real: walked.real })
  }
  return { complete }
}
