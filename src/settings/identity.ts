// The node's name: the configured one, else one made at the first start and kept in the data folder, so that a node that
// starts again is known as the same and frees its own dead leases at once (Q4). Also makes the data folder itself.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect, Schema } from "effect"

const FILE = "node_id"
const PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export class DataFolderError extends Schema.TaggedError<DataFolderError>()("DataFolderError", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

const reason = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  return code === "EACCES" || code === "EPERM" || code === "EROFS" ? "it may not be written (check its owner, or choose another folder with data_dir)"
    : code === "ENOSPC" ? "the disk is full" : code === "ENOTDIR" || code === "EEXIST" ? "a file stands where the folder should be" : cause instanceof Error ? cause.message : String(cause)
}

const fresh = (): string => {
  const host = hostname().replace(/[^A-Za-z0-9._-]/g, "").slice(0, 40)
  return `${PATTERN.test(host) ? host : "node"}-${crypto.randomUUID().slice(0, 8)}`
}

/** `first` is true when this data folder has not held a node before. */
export const openDataFolder = (data_dir: string, configured: string | null): Effect.Effect<{ readonly node_id: string; readonly first: boolean }, DataFolderError> => Effect.try({
  try: () => {
    mkdirSync(data_dir, { recursive: true })
    const file = join(data_dir, FILE)
    let kept: string | null = null
    try {
      kept = readFileSync(file, "utf8").trim()
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause
    }
    const valid = kept !== null && PATTERN.test(kept) ? kept : null
    const node_id = configured ?? valid ?? fresh()
    if (valid === null) writeFileSync(file, `${node_id}\n`)
    return { node_id, first: kept === null }
  },
  catch: (cause) => new DataFolderError({ detail: `the data folder ${data_dir} cannot be used: ${reason(cause)}` }),
})
