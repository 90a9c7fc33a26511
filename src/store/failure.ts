// Maps what SQLite, libSQL's drivers and the network raise to the store's one error (StoreError), whose reason says
// whether trying again may help. Pure; used by the connections.
import { StoreError } from "../job/errors.ts"

type Reason = StoreError["reason"]

const BY_CODE: ReadonlyArray<readonly [prefix: string, reason: Reason]> = [
  ["SQLITE_BUSY", "busy"],
  ["SQLITE_LOCKED", "busy"],
  ["SQLITE_FULL", "full"],
  ["SQLITE_READONLY", "read_only"],
  ["SQLITE_PERM", "read_only"],
  ["SQLITE_IOERR", "io"],
  ["SQLITE_CANTOPEN", "io"],
  ["SQLITE_CORRUPT", "io"],
  ["SQLITE_NOTADB", "io"],
  ["SQLITE_CONSTRAINT", "constraint"],
  ["SERVER_ERROR", "unreachable"],
  ["HRANA_WEBSOCKET_ERROR", "unreachable"],
  ["HRANA_CLOSED_ERROR", "unreachable"],
  ["HRANA_PROTO_ERROR", "unreachable"],
  ["CLIENT_CLOSED", "closed"],
]

/** libSQL's batch errors carry the code of their statement; network failures of `fetch` have none of SQLite's codes. */
export const toStoreError = (cause: unknown, remote: boolean): StoreError => {
  if (cause instanceof StoreError) return cause
  if (!(cause instanceof Error)) return new StoreError({ reason: "other", detail: String(cause) })
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : ""
  const known = BY_CODE.find(([prefix]) => code.startsWith(prefix))
  if (known !== undefined) return new StoreError({ reason: known[1], detail: describe(cause.message, code) })
  // A file that cannot be opened (it is a folder, may not be read) comes without a code.
  if (!remote && cause.message.startsWith("ConnectionFailed(")) return new StoreError({ reason: "io", detail: cause.message.slice("ConnectionFailed(".length, -1).replaceAll('"', "") })
  const reason = remote && !code.startsWith("SQLITE_") && !code.startsWith("SQL_") ? "unreachable" : "other"
  return new StoreError({ reason, detail: describe(cause.message, code) })
}

const describe = (message: string, code: string): string => code === "" || message.includes(code) ? message : `${message} (${code})`

/** The same batch may be tried again: nothing is known to be wrong with what it says. */
export const isTransient = (error: StoreError): boolean => error.reason === "busy" || error.reason === "unreachable"

/** The failure may lie in one operation of a batch, so the others deserve a try of their own. */
export const isOperationsOwn = (error: StoreError): boolean => error.reason === "constraint" || error.reason === "other"
