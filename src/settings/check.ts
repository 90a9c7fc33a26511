// Checks a plain value against an Effect Schema and lists every wrong place in words that a person can act on. Called for
// attacca.yaml and for pieces; the caller adds line and column. Unknown keys are always refused.
import { Exit, Schema, SchemaIssue } from "effect"
import type { SchemaAST } from "effect"
import type { Path } from "./document.ts"
import { didYouMean } from "./suggest.ts"

/** `at` says whether the key itself is wrong or the value under it. */
export interface Wrong {
  readonly path: Path
  readonly at: "key" | "value"
  readonly message: string
}

export interface CheckOptions {
  /** True for values that must not be repeated in a message. */
  readonly hidden?: (path: Path) => boolean
  /** Words for a key that is unknown to the schema but not a mistake of typing; null for the usual complaint. */
  readonly unknownKey?: (path: Path) => string | null
}

const MAX_SHOWN_CHARS = 60

const kindOf = (value: unknown): string =>
  value === null || value === undefined ? "nothing" : Array.isArray(value) ? "a list" : typeof value === "object" ? "a mapping"
    : typeof value === "string" ? "text" : typeof value === "boolean" ? "true or false" : "a number"

const shown = (value: unknown, hidden: boolean): string => {
  if (value === "" || (Array.isArray(value) && value.length === 0)) return Array.isArray(value) ? "an empty list" : "an empty text"
  if (hidden || value === null || typeof value === "object") return kindOf(value)
  const text = JSON.stringify(value) ?? kindOf(value)
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text
}

/** What a value must be, in the words of YAML. */
const expected = (ast: SchemaAST.AST): string => {
  const said = ast.checks?.findLast((check) => check.annotations?.["expected"] !== undefined)?.annotations?.["expected"] ?? ast.annotations?.["expected"]
  // A check on a list or a mapping speaks of what is in it; here the kind of value is wrong.
  if (typeof said === "string" && ast._tag !== "Arrays" && ast._tag !== "Objects") return said
  switch (ast._tag) {
    case "String": return "text"
    case "Number": return "a number"
    case "Boolean": return "true or false"
    case "Null": return "null"
    case "Literal": return JSON.stringify(ast.literal)
    case "Objects": return "a mapping"
    case "Arrays": return "a list"
    case "Union": return ast.types.map(expected).join(" or ")
    default: return "another value"
  }
}

const keysOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  ast._tag === "Objects" ? ast.propertySignatures.map((p) => String(p.name)) : ast._tag === "Union" ? ast.types.flatMap(keysOf) : []

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, part) => (typeof inner === "object" && inner !== null ? (inner as Record<string | number, unknown>)[part] : undefined), value)

const collect = (issue: SchemaIssue.Issue, root: unknown, path: Path, options: CheckOptions, found: Array<Wrong>): void => {
  const got = () => `, got ${shown(at(root, path), options.hidden?.(path) ?? false)}`
  const push = (where: "key" | "value", message: string) => {
    if (!found.some((w) => w.message === message && w.path.join("\0") === path.join("\0"))) found.push({ path, at: where, message })
  }
  switch (issue._tag) {
    case "Pointer": return collect(issue.issue, root, [...path, ...issue.path.map((p) => (typeof p === "number" ? p : String(p)))], options, found)
    case "Encoding": return collect(issue.issue, root, path, options, found)
    case "Composite": return issue.issues.forEach((inner) => collect(inner, root, path, options, found))
    case "Filter": {
      const said = issue.filter.annotations?.["expected"]
      push("value", `expected ${typeof said === "string" ? said : "another value"}${got()}`)
      return
    }
    case "MissingKey": {
      push("value", `"${String(path.at(-1))}" is missing`)
      return
    }
    case "UnexpectedKey": {
      const key = String(path.at(-1))
      push("key", options.unknownKey?.(path) ?? `unknown key "${key}"${didYouMean(key, keysOf(issue.ast))}`)
      return
    }
    case "AnyOf": {
      if (issue.issues.length > 0) return issue.issues.forEach((inner) => collect(inner, root, path, options, found))
      push("value", `expected ${expected(issue.ast)}${got()}`)
      return
    }
    case "InvalidType": {
      push("value", `expected ${expected(issue.ast)}${got()}`)
      return
    }
    default: {
      const said = SchemaIssue.defaultLeafHook(issue as SchemaIssue.Leaf)
      push("value", `${said.replace(/^Expected /, "expected ")}${got()}`)
    }
  }
}

export type Checked<T> = { readonly value: T; readonly wrong: readonly [] } | { readonly value: null; readonly wrong: ReadonlyArray<Wrong> }

export const checkValue = <T, E>(schema: Schema.Codec<T, E>, value: unknown, options: CheckOptions = {}): Checked<T> => {
  const exit = Schema.decodeUnknownExit(schema)(value, { errors: "all", onExcessProperty: "error" })
  if (Exit.isSuccess(exit)) return { value: exit.value, wrong: [] }
  const found: Array<Wrong> = []
  for (const reason of exit.cause.reasons) {
    if (reason._tag !== "Fail") throw new Error("the schema itself failed", { cause: exit.cause })
    collect(reason.error.issue, value, [], options, found)
  }
  return { value: null, wrong: found }
}
