import { describe, expect, it } from "vitest"
import { openFile } from "../../src/store/fileConnection.ts"
import type { Connection, Rows, SqlValue } from "../../src/store/sql.ts"
import { temporaryDirectory } from "../support/database.ts"

const statement = (sql: string, ...args: ReadonlyArray<SqlValue>) => ({ sql, args })

const withFile = async (body: (connection: Connection, path: string) => Promise<void>): Promise<void> => {
  const directory = temporaryDirectory()
  const path = `${directory.path}/a.db`
  const connection = openFile(path)
  try {
    await connection.batch([statement("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE)")])
    await body(connection, path)
  } finally {
    connection.close()
    directory.remove()
  }
}
const count = async (connection: Connection): Promise<Rows> => connection.read(statement("SELECT count(*) FROM t"))

describe("a database file", () => {
  it("is written ahead and flushed at each commit", () => withFile(async (connection) => {
    expect(await connection.read(statement("PRAGMA journal_mode"))).toEqual([["wal"]])
    expect(await connection.read(statement("PRAGMA synchronous"))).toEqual([[2]])
  }))

  it("takes a batch whole or not at all, and goes on after a refusal", () => withFile(async (connection) => {
    const bad = connection.batch([statement("INSERT INTO t (a) VALUES (?)", "x"), statement("INSERT INTO t (a) VALUES (?)", "x")])
    await expect(bad).rejects.toMatchObject({ _tag: "StoreError", reason: "constraint" })
    expect(await count(connection)).toEqual([[0]])
    const results = await connection.batch([statement("INSERT INTO t (a) VALUES (?) RETURNING id, a", "x"), statement("INSERT INTO t (a) VALUES ('y')"), statement("SELECT a FROM t ORDER BY a")])
    expect(results).toEqual([[[1, "x"]], [], [["x"], ["y"]]])
  }))

  it("gives whole numbers, fractions, texts and null as they are", () => withFile(async (connection) => {
    expect(await connection.read(statement("SELECT ?, ?, ?, ?, 9007199254740991", 1, 1.5, "é", null))).toEqual([[1, 1.5, "é", null, Number.MAX_SAFE_INTEGER]])
  }))

  it("answers `full` when the disk has no room, and keeps what was committed", () => withFile(async (connection) => {
    await connection.batch([statement("INSERT INTO t (a) VALUES ('first')")])
    const [[pages]] = await connection.read(statement("PRAGMA page_count")) as [[number]]
    await connection.read(statement(`PRAGMA max_page_count = ${pages}`))
    await expect(connection.batch([statement("INSERT INTO t (a) VALUES (?)", "x".repeat(100_000))])).rejects.toMatchObject({ reason: "full" })
    expect(await count(connection)).toEqual([[1]])
  }))

  it("answers `busy` soon while another connection writes, rather than stop the process", () => withFile(async (connection, path) => {
    const other = openFile(path)
    try {
      await other.read(statement("BEGIN IMMEDIATE"))
      const since = performance.now()
      await expect(connection.batch([statement("INSERT INTO t (a) VALUES ('x')")])).rejects.toMatchObject({ reason: "busy" })
      expect(performance.now() - since).toBeLessThan(1_000)
      await other.read(statement("ROLLBACK"))
      await connection.batch([statement("INSERT INTO t (a) VALUES ('x')")])
      expect(await count(connection)).toEqual([[1]])
    } finally {
      other.close()
    }
  }))

  it("that is none is refused", async () => {
    const directory = temporaryDirectory()
    try {
      await Bun.write(`${directory.path}/a.db`, "this is not a database, it is a text that is long enough to be looked at".repeat(20))
      expect(() => openFile(`${directory.path}/a.db`)).toThrow(expect.objectContaining({ reason: "io" }))
      expect(() => openFile(`${directory.path}/no/such/folder/a.db`)).toThrow(expect.objectContaining({ _tag: "StoreError" }))
    } finally {
      directory.remove()
    }
  })
})
