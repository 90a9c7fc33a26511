// SQLite on a file, in one process: Bun's own where the program runs on Bun (its calls cost a fifth less and nothing is loaded
// for it), libSQL's elsewhere. Synchronous. What the driver raises keeps its SQLite code; `failure.ts` names it.
import type { Rows, SqlValue } from "./sql.ts"

export interface Driver {
  /** Runs statements that answer nothing that matters. */
  readonly exec: (sql: string) => void
  /** A statement that is kept until the file is closed. */
  readonly prepare: (sql: string) => (args: ReadonlyArray<SqlValue>) => Rows
  readonly once: (sql: string, args: ReadonlyArray<SqlValue>) => Rows
  readonly inTransaction: () => boolean
  readonly close: () => void
}

/** Opens or creates the file. `busy_timeout_ms`: how long a call waits, and the whole process with it, for another's lock. */
export const openDriver: (path: string, busy_timeout_ms: number) => Driver = typeof Bun === "undefined"
  ? (await import("./libsqlDriver.ts")).openLibsql
  : (await import("./bunDriver.ts")).openBun
