// Fills `${VAR}` and `${file:/path}` into the text values of a configuration, and turns text that came that way (or from an
// environment variable) into what its key expects. `$${` stands for a literal `${`. Called by `load.ts` only. A file may
// hold 64 KiB; one line break at its end is dropped; relative paths start at the configuration file.
import { readFileSync, statSync } from "node:fs"
import { resolve } from "node:path"
import type { SchemaAST } from "effect"
import { readYaml } from "./document.ts"
import type { Path } from "./document.ts"
import { didYouMean } from "./suggest.ts"

export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where relative paths start. */
  readonly directory: string
}

export type Expansion =
  | { readonly text: string; readonly changed: boolean; readonly problem: null }
  | { readonly text: null; readonly changed: true; readonly problem: string }

const MAX_FILE_BYTES = 64 * 1024

const fromFile = (path: string, directory: string): { readonly text: string } | string => {
  const file = resolve(directory, path)
  try {
    const stat = statSync(file)
    if (!stat.isFile()) return `\${file:${path}} is not a plain file`
    if (stat.size > MAX_FILE_BYTES) return `\${file:${path}} holds more than ${MAX_FILE_BYTES / 1024} KiB`
    return { text: readFileSync(file, "utf8").replace(/\r?\n$/, "") }
  } catch (cause) {
    return `\${file:${path}} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

const lookUp = (name: string, sources: Sources): { readonly text: string } | string => {
  if (name.startsWith("file:")) return fromFile(name.slice(5), sources.directory)
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return `\${${name}} is neither \${VARIABLE} nor \${file:PATH}; write $\${ for a literal \${`
  const text = sources.env[name]
  return text === undefined ? `the environment variable ${name} is not set${didYouMean(name, Object.keys(sources.env))}` : { text }
}

/** Expands one text; the first reference that leads nowhere is the problem. */
export const expandText = (text: string, sources: Sources): Expansion => {
  let problem: string | null = null
  let changed = false
  const filled = text.replace(/\$?\$\{([^}]*)(\}?)/g, (match, name: string, end: string) => {
    changed = true
    if (match.startsWith("$$")) return match.slice(1)
    if (end === "") {
      problem ??= `\${${name} is not closed by }`
      return ""
    }
    const found = lookUp(name, sources)
    if (typeof found !== "string") return found.text
    problem ??= found
    return ""
  })
  return problem === null ? { text: filled, changed, problem } : { text: null, changed: true, problem }
}

const admits = (ast: SchemaAST.AST, tag: "String" | "Null"): boolean => ast._tag === tag || (ast._tag === "Union" && ast.types.some((t) => admits(t, tag)))

/** Text from outside as the value that its key expects: text stays as it is, everything else is read as YAML or JSON. */
export const coerceText = (text: string, ast: SchemaAST.AST | null): unknown => {
  if (ast === null) return text
  if (admits(ast, "String")) return admits(ast, "Null") && ["", "~", "null"].includes(text) ? null : text
  const read = readYaml(text)
  return read.problems.length > 0 ? text : read.value
}

export interface Expanded {
  readonly value: unknown
  /** Paths of the values that hold something from outside; they are masked where settings are shown. */
  readonly paths: ReadonlyArray<Path>
  readonly problems: ReadonlyArray<{ readonly path: Path; readonly message: string }>
}

/** Expands every text below a value; `schemaAt` says what each key expects. The value itself is left as it was. */
export const expandValue = (value: unknown, sources: Sources, schemaAt: (path: Path) => SchemaAST.AST | null): Expanded => {
  const paths: Array<Path> = []
  const problems: Array<{ path: Path; message: string }> = []
  const walk = (inner: unknown, path: Path): unknown => {
    if (Array.isArray(inner)) return inner.map((item, i) => walk(item, [...path, i]))
    if (typeof inner === "object" && inner !== null) return Object.fromEntries(Object.entries(inner).map(([key, item]) => [key, walk(item, [...path, key])]))
    if (typeof inner !== "string" || !inner.includes("${")) return inner
    const { text, changed, problem } = expandText(inner, sources)
    if (problem !== null) {
      problems.push({ path, message: problem })
      return inner
    }
    if (changed) paths.push(path)
    return changed ? coerceText(text, schemaAt(path)) : text
  }
  return { value: walk(value, []), paths, problems }
}
