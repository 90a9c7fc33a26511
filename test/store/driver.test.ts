import { describe, expect, it } from "vitest"
import { openBun } from "../../src/store/bunDriver.ts"
import { openDriver } from "../../src/store/driver.ts"
import { openLibsql } from "../../src/store/libsqlDriver.ts"
import { temporaryDirectory } from "../support/database.ts"

it("Bun's own engine is taken on Bun", () => expect(openDriver).toBe(openBun))

describe.each([["Bun's", openBun], ["libSQL's", openLibsql]] as const)("%s engine", (_name, open) => {
  const withFile = (body: (path: string, driver: ReturnType<typeof open>) => void) => {
    const directory = temporaryDirectory()
    const driver = open(`${directory.path}/a.db`, 20)
    try {
      driver.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE)")
      body(`${directory.path}/a.db`, driver)
    } finally {
      driver.close()
      directory.remove()
    }
  }

  it("answers rows as arrays, and nothing where there is nothing to answer", () => withFile((_path, driver) => {
    const insert = driver.prepare("INSERT INTO t (a) VALUES (?1)")
    expect([insert(["x"]), insert(["y"]), driver.once("INSERT INTO t (a) VALUES (?1), (?2) RETURNING id, a", ["z", null])]).toEqual([[], [], [[3, "z"], [4, null]]])
    expect(driver.prepare("SELECT id, a, 1.5, 9007199254740991 FROM t WHERE id < ?1 ORDER BY id")([3])).toEqual([[1, "x", 1.5, Number.MAX_SAFE_INTEGER], [2, "y", 1.5, Number.MAX_SAFE_INTEGER]])
  }))

  it("raises SQLite's code and can go on", () => withFile((path, driver) => {
    const insert = driver.prepare("INSERT INTO t (a) VALUES (?1)")
    insert(["x"])
    driver.exec("BEGIN IMMEDIATE")
    expect(() => insert(["x"])).toThrow(expect.objectContaining({ code: "SQLITE_CONSTRAINT_UNIQUE" }))
    expect(driver.inTransaction()).toBe(true)
    const other = open(path, 20)
    expect(() => other.exec("BEGIN IMMEDIATE")).toThrow(expect.objectContaining({ code: expect.stringMatching(/^SQLITE_BUSY/) }))
    driver.exec("ROLLBACK")
    expect(driver.inTransaction()).toBe(false)
    other.exec("BEGIN IMMEDIATE")
    other.close()
    insert(["y"])
    expect(() => driver.once("SELECT no such thing", [])).toThrow(expect.objectContaining({ code: "SQLITE_ERROR" }))
  }))

  it("refuses a file that cannot be", () => {
    expect(() => open("/proc/no/such/a.db", 20)).toThrow()
  })
})
