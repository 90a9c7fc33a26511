// Environment variables as settings: `ATTACCA_HTTP__PORT` is `http.port`, `ATTACCA_WORKERS__0__API_KEY` the first worker's
// key, `ATTACCA_DATA_DIR` a key at the top. Called by `load.ts` only. A name that leads to no setting is refused, because a
// mistyped one would otherwise be silently ignored. Pure.
import { schemaAt, settingsReference } from "./schema.ts"
import type { Path } from "./document.ts"
import { didYouMean } from "./suggest.ts"

const PREFIX = "ATTACCA_"

/** Variables that are read elsewhere: where the configuration is, which node the commands talk to, where nodes share weights. */
export const OTHER_VARIABLES: ReadonlyArray<string> = ["ATTACCA_CONFIG", "ATTACCA_URL", "ATTACCA_EMBEDDED_DIR"]
/** Of the test run, inherited by the nodes that it starts. */
const TEST_PREFIX = "ATTACCA_TEST_"

export interface Override {
  readonly name: string
  readonly path: Path
  readonly text: string
}

export interface Overrides {
  readonly overrides: ReadonlyArray<Override>
  readonly problems: ReadonlyArray<{ readonly name: string; readonly message: string }>
}

/** `http.port` → `ATTACCA_HTTP__PORT`; `workers[].id` → `ATTACCA_WORKERS__0__ID`. */
export const variableOf = (key: string): string => PREFIX + key.replace("[]", ".0").replaceAll(".", "__").toUpperCase()

const pathOf = (name: string): Path =>
  name.slice(PREFIX.length).toLowerCase().split("__").map((part) => /^\d{1,4}$/.test(part) ? Number(part) : part)

/** The overrides in the environment, shorter paths first, so that a section does not wipe out a key of it. */
export const readOverrides = (env: Readonly<Record<string, string | undefined>>): Overrides => {
  const overrides: Array<Override> = []
  const problems: Array<{ name: string; message: string }> = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || text === undefined || OTHER_VARIABLES.includes(name) || name.startsWith(TEST_PREFIX)) continue
    const path = pathOf(name)
    if (schemaAt(path) !== null) overrides.push({ name, path, text })
    else problems.push({ name, message: `no setting has this name${didYouMean(name, [...settingsReference().map((row) => variableOf(row.key)), ...OTHER_VARIABLES])}` })
  }
  overrides.sort((a, b) => a.path.length - b.path.length || (a.name < b.name ? -1 : 1))
  return { overrides, problems }
}

/** `value` with one place replaced; the parts that are not on the way are shared. A string says why it cannot be done. */
export const withValueAt = (value: unknown, path: Path, replacement: unknown): { readonly value: unknown } | string => {
  const [part, ...rest] = path
  if (part === undefined) return { value: replacement }
  if (typeof part === "number") {
    const list: ReadonlyArray<unknown> = Array.isArray(value) ? value : []
    if (part > list.length) return `there is no entry ${part}; the list has ${list.length}`
    const inner = withValueAt(list[part], rest, replacement)
    return typeof inner === "string" ? inner : { value: list.toSpliced(part, 1, inner.value) }
  }
  const record = typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
  const inner = withValueAt(Object.hasOwn(record, part) ? record[part] : undefined, rest, replacement)
  return typeof inner === "string" ? inner : { value: { ...record, [part]: inner.value } }
}
