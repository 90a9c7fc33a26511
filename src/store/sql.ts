// What the store says to a database: statements with positional arguments, and the few SQL fragments that every write
// shares. Bulk writes carry their rows as one JSON argument, so that their text stays constant and one statement serves
// one row or a thousand. Pure. In `UPDATE … FROM k WHERE jobs.rowid = +k.rid` the plus keeps the planner from walking the
// whole table with an index over `k`: it looks each row up instead (test/store/tables.test.ts reads the plans).

export type SqlValue = string | number | null

export interface Statement {
  readonly sql: string
  readonly args: ReadonlyArray<SqlValue>
}

export type Row = ReadonlyArray<SqlValue>
export type Rows = ReadonlyArray<Row>

/** One database, either a file of this process or a remote primary. Rejects with a StoreError. */
export interface Connection {
  readonly kind: "file" | "remote"
  /** All statements in one write transaction, or none of them; the rows of each in order. */
  readonly batch: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<Rows>>
  readonly read: (statement: Statement) => Promise<Rows>
  readonly close: () => void
}

/** Milliseconds since the epoch by the database's clock; constant within one statement. */
export const NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"

/** `json_each` over an argument as a materialised table `name(n, v)`: `n` counts from 0, `v` is the row as JSON. */
export const rowsOf = (name: string, parameter: string): string =>
  `${name} AS MATERIALIZED (SELECT key AS n, value AS v FROM json_each(${parameter}))`

/** The same with the first `columns` fields of each row taken out as `c0`, `c1`, …; for small tables that others join. */
export const tableOf = (name: string, parameter: string, columns: number): string =>
  `${name} AS MATERIALIZED (SELECT key AS n, ${Array.from({ length: columns }, (_, k) => `value->>${k} AS c${k}`).join(", ")} FROM json_each(${parameter}))`

export const quoted = (values: Iterable<string>): string => [...values].map((value) => `'${value.replaceAll("'", "''")}'`).join(", ")

/** Text as SQLite can hold and give back: no lone surrogate (the driver aborts the process on one), no NUL (it cuts there). */
export const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD")

/** Rows as one JSON argument, every string in them made storable. */
export const toJson = (value: unknown): string => {
  const json = JSON.stringify(value)
  if (!json.includes("\\u0000") && !json.includes("\\ud")) return json
  return JSON.stringify(value, (_key, field: unknown) => typeof field === "string" ? storable(field) : field)
}

/** Collects equal records once, so that what most rows of a batch share is sent and unpacked a single time. */
export class Shared {
  readonly rows: Array<unknown> = []
  private readonly places = new Map<string, number>()

  place(row: ReadonlyArray<SqlValue>): number {
    const key = JSON.stringify(row)
    const known = this.places.get(key)
    if (known !== undefined) return known
    this.places.set(key, this.rows.length)
    return this.rows.push(row) - 1
  }
}
