// One process per database file (decision 4): an exclusive lock on `<file>.lock`, held by the operating system for this
// process and gone with it, however it dies. `<file>.owner` is a note for people: it says who holds the lock.
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { StoreError } from "../job/errors.ts"
import { openDriver } from "./driver.ts"
import { toStoreError } from "./failure.ts"

/** A process that was just killed may need a moment to be gone. */
const WAIT_MS = 500

/** Held for as long as the process lives: a connection that nobody refers to is closed, and its lock goes with it. */
const held = new Set<unknown>()

export interface Holder {
  readonly pid: number
  /** What a person can find the process by: the address of its node. */
  readonly about: string
  readonly since: string
}

/** Takes the lock or throws a StoreError (`locked`) that names the holder and the way out; the result lets it go. */
export const lockFile = (path: string, about: string): () => void => {
  const db = openDriver(`${path}.lock`, WAIT_MS)
  try {
    db.exec("BEGIN EXCLUSIVE")
  } catch (cause) {
    db.close()
    const error = toStoreError(cause, false)
    throw error.reason === "busy" ? new StoreError({ reason: "locked", detail: refusal(path) }) : error
  }
  const holder: Holder = { pid: process.pid, about, since: new Date().toISOString() }
  writeFileSync(`${path}.owner`, `${JSON.stringify(holder)}\n`)
  held.add(db)
  return () => {
    held.delete(db)
    rmSync(`${path}.owner`, { force: true })
    db.close()
  }
}

const refusal = (path: string): string => {
  const holder = readHolder(path)
  const who = holder === null ? "another process" : `process ${holder.pid}${holder.about === "" ? "" : ` (${holder.about})`} since ${holder.since}`
  return `${path} is in use by ${who}. One process holds a database file; to run many nodes, start sqld (or use Turso) and set database.url to its address on each of them`
}

const readHolder = (path: string): Holder | null => {
  try {
    return JSON.parse(readFileSync(`${path}.owner`, "utf8")) as Holder
  } catch {
    return null // no note, or one half written: the refusal stands without a name
  }
}
