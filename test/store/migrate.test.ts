import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { openFile } from "../../src/store/fileConnection.ts"
import { migrate } from "../../src/store/migrate.ts"
import type { Connection } from "../../src/store/sql.ts"
import { temporaryDirectory } from "../support/database.ts"

const FOLDER = join(import.meta.dirname, "../../drizzle")

const withDirectory = async (body: (path: string) => Promise<void>): Promise<void> => {
  const directory = temporaryDirectory()
  try {
    await body(directory.path)
  } finally {
    directory.remove()
  }
}
const using = async (path: string, body: (connection: Connection) => Promise<void>): Promise<void> => {
  const connection = openFile(path)
  try {
    await body(connection)
  } finally {
    connection.close()
  }
}
const tablesOf = async (connection: Connection) => (await connection.read({ sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", args: [] })).flat()

/** This version's migrations and one more. */
const nextVersion = (folder: string, statement: string): string => {
  const next = join(folder, "next")
  cpSync(FOLDER, next, { recursive: true })
  const journal = JSON.parse(readFileSync(join(next, "meta/_journal.json"), "utf8")) as { entries: Array<Record<string, unknown>> }
  const last = journal.entries.at(-1) ?? {}
  journal.entries.push({ ...last, idx: journal.entries.length, when: Number(last["when"]) + 1000, tag: "9999_next" })
  writeFileSync(join(next, "meta/_journal.json"), JSON.stringify(journal))
  writeFileSync(join(next, "9999_next.sql"), statement)
  return next
}

describe("migrations", () => {
  it("make the tables of a new database, once", () => withDirectory((path) => using(join(path, "a.db"), async (connection) => {
    await migrate(connection)
    await migrate(connection)
    expect(await tablesOf(connection)).toEqual(["__drizzle_migrations", "audit", "comments", "events", "jobs", "journal", "nodes", "piece_texts", "pieces", "tasks", "workers"])
    expect(await connection.read({ sql: "SELECT count(*) = count(DISTINCT hash) FROM __drizzle_migrations", args: [] })).toEqual([[1]])
  })))

  it("bring an older database up to date and keep its rows", () => withDirectory(async (path) => {
    await using(join(path, "a.db"), async (connection) => {
      await migrate(connection)
      await connection.batch([{ sql: "INSERT INTO pieces VALUES ('o', 'n', 't', 1)", args: [] }])
      await migrate(connection, nextVersion(path, "ALTER TABLE pieces ADD COLUMN extra TEXT"))
      expect(await connection.read({ sql: "SELECT owner, extra FROM pieces", args: [] })).toEqual([["o", null]])
    })
  }))

  it("refuse a database of a newer version and leave every byte of it alone", () => withDirectory(async (path) => {
    const file = join(path, "a.db")
    await using(file, (connection) => migrate(connection, nextVersion(path, "ALTER TABLE pieces ADD COLUMN extra TEXT")))
    const digest = () => createHash("sha256").update(readFileSync(file)).digest("hex")
    const before = digest()
    await using(file, async (connection) => {
      await expect(migrate(connection)).rejects.toMatchObject({ reason: "newer_version", detail: expect.stringContaining("newer version of Attacca") })
    })
    expect(digest()).toBe(before)
  }))

  it("that fail half way leave the database as it was", () => withDirectory((path) => using(join(path, "a.db"), async (connection) => {
    await migrate(connection)
    await expect(migrate(connection, nextVersion(path, "CREATE TABLE extra (a);\n--> statement-breakpoint\nCREATE TABLE extra (a);"))).rejects.toMatchObject({ reason: "other" })
    expect(await tablesOf(connection)).not.toContain("extra")
    await migrate(connection)
  })))
})
