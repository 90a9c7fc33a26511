// A forced call in a form that any model knows: for a model whose template has no tools, the one text or list of texts
// that a call is about is written as plain text or a numbered list, and turned into the call's JSON as it comes. A model
// of 0.1 billion parameters that is lost in quotes and braces writes good lists. The grammar is that of the tool's
// schema: lengths and counts hold exactly. Pure, but for the text it holds.
import { alternatives, literals, list, members, number, schemaOf, typesOf, type Schema, type TypeName } from "./schema.ts"
import { spaced } from "./json.ts"
import { alt, complement, lit, optional, rep, seq, set, type Grammar, type Node } from "./nodes.ts"

export interface Form {
  readonly kind: "text" | "list"
  /** What the answer begins with, put there by the engine. */
  readonly prefix: string
  readonly grammar: Grammar
  /** JSON of the arguments before and after the text. */
  readonly before: string
  readonly after: string
}

/** A list longer than this is told better as JSON. */
const MAX_LIST = 20
const CONTROL = [[0, 8], [11, 31], [0x7f, 0x9f]] as const
const LINE_CHAR = set(complement([...CONTROL, [9, 10], [0x2028, 0x2029]]))
const LINE_START = set(complement([...CONTROL, [9, 10], [32, 32], [0xa0, 0xa0], [0x2028, 0x2029]]))
const TEXT_CHAR = set(complement(CONTROL))

type Flat = Readonly<Record<string, unknown>>

const isOnly = (flat: Flat, type: TypeName): boolean => {
  const types = typesOf(flat)
  return types.length === 1 && types[0] === type
}

const isPlainText = (flat: Flat | undefined): flat is Flat =>
  flat !== undefined && isOnly(flat, "string") && ["enum", "const", "pattern", "format"].every((key) => flat[key] === undefined)

const line = (flat: Flat): Node | null => {
  const [min, max] = [Math.max(1, number(flat["minLength"]) ?? 1), number(flat["maxLength"])]
  return max !== null && max < min ? null : seq(LINE_START, rep(LINE_CHAR, min - 1, max === null ? null : max - 1))
}

const listForm = (flat: Flat, root: Schema): { readonly grammar: Grammar } | null => {
  const items = alternatives(schemaOf(flat["items"]), root)
  const item = items.length === 1 && isPlainText(items[0]) ? line(items[0]) : null
  const [min, max] = [Math.max(1, number(flat["minItems"]) ?? 1), number(flat["maxItems"]) ?? MAX_LIST]
  if (item === null || max > MAX_LIST || max < min || flat["prefixItems"] !== undefined || flat["uniqueItems"] === true) return null
  let rest: Node = optional(lit("\n"))
  for (let n = max; n > 1; n--) {
    const next = seq(lit(`\n${n}. `), item, rest)
    rest = n <= min ? next : alt(next, optional(lit("\n")))
  }
  return { grammar: { root: "root", rules: new Map([["root", seq(lit(" "), item, rest)]]) } }
}

const textForm = (flat: Flat): { readonly grammar: Grammar } | null => {
  const [min, max] = [Math.max(1, number(flat["minLength"]) ?? 1), number(flat["maxLength"])]
  return max !== null && max < min ? null : { grammar: { root: "root", rules: new Map([["root", seq(LINE_START, rep(TEXT_CHAR, min - 1, max === null ? null : max - 1))]]) } }
}

/** Null when the arguments are about more than one text. `parameters` is the tool's JSON Schema. */
export const formOf = (parameters: Schema): Form | null => {
  const ways = alternatives(parameters, parameters)
  const object = ways.length === 1 ? ways[0] : undefined
  if (object === undefined) return null
  const required = list(object["required"])
  const parts = members(object["properties"]).filter(([name]) => required.includes(name)).map(([name, schema]) => {
    const flats = alternatives(schema, parameters)
    const only = flats.length === 1 && flats[0] !== undefined ? literals(flats[0]) : null
    return { name, flats, fixed: only?.length === 1 ? spaced(only[0]) : null }
  })
  const open = parts.filter((part) => part.fixed === null)
  const about = open[0]
  if (about === undefined || open.length !== 1 || parts.length !== required.length) return null
  for (const flat of about.flats) {
    const kind = isPlainText(flat) ? "text" : isOnly(flat, "array") ? "list" : null
    const found = kind === "text" ? textForm(flat) : kind === "list" ? listForm(flat, parameters) : null
    if (kind === null || found === null) continue
    const at = parts.indexOf(about)
    const pair = (part: typeof about) => `${JSON.stringify(part.name)}: ${part.fixed ?? ""}`
    const marks = kind === "text" ? ["\"", "\""] : ["[\"", "\"]"]
    return {
      kind, grammar: found.grammar, prefix: kind === "text" ? "" : "1.",
      before: `{${parts.slice(0, at).map((part) => `${pair(part)}, `).join("")}${pair(about)}${marks[0]}`,
      after: `${marks[1]}${parts.slice(at + 1).map((part) => `, ${pair(part)}`).join("")}}`,
    }
  }
  return null
}

const escaped = (c: string): string => JSON.stringify(c).slice(1, -1)

/** Text of the form → JSON of the arguments, piece by piece. */
export class FormStream {
  readonly #form: Form
  /** Of a list: the number that opens the next item, not yet read to its end; null inside an item. */
  #mark: string | null
  #count = 1
  #begun = false

  constructor(form: Form) {
    this.#form = form
    this.#mark = form.kind === "list" ? " " : null
  }

  push(text: string): string {
    let out = this.#begun ? "" : this.#form.before
    this.#begun = true
    for (const c of text) {
      if (this.#mark !== null) {
        this.#mark = this.#mark.slice(c.length)
        if (this.#mark !== "") continue
        // The first text after a number opens an item; the first item was opened by what stands before the list.
        if (this.#count > 1) out += "\", \""
        this.#mark = null
      } else if (this.#form.kind === "list" && c === "\n") this.#mark = `${++this.#count}. `
      else out += escaped(c)
    }
    return out
  }

  end(): string {
    return (this.#begun ? "" : this.#form.before) + this.#form.after
  }
}
