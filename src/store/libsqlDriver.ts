// The driver on other runtimes (the HTTP surface alone may run there); see `driver.ts`. It is the one beneath `@libsql/client`,
// which would prepare every statement anew.
import Libsql from "libsql"
import type { Driver } from "./driver.ts"
import type { Row, SqlValue } from "./sql.ts"

export const openLibsql = (path: string, busy_timeout_ms: number): Driver => {
  const db = new Libsql(path, { timeout: busy_timeout_ms })
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    if (!statement.reader) {
      return (args: ReadonlyArray<SqlValue>) => {
        statement.run(args)
        return []
      }
    }
    statement.raw(true)
    return (args: ReadonlyArray<SqlValue>) => statement.all(args) as ReadonlyArray<Row>
  }
  return {
    exec: (sql) => { db.exec(sql) },
    prepare,
    once: (sql, args) => prepare(sql)(args),
    inTransaction: () => db.inTransaction,
    close: () => { db.close() },
  }
}
