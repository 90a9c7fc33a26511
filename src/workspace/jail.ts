// The path jail (T1): walks a relative path component by component over the real tree, follows links itself, and answers
// the real path or refuses. Called for every tool argument and file route. Synchronous on purpose: a walk costs 1 µs a
// component on a local disk, 25 µs when each look goes through the thread pool. What it answers may change before it is
// opened, so files.ts checks again on the open file. Hard links cannot be told from files and are not refused.
import { lstatSync, readlinkSync } from "node:fs"
import { Buffer } from "node:buffer"
import { PathRefused, plainWords, quoted } from "./errors.ts"

/** read: any file; write: what a tool may change; own: what the runtime itself writes, also under `logs/`. */
export type Access = "read" | "write" | "own"

export const MAX_PATH_BYTES = 4096
export const MAX_NAME_BYTES = 255
const MAX_LINKS = 40

/** Temporary files of unfinished writes; never listed, never accepted as a name. */
export const TEMP_PREFIX = ".attacca-tmp-"

type Kind = "folder" | "file" | "missing"
interface Step {
  readonly name: string
  readonly kind: Kind
}

const READ_ONLY = new Set(["input", "logs"])
// On a case-insensitive file system "Input" and "input." are `input`; they are refused everywhere, so that a piece does not depend on the disk.
const folded = (name: string) => name.normalize("NFKC").toLowerCase().replace(/[. ]+$/, "")

const refuse = (path: string, why: string): never => {
  throw new PathRefused({ path, detail: `${quoted(path)} ${why}` })
}

/** The path as components relative to `root`. An absolute path is taken only if it names a place under the real root. */
const split = (root: string, path: string): Array<string> => {
  if (path === "") throw new PathRefused({ path, detail: "the path is empty" })
  if (path.includes("\0")) refuse(path, "holds a NUL character")
  if (!path.isWellFormed()) refuse(path, "is not valid Unicode")
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) refuse(path, `is longer than ${MAX_PATH_BYTES} bytes`)
  if (!path.startsWith("/")) return path.split("/")
  if (path === root || path.startsWith(`${root}/`)) return path.slice(root.length + 1).split("/")
  return refuse(path, "is an absolute path; paths are relative to the workspace, for example input/notes.txt")
}

const kindOf = (path: string, at: string): { readonly kind: Kind } | { readonly link: string } => {
  try {
    const stat = lstatSync(at, { throwIfNoEntry: false })
    if (stat === undefined) return { kind: "missing" }
    if (stat.isDirectory()) return { kind: "folder" }
    if (stat.isFile()) return { kind: "file" }
    if (stat.isSymbolicLink()) return { link: readlinkSync(at) }
  } catch (cause) {
    return refuse(path, `cannot be looked at: ${plainWords(cause)}`)
  }
  return refuse(path, "is a pipe, socket or device, not a plain file")
}

const checkName = (path: string, name: string, access: Access): void => {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) refuse(path, `holds a name longer than ${MAX_NAME_BYTES} bytes`)
  if (access === "read") return
  if (/\p{Cc}/u.test(name)) refuse(path, "holds a control character")
  if (name.includes("\\")) refuse(path, "holds a backslash; put / between folder names")
  if (name.startsWith(TEMP_PREFIX)) refuse(path, `starts a name with ${TEMP_PREFIX}, which is kept for unfinished writes`)
}

const checkWritable = (path: string, steps: ReadonlyArray<Step>): void => {
  const first = steps[0]
  if (first === undefined || path.endsWith("/")) return refuse(path, "names a folder; a file name is needed")
  const top = folded(first.name)
  if (READ_ONLY.has(top)) {
    refuse(path, top === first.name ? `may not be written: ${top}/ is read-only; write to output/` : `may not be written: ${first.name}/ is too like ${top}/, which is read-only`)
  }
  // A hook or a configuration written there would be run by the next commit.
  if (steps.some((step) => folded(step.name) === ".git")) refuse(path, "may not be written: .git is the repository's own")
}

/**
 * The real absolute path that `path` means inside `root`, which must itself be a real path. A part that does not exist is
 * taken literally, so the answer may name a file that is still to be made. Throws PathRefused.
 */
export const resolveInside = (root: string, path: string, access: Access): string => {
  const pending = split(root, path).reverse()
  const steps: Array<Step> = []
  let links = 0
  while (pending.length > 0) {
    const name = pending.pop()!
    const here: Kind = steps.at(-1)?.kind ?? "folder"
    if (here === "file") refuse(path, `goes through ${quoted(steps.map((step) => step.name).join("/"))}, which is a file, not a folder`)
    if (name === "" || name === ".") continue
    if (name === "..") {
      if (steps.pop() === undefined) refuse(path, "leads outside the workspace")
      continue
    }
    checkName(path, name, access)
    const found = here === "missing" ? { kind: here } : kindOf(path, [root, ...steps.map((step) => step.name), name].join("/"))
    if ("kind" in found) {
      steps.push({ name, kind: found.kind })
      continue
    }
    if (++links > MAX_LINKS) refuse(path, "goes through too many links")
    const { link } = found
    if (link.startsWith("/")) {
      if (link !== root && !link.startsWith(`${root}/`)) refuse(path, "goes through a link that leads outside the workspace")
      steps.length = 0
      pending.push(...link.slice(root.length + 1).split("/").reverse())
    } else {
      pending.push(...link.split("/").reverse())
    }
  }
  if (access === "write") checkWritable(path, steps)
  return [root, ...steps.map((step) => step.name)].join("/")
}

/** The last part of an uploaded file's name, for a name in `input/`. Throws PathRefused when nothing usable is left. */
export const lastPart = (name: string): string => {
  const last = name.split(/[\\/]/).pop() ?? ""
  if (last === "" || last === "." || last === "..") refuse(name, "is not a file name")
  if (!last.isWellFormed()) refuse(name, "is not valid Unicode")
  checkName(name, last, "own")
  return last
}
