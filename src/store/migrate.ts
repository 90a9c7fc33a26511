// Brings a database to this program's schema at start. A database that knows a migration which this program does not
// is from a newer version: it is refused untouched. Nodes that start together on one primary may race; one wins.
import { join } from "node:path"
import { readMigrationFiles } from "drizzle-orm/migrator"
import { INSTALLATION } from "../settings/root.ts"
import { StoreError } from "../job/errors.ts"
import type { Connection } from "./sql.ts"

const FOLDER = join(INSTALLATION, "drizzle")
const TABLE = "__drizzle_migrations"

/** Rejects with a StoreError. `folder` is another folder of migrations, for tests. */
export const migrate = async (connection: Connection, folder: string = FOLDER): Promise<void> => {
  const known = readMigrationFiles({ migrationsFolder: folder })
  const pending = async () => {
    const applied = await appliedHashes(connection)
    const strange = applied.filter((hash) => known.every((migration) => migration.hash !== hash))
    if (strange.length > 0) {
      throw new StoreError({ reason: "newer_version", detail: "the database was written by a newer version of Attacca (it holds migrations that this version does not know); start that version, or restore a backup" })
    }
    return known.filter((migration) => !applied.includes(migration.hash))
  }
  const missing = await pending()
  if (missing.length === 0) return
  const statements = missing.flatMap((migration) => [
    ...migration.sql.map((sql) => ({ sql, args: [] })),
    { sql: `INSERT INTO ${TABLE} (hash, created_at) VALUES (?, ?)`, args: [migration.hash, migration.folderMillis] },
  ])
  try {
    await connection.batch([{ sql: `CREATE TABLE IF NOT EXISTS ${TABLE} (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC)`, args: [] }, ...statements])
  } catch (cause) {
    if ((await pending()).length > 0) throw cause
  }
}

const appliedHashes = async (connection: Connection): Promise<ReadonlyArray<string>> => {
  const exists = await connection.read({ sql: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", args: [TABLE] })
  if (exists.length === 0) return []
  return (await connection.read({ sql: `SELECT hash FROM ${TABLE}`, args: [] })).map(([hash]) => String(hash))
}
