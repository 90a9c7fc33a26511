// A database file, held by this process alone (decision 4): one connection with its statements prepared once, since
// preparing the claim costs more than running it. Calls are synchronous inside, so a batch is never interleaved.
// The driver is the one beneath `@libsql/client`, which would prepare every statement anew.
import Libsql from "libsql"
import { toStoreError } from "./failure.ts"
import type { Connection, Row, Rows, SqlValue, Statement } from "./sql.ts"

/** Waiting inside the driver stops the whole process, so it is short; the Writer tries again without blocking. */
const BUSY_TIMEOUT_MS = 20
const CACHE_KIB = 65_536
/** Statements kept prepared. The store has about fifty; the bound is for ad-hoc reads. */
const PREPARED_LIMIT = 256

type Driver = InstanceType<typeof Libsql>
interface Prepared {
  readonly run: (args: ReadonlyArray<SqlValue>) => Rows
}

/** Opens or creates the file. Throws a StoreError. */
export const openFile = (path: string): Connection => {
  const db = attempt(() => open(path))
  const prepared = new Map<string, Prepared>()
  const statement = (sql: string): Prepared => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    if (prepared.size >= PREPARED_LIMIT) prepared.clear()
    const made = prepare(db, sql)
    prepared.set(sql, made)
    return made
  }
  const begin = prepare(db, "BEGIN IMMEDIATE")
  const commit = prepare(db, "COMMIT")

  const batch = (statements: ReadonlyArray<Statement>): ReadonlyArray<Rows> => {
    begin.run([])
    try {
      const results = statements.map(({ sql, args }) => statement(sql).run(args))
      commit.run([])
      return results
    } catch (cause) {
      if (db.inTransaction) db.exec("ROLLBACK")
      throw cause
    }
  }
  return {
    kind: "file",
    batch: async (statements) => attempt(() => batch(statements)),
    read: async ({ sql, args }) => attempt(() => statement(sql).run(args)),
    close: () => {
      prepared.clear()
      db.close()
    },
  }
}

const open = (path: string): Driver => {
  const db = new Libsql(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    // WAL and FULL: a commit is one append and one fsync, and what was acknowledged is on the disk. Rows refer to each
    // other by ids that the store itself hands out; checking them again at each insert would double the look-ups.
    for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = OFF", "temp_store = MEMORY", `cache_size = -${CACHE_KIB}`]) db.pragma(pragma)
    return db
  } catch (cause) {
    db.close()
    throw cause
  }
}

const prepare = (db: Driver, sql: string): Prepared => {
  const made = db.prepare(sql)
  const answers = made.reader
  if (answers) made.raw(true)
  return {
    run: answers
      ? (args) => made.all(args) as ReadonlyArray<Row>
      : (args) => {
        made.run(args)
        return []
      },
  }
}

const attempt = <A>(body: () => A): A => {
  try {
    return body()
  } catch (cause) {
    throw toStoreError(cause, false)
  }
}
