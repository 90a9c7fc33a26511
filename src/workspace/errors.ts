// The two ways a workspace refuses: a path that may not be used, and a file system that does not obey. Both carry a plain
// message that may be shown to a person or a model. Names the usual system errors in words (bad input, full disk).
import { Schema } from "effect"

/** A path that leads outside the workspace, into a place that may not be written, or to something that is not a plain file. */
export class PathRefused extends Schema.TaggedError<PathRefused>()("PathRefused", { path: Schema.String, detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

export class WorkspaceError extends Schema.TaggedError<WorkspaceError>()("WorkspaceError", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOSPC: "no space is left on the disk",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  ENOTEMPTY: "the folder is not empty",
  ENAMETOOLONG: "the name is too long",
  EIO: "the disk reports a read or write error",
  EFBIG: "the file would be too large for this file system",
  ELOOP: "it is a link",
}

/** The code of a system error (`ENOENT`), or null for any other value. */
export const systemCode = (cause: unknown): string | null =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" && /^E[A-Z0-9]+$/.test(cause.code) ? cause.code : null

/** A system error in plain words, without the server's own paths. */
export const plainWords = (cause: unknown): string => {
  const code = systemCode(cause)
  if (code !== null) return WORDS[code] ?? `the system answered ${code}`
  return cause instanceof Error ? cause.message : String(cause)
}

/** Turns what a file operation threw into a WorkspaceError; `doing` reads like "output/a.md cannot be written". */
export const workspaceError = (doing: string) => (cause: unknown): WorkspaceError =>
  cause instanceof WorkspaceError ? cause : new WorkspaceError({ detail: `${doing}: ${plainWords(cause)}` })

/** A path as it is quoted in a message: escaped, so that it cannot forge lines, and cut. */
export const quoted = (path: string): string => JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path)
