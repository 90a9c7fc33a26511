// Loads attacca.yaml, the environment and the defaults into one checked `Settings`. Called once at the start by main.ts,
// by a reload, and by the commands. Either everything is right, or one SettingsError lists every wrong place with file,
// line, column and key. All reading is synchronous: it is one small file, and the node has nothing else to do yet.
import { existsSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { Effect, Schema } from "effect"
import { checkValue } from "./check.ts"
import { pathText, readYaml } from "./document.ts"
import type { Path, Position, YamlText } from "./document.ts"
import { readOverrides, withValueAt } from "./environment.ts"
import type { Override } from "./environment.ts"
import { coerceText, expandText, expandValue } from "./expand.ts"
import { resolveSettings } from "./resolve.ts"
import { isSecret, schemaAt, SettingsSchema } from "./schema.ts"
import type { Settings } from "./settings.ts"

export interface LoadedSettings {
  readonly settings: Settings
  /** Absolute path of the configuration file, null when there is none. */
  readonly file: string | null
  /** Keys whose values came from `${…}`; they are masked where settings are shown. */
  readonly expanded: ReadonlyArray<Path>
}

export interface LoadOptions {
  /** The path after `--config`. */
  readonly config?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

const ProblemSchema = Schema.Struct({
  /** Null when no file is to blame. */
  file: Schema.NullOr(Schema.String),
  line: Schema.NullOr(Schema.Int),
  column: Schema.NullOr(Schema.Int),
  key: Schema.String,
  /** The environment variable that is to blame, else null. */
  variable: Schema.NullOr(Schema.String),
  message: Schema.String,
})
export type SettingsProblem = typeof ProblemSchema.Type

export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", { problems: Schema.Array(ProblemSchema) }) {
  /** One line for each problem: `file:line:column: key: what is wrong`. */
  override get message() {
    return this.problems.map(({ file, line, column, key, variable, message }) => {
      const place = variable ?? (file === null ? "" : line === null ? file : `${file}:${line}:${column}`)
      return [place, variable === null ? key : "", message].filter((part) => part !== "").join(": ")
    }).join("\n")
  }
}

const DEFAULT_FILE = "attacca.yaml"

const findFile = ({ config, env, cwd }: LoadOptions): { readonly file: string; readonly named: string } | null => {
  if (config !== undefined) return { file: resolve(cwd, config), named: "--config" }
  if (env["ATTACCA_CONFIG"]) return { file: resolve(cwd, env["ATTACCA_CONFIG"]), named: "ATTACCA_CONFIG" }
  const file = resolve(cwd, DEFAULT_FILE)
  return existsSync(file) ? { file, named: "" } : null
}

const startsWith = (path: Path, prefix: Path) => prefix.length <= path.length && prefix.every((part, i) => part === path[i])

/** `http:` with nothing under it is an empty section, not a wrong one: its keys may all be commented out. */
const withoutEmptySections = (value: unknown): unknown => {
  if (value === null) return {}
  if (typeof value !== "object" || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([key, inner]) => {
    const tag = schemaAt([key])?._tag
    return inner !== null || (tag !== "Objects" && tag !== "Arrays")
  }))
}

/** One load: collects problems on the way and remembers who is to blame for each path. */
class Loading {
  readonly problems: Array<SettingsProblem> = []
  readonly expanded: Array<Path> = []
  private overrides: ReadonlyArray<Override> = []

  constructor(private readonly file: string | null, private readonly yaml: YamlText, private readonly options: LoadOptions) {}

  private wrong(path: Path, message: string, at: "key" | "value" = "value", position?: Position) {
    const variable = this.blamed(path)?.name ?? null
    const place = this.file === null || variable !== null ? null : position ?? this.yaml.positionOf(path, at)
    this.problems.push({ file: variable === null ? this.file : null, line: place?.line ?? null, column: place?.column ?? null, key: pathText(path), variable, message })
  }

  /** The variable that set the value, or that made the entry in which it is missing. */
  private blamed(path: Path): Override | undefined {
    const parent = path.slice(0, -1)
    const inFile = parent.reduce<unknown>((value, part) => (typeof value === "object" && value !== null ? (value as Record<string | number, unknown>)[part] : undefined), this.yaml.value)
    return this.overrides.findLast((o) => startsWith(path, o.path)) ?? (inFile === undefined ? this.overrides.find((o) => startsWith(o.path, parent)) : undefined)
  }

  private override(value: unknown, directory: string): unknown {
    const { overrides, problems } = readOverrides(this.options.env)
    problems.forEach(({ name, message }) => this.problems.push({ file: null, line: null, column: null, key: "", variable: name, message }))
    let result = value
    for (const override of overrides) {
      const { text, changed, problem } = expandText(override.text, { env: this.options.env, directory })
      const next = problem ?? withValueAt(result, override.path, coerceText(text, schemaAt(override.path)))
      this.overrides = [...this.overrides, override]
      if (typeof next === "string") this.wrong(override.path, next)
      else result = next.value
      if (changed) this.expanded.push(override.path)
    }
    return result
  }

  run(directory: string): Settings | null {
    this.yaml.problems.forEach(({ path, message, ...position }) => this.wrong(path, message, "value", position))
    if (this.problems.length > 0) return null
    const { value, paths, problems } = expandValue(withoutEmptySections(this.yaml.value), { env: this.options.env, directory }, schemaAt)
    this.expanded.push(...paths)
    const merged = this.override(value, directory)
    // A value whose reference leads nowhere is reported for that alone, not also for its type.
    const unfilled = problems.filter(({ path }) => !this.overrides.some((o) => startsWith(path, o.path)))
    unfilled.forEach(({ path, message }) => this.wrong(path, message))
    const hidden = (path: Path) => isSecret(path) || this.expanded.some((p) => startsWith(path, p))
    const checked = checkValue(SettingsSchema, merged, { hidden })
    checked.wrong.filter((w) => !unfilled.some((p) => startsWith(w.path, p.path))).forEach((w) => this.wrong(w.path, w.message, w.at))
    if (checked.value === null || this.problems.length > 0) return null
    const { settings, wrong } = resolveSettings(checked.value, directory)
    wrong.forEach((w) => this.wrong(w.path, w.message))
    return this.problems.length > 0 ? null : settings
  }
}

const unreadable = (file: string, named: string, cause: unknown): SettingsError => {
  const code = cause instanceof Error && "code" in cause ? cause.code : null
  const from = named === "" ? "" : ` (named by ${named})`
  const message = code === "ENOENT" ? `there is no such configuration file${from}` : `the configuration file cannot be read${from}: ${cause instanceof Error ? cause.message : String(cause)}`
  return new SettingsError({ problems: [{ file, line: null, column: null, key: "", variable: null, message }] })
}

/** The settings of `--config`, `ATTACCA_CONFIG` or ./attacca.yaml, else of defaults alone, with the environment over them. */
export const loadSettings = (options: LoadOptions): Effect.Effect<LoadedSettings, SettingsError> =>
  Effect.gen(function*() {
    const found = findFile(options)
    const text = found === null ? "" : yield* Effect.try({ try: () => readFileSync(found.file, "utf8"), catch: (cause) => unreadable(found.file, found.named, cause) })
    const file = found?.file ?? null
    const loading = new Loading(file, readYaml(text), options)
    const settings = loading.run(file === null ? options.cwd : dirname(file))
    if (settings === null) return yield* new SettingsError({ problems: loading.problems })
    return { settings, file, expanded: loading.expanded }
  })
