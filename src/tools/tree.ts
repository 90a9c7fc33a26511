// The part of the workspace that Glob and Grep look at: a file, or the files below a folder. Links are not followed, the
// repository's own folder is left out, and the size is bounded.
import { lstatSync } from "node:fs"
import { walk } from "../workspace/walk.ts"
import { ToolFailure } from "./attempt.ts"
import { missing, shown } from "./place.ts"
import type { ToolContext } from "./Tool.ts"

const MAX_ENTRIES = 50_000
/** Up to so many entries the state of a tree is cheap enough to serve as a cache key. */
const MAX_CACHED_ENTRIES = 2_000

export interface TreeFile {
  /** Relative to the workspace. */
  readonly path: string
  /** Relative to where the search starts. */
  readonly below: string
  readonly real: string
}

export interface Tree {
  readonly files: ReadonlyArray<TreeFile>
  readonly folders: ReadonlyArray<string>
  /** Where the search starts, as the model knows it. */
  readonly start: string
  /** False when the tree was too large to see whole. */
  readonly complete: boolean
}

const treeOf = async (context: ToolContext, path: string, max_entries: number, signal?: AbortSignal): Promise<Tree> => {
  const real = await context.resolve(path, "read")
  const start = shown(context, real)
  const stat = lstatSync(real, { throwIfNoEntry: false })
  if (stat === undefined) throw missing(context, real, "file or folder")
  if (stat.isFile()) return { files: [{ path: start, below: start.slice(start.lastIndexOf("/") + 1), real }], folders: [], start, complete: true }
  if (!stat.isDirectory()) throw new ToolFailure(`${start} is a pipe, socket or device, not a plain file`)
  const files: Array<TreeFile> = []
  const folders = [real]
  const prefix = start === "." ? "" : `${start}/`
  const { complete } = await walk(real, {
    max_entries,
    ...(signal === undefined ? {} : { signal }),
    visit: (entry) => {
      if (entry.kind === "file") files.push({ path: prefix + entry.path, below: entry.path, real: entry.real })
      if (entry.kind !== "folder") return true
      if (entry.path === ".git" || entry.path.endsWith("/.git")) return false
      folders.push(entry.real)
      return true
    },
  })
  return { files, folders, start, complete }
}

export const treeAt = (context: ToolContext, path: string, signal: AbortSignal): Promise<Tree> => treeOf(context, path, MAX_ENTRIES, signal)

/** The paths whose state a search of the tree depends on; null when they are too many to compare. */
export const treeState = async (context: ToolContext, path: string, withFiles: boolean): Promise<ReadonlyArray<string> | null> => {
  const tree = await treeOf(context, path, MAX_CACHED_ENTRIES)
  return tree.complete ? [...tree.folders, ...(withFiles || tree.folders.length === 0 ? tree.files.map((file) => file.real) : [])] : null
}

/** A glob over a tree's files: by path below the start or in the workspace; without `/` in it, also by name alone when `byName`. */
export const globFilter = (glob: string, byName: boolean): ((file: TreeFile) => boolean) => {
  if (glob.length > 500) throw new ToolFailure("the glob pattern is longer than 500 characters")
  const plain = glob.replace(/^\.\//, "")
  const pattern = new Bun.Glob(plain)
  const nameOnly = byName && !plain.includes("/")
  return ({ below, path }) => pattern.match(below) || pattern.match(path) || (nameOnly && pattern.match(below.slice(below.lastIndexOf("/") + 1)))
}
