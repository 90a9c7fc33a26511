import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openFile } from "../../src/store/fileConnection.ts"
import { NOW, quoted, rowsOf, Shared, storable, tableOf, toJson } from "../../src/store/sql.ts"
import type { Connection, SqlValue } from "../../src/store/sql.ts"

let directory: string
let connection: Connection
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "attacca-sql-"))
  connection = openFile(join(directory, "a.db"))
})
afterAll(() => {
  connection.close()
  rmSync(directory, { recursive: true, force: true })
})
const ask = (sql: string, ...args: ReadonlyArray<SqlValue>) => connection.read({ sql, args })

describe("rows as one JSON argument", () => {
  it("come out of SQLite as they went in, whatever the text", async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.option(fc.integer())), { maxLength: 20 }), async (rows) => {
      const out = await ask(`WITH ${rowsOf("i", "?1")} SELECT v->>0, v->>1 FROM i ORDER BY n`, toJson(rows))
      expect(out).toEqual(rows.map(([text, number]) => [storable(text), number]))
    }), { numRuns: 200 })
  })

  it("hold no lone surrogate and no NUL, on which the driver would abort the process or cut the text", async () => {
    const odd = ["\ud800", "a\0b", "\\u0000", "\\ud800", "é\udfffe"]
    expect((await ask("SELECT value FROM json_each(?)", toJson(odd))).flat()).toEqual(["\uFFFD", "a\uFFFDb", "\\u0000", "\\ud800", "é\uFFFDe"])
  })

  it("keep such characters in JSON inside the JSON, where they are written out", async () => {
    const data = { note: "\ud800\0" }
    const [[text]] = await ask("SELECT value FROM json_each(?)", toJson([JSON.stringify(data)])) as [[string]]
    expect(JSON.parse(text)).toEqual(data)
  })

  it("can be a table with a column for each field", async () => {
    expect(await ask(`WITH ${tableOf("p", "?1", 2)} SELECT n, c1, c0 FROM p ORDER BY n`, toJson([["a", 1], ["b", null]]))).toEqual([[0, 1, "a"], [1, null, "b"]])
  })
})

describe("Shared", () => {
  it("keeps equal rows once and tells their place", () => {
    const shared = new Shared()
    expect([["a", 1], ["b", null], ["a", 1], ["a", "1"]].map((row) => shared.place(row))).toEqual([0, 1, 0, 2])
    expect(shared.rows).toEqual([["a", 1], ["b", null], ["a", "1"]])
  })
})

describe("fragments", () => {
  it("NOW is the database's time in milliseconds, the same in the whole statement", async () => {
    const [[now, again]] = await ask(`SELECT ${NOW}, ${NOW}`) as [[number, number]]
    expect(now).toBe(again)
    expect(Math.abs(now - Date.now())).toBeLessThan(5_000)
  })

  it("quoted text keeps its quotes", async () => {
    expect(await ask(`SELECT 'it''s' IN (${quoted(["a", "it's"])})`)).toEqual([[1]])
  })
})
