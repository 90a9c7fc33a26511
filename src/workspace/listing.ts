// The file list of a task: every plain file below a folder, with size and time. A link is listed only if it leads to a
// plain file inside the workspace; folders behind links are not entered.
import { lstatSync } from "node:fs"
import { PathRefused } from "./errors.ts"
import { resolveInside } from "./jail.ts"
import { breathe, walk, type Walked } from "./walk.ts"
import type { FileEntry } from "./Workspace.ts"

export const MAX_LISTED_FILES = 10_000
const MAX_ENTRIES = 50_000

const entryOf = (root: string, folder: string, walked: Walked): FileEntry | null => {
  const path = `${folder}/${walked.path}`
  try {
    const real = walked.kind === "link" ? resolveInside(root, path, "read") : walked.real
    const stat = lstatSync(real, { throwIfNoEntry: false })
    return stat?.isFile() === true ? { path, bytes: stat.size, modified_at: Math.round(stat.mtimeMs) } : null
  } catch (cause) {
    if (cause instanceof PathRefused) return null
    throw cause
  }
}

/** Files below `folder` of the workspace at the real path `root`, at most 10,000, sorted by path folder by folder. */
export const listFiles = async (root: string, folder: string, signal?: AbortSignal): Promise<ReadonlyArray<FileEntry>> => {
  const found: Array<Walked> = []
  await walk(`${root}/${folder}`, {
    max_entries: MAX_ENTRIES,
    ...(signal === undefined ? {} : { signal }),
    visit: (entry) => {
      if (entry.kind === "file" || entry.kind === "link") found.push(entry)
      return found.length >= MAX_LISTED_FILES ? "stop" : true
    },
  })
  const files: Array<FileEntry> = []
  let slice = performance.now()
  for (const walked of found) {
    slice = await breathe(slice)
    const entry = entryOf(root, folder, walked)
    if (entry !== null) files.push(entry)
  }
  return files
}
