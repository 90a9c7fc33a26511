// The form in which every bench reports: a figure beside its limit or rival from the same run. Printed by `main.ts`.

export interface BenchRow {
  readonly name: string
  readonly value: number | null
  readonly unit: string
  /** The figure that it is held against; null where it stands for comparison only. */
  readonly limit: number | null
  readonly limit_name: string
  /** Null: not held against anything, or skipped. */
  readonly ok: boolean | null
  readonly note: string
}

export const atMost = (name: string, value: number, unit: string, limit: number, limit_name: string, note = ""): BenchRow => ({ name, value, unit, limit, limit_name, ok: value <= limit, note })
export const atLeast = (name: string, value: number, unit: string, limit: number, limit_name: string, note = ""): BenchRow => ({ name, value, unit, limit, limit_name, ok: value >= limit, note })
export const figure = (name: string, value: number, unit: string, note = ""): BenchRow => ({ name, value, unit, limit: null, limit_name: "", ok: null, note })
export const skipped = (name: string, reason: string): BenchRow => ({ name, value: null, unit: "", limit: null, limit_name: "", ok: null, note: `skipped: ${reason}` })

export const percentile = (values: ReadonlyArray<number>, q: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}
export const median = (values: ReadonlyArray<number>): number => percentile(values, 0.5)

const shown = (value: number): string => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-GB") : value.toPrecision(3))

export const printRows = (rows: ReadonlyArray<BenchRow>, print: (line: string) => void = console.log): void => {
  const width = Math.max(...rows.map((row) => row.name.length))
  for (const row of rows) {
    const verdict = row.ok === null ? "    " : row.ok ? "ok  " : "MISS"
    const value = row.value === null ? "–" : `${shown(row.value)} ${row.unit}`
    const limit = row.limit === null ? "" : `  (${row.limit_name} ${shown(row.limit)} ${row.unit})`
    print(`${verdict} ${row.name.padEnd(width)}  ${value}${limit}${row.note === "" ? "" : `  ${row.note}`}`)
  }
}
