// The driver on Bun, over the engine that is part of it; see `driver.ts`. Its statements are finalised when the file is closed,
// since one that lives keeps the file open.
import { Database } from "bun:sqlite"
import type { Statement } from "bun:sqlite"
import type { Driver } from "./driver.ts"
import type { Rows, SqlValue } from "./sql.ts"

export const openBun = (path: string, busy_timeout_ms: number): Driver => {
  const db = new Database(path, { create: true, readwrite: true })
  db.run(`PRAGMA busy_timeout = ${busy_timeout_ms}`)
  const kept: Array<Statement> = []
  // The store binds no blobs and no integers beyond 2^53, so it reads none.
  const run = (statement: Statement, args: ReadonlyArray<SqlValue>) => statement.values(...args) as Rows
  return {
    exec: (sql) => { db.run(sql) },
    prepare: (sql) => {
      const statement = db.prepare(sql)
      kept.push(statement)
      return (args) => run(statement, args)
    },
    once: (sql, args) => {
      const statement = db.prepare(sql)
      try {
        return run(statement, args)
      } finally {
        statement.finalize()
      }
    },
    inTransaction: () => db.inTransaction,
    close: () => {
      for (const statement of kept.splice(0)) statement.finalize()
      db.close()
    },
  }
}
