// A database file, held by this process alone (decision 4): one connection with its statements prepared once, since
// preparing the claim costs more than running it. Calls are synchronous inside, so a batch is never interleaved.
import { StoreError } from "../job/errors.ts"
import { openDriver } from "./driver.ts"
import type { Driver } from "./driver.ts"
import { toStoreError } from "./failure.ts"
import type { Connection, Rows, SqlValue, Statement } from "./sql.ts"

/** Waiting inside the driver stops the whole process, so it is short; the Writer tries again without blocking. */
const BUSY_TIMEOUT_MS = 20
const CACHE_KIB = 65_536
/** Statements kept prepared. The store has about fifty; the bound is for ad-hoc reads. */
const PREPARED_LIMIT = 256

/** Opens or creates the file. Throws a StoreError. */
export const openFile = (path: string): Connection => {
  const db = open(path)
  const prepared = new Map<string, (args: ReadonlyArray<SqlValue>) => Rows>()
  const run = ({ sql, args }: Statement): Rows => {
    const known = prepared.get(sql)
    if (known !== undefined) return known(args)
    if (prepared.size >= PREPARED_LIMIT) return db.once(sql, args)
    const made = db.prepare(sql)
    prepared.set(sql, made)
    return made(args)
  }
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")

  const batch = (statements: ReadonlyArray<Statement>): ReadonlyArray<Rows> => {
    begin([])
    try {
      const results = statements.map(run)
      commit([])
      return results
    } catch (cause) {
      if (db.inTransaction()) db.exec("ROLLBACK")
      throw cause
    }
  }
  return {
    kind: "file",
    batch: async (statements) => attempt(() => batch(statements)),
    read: async (statement) => attempt(() => run(statement)),
    close: () => db.close(),
  }
}

// WAL and FULL: a commit is one append and one fsync, and what was acknowledged is on the disk. Rows refer to each other by
// ids that the store itself hands out; checking them again at each insert would double the look-ups.
const PRAGMAS = ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = OFF", "temp_store = MEMORY", `cache_size = -${CACHE_KIB}`]

const open = (path: string): Driver => {
  let db: Driver | null = null
  try {
    db = openDriver(path, BUSY_TIMEOUT_MS)
    for (const pragma of PRAGMAS) db.once(`PRAGMA ${pragma}`, [])
    return db
  } catch (cause) {
    db?.close()
    const { reason, detail } = toStoreError(cause, false)
    throw new StoreError({ reason, detail: detail.includes(path) ? detail : `${path}: ${detail}` })
  }
}

const attempt = <A>(body: () => A): A => {
  try {
    return body()
  } catch (cause) {
    throw toStoreError(cause, false)
  }
}
