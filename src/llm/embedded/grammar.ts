// JSON Schema → grammar of the JSON texts that satisfy it, and the grammar of a tool call. Properties come in the
// schema's order, optional ones may be left out, nothing undeclared is written beside declared ones. A schema that
// nothing satisfies (an empty enum) has no grammar, and its tool cannot be called. Pure.
import type { JsonSchema } from "../../job/piece.ts"
import { anyChar, charOf, spaced } from "./json.ts"
import { alt, empty, lit, optional, ref, rep, seq, type Grammar, type Node } from "./nodes.ts"
import { decimals, integers } from "./numbers.ts"
import { FORMATS, patternNode } from "./pattern.ts"
import { alternatives, follow, list, literals, members, number, schemaOf, typesOf, type Schema, type TypeName } from "./schema.ts"

/** Bounds where the schema gives none, so that a small model's list or map ends. */
const MAX_ITEMS = 64
const MAX_MAP_ENTRIES = 16
const MAX_KEY_CHARS = 40
const FREE_DEPTH = 3

type Flat = Readonly<Record<string, unknown>>
const quote = lit("\"")
const comma = lit(", ")
const anyString = seq(quote, rep(anyChar, 0, null), quote)
const key = seq(quote, rep(charOf([[48, 57], [65, 90], [95, 95], [97, 122]]) ?? anyChar, 1, MAX_KEY_CHARS), quote)

const listOf = (item: Node | null, min: number, max: number): Node | null => {
  if (max < min) return null
  if (item === null || max === 0) return min === 0 ? lit("[]") : null
  const some = seq(item, rep(seq(comma, item), Math.max(0, min - 1), max - 1))
  return seq(lit("["), min === 0 ? optional(some) : some, lit("]"))
}

class Builder {
  readonly rules = new Map<string, Node>()
  readonly #names = new Map<object, string>()
  readonly #dead = new Set<string>()
  readonly #root: Schema
  constructor(root: Schema) {
    this.#root = root
  }

  /** Null when no value fits. */
  value(schema: Schema): Node | null {
    const target = follow(schema, this.#root)
    if (typeof target === "boolean") return target ? this.#free(FREE_DEPTH) : null
    const known = this.#names.get(target)
    if (known !== undefined) return this.#dead.has(known) ? null : ref(known)
    const name = `v${this.#names.size}`
    this.#names.set(target, name)
    const ways = alternatives(target, this.#root).flatMap((flat) => this.#ways(flat))
    if (ways.length === 0) {
      this.#dead.add(name)
      return null
    }
    this.rules.set(name, alt(...ways))
    return ref(name)
  }

  #ways(flat: Flat): ReadonlyArray<Node> {
    const named = literals(flat)
    if (named !== null) return named.map((value) => lit(spaced(value)))
    const types = typesOf(flat)
    if (types.length > 5 && Object.keys(flat).length === 0) return [this.#free(FREE_DEPTH)]
    return types.flatMap((type) => this.#typed(type, flat) ?? [])
  }

  #typed(type: TypeName, flat: Flat): Node | null {
    switch (type) {
      case "string": return this.#text(flat)
      case "integer": return this.#whole(flat)
      case "number": return decimals({
        min: number(flat["exclusiveMinimum"]) ?? number(flat["minimum"]), max: number(flat["exclusiveMaximum"]) ?? number(flat["maximum"]),
        exclusiveMin: number(flat["exclusiveMinimum"]) !== null, exclusiveMax: number(flat["exclusiveMaximum"]) !== null,
      })
      case "boolean": return alt(lit("true"), lit("false"))
      case "null": return lit("null")
      case "array": return this.#list(flat)
      case "object": return this.#object(flat)
    }
  }

  #text(flat: Flat): Node | null {
    const [min, max] = [number(flat["minLength"]) ?? 0, number(flat["maxLength"])]
    if (max !== null && max < min) return null
    const pattern = typeof flat["pattern"] === "string" ? flat["pattern"] : typeof flat["format"] === "string" ? FORMATS[flat["format"]] : undefined
    const inside = pattern === undefined ? null : patternNode(pattern, max)
    return seq(quote, inside ?? rep(anyChar, min, max), quote)
  }

  #whole(flat: Flat): Node | null {
    const [above, below] = [number(flat["exclusiveMinimum"]), number(flat["exclusiveMaximum"])]
    const min = Math.max(number(flat["minimum"]) ?? -Infinity, above === null ? -Infinity : Math.floor(above) + 1)
    const max = Math.min(number(flat["maximum"]) ?? Infinity, below === null ? Infinity : Math.ceil(below) - 1)
    const step = number(flat["multipleOf"])
    if (step !== null && step > 0 && Number.isInteger(step) && (max - min) / step <= 1000) {
      const values: Array<Node> = []
      for (let at = Math.ceil(min / step) * step; at <= max; at += step) values.push(lit(String(at + 0)))
      return values.length === 0 ? null : alt(...values)
    }
    return integers(Number.isFinite(min) ? min : null, Number.isFinite(max) ? max : null)
  }

  #list(flat: Flat): Node | null {
    const min = number(flat["minItems"]) ?? 0
    const max = number(flat["maxItems"]) ?? Math.max(min, MAX_ITEMS)
    const prefix = list(flat["prefixItems"]).map((item) => this.value(schemaOf(item)))
    if (prefix.length === 0) return listOf(max === 0 ? null : this.value(schemaOf(flat["items"])), min, max)
    const heads = prefix.slice(0, max)
    if (heads.includes(null)) return null
    const rest = flat["items"] === false || max <= heads.length ? null : this.value(schemaOf(flat["items"]))
    if (rest === null && min > heads.length) return null
    const tail = rest === null ? empty : rep(seq(comma, rest), Math.max(0, min - heads.length), max - heads.length)
    return seq(lit("["), ...heads.flatMap((item, i) => (item === null ? [] : i === 0 ? [item] : [comma, item])), tail, lit("]"))
  }

  #object(flat: Flat): Node | null {
    const required = new Set(list(flat["required"]))
    const declared = members(flat["properties"])
    const undeclared = [...required].filter((name) => typeof name === "string" && !declared.some(([known]) => known === name))
    if (undeclared.length > 0 && flat["additionalProperties"] === false) return null
    const all = [...declared, ...undeclared.map((name) => [String(name), schemaOf(flat["additionalProperties"])] as const)]
    if (all.length === 0) return this.#map(flat)
    let rest: { readonly first: Node; readonly later: Node } = { first: empty, later: empty }
    for (const [name, schema] of all.toReversed()) {
      const value = this.value(schema)
      if (value === null) {
        if (required.has(name)) return null
        continue
      }
      const pair = seq(lit(`${JSON.stringify(name)}: `), value)
      const first = seq(pair, this.#shared(rest.later))
      const later = seq(comma, pair, this.#shared(rest.later))
      rest = required.has(name) ? { first, later } : { first: alt(first, this.#shared(rest.first)), later: alt(later, this.#shared(rest.later)) }
    }
    return seq(lit("{"), rest.first, lit("}"))
  }

  /** A tail that several alternatives share is a rule of its own, so that optional properties do not double the grammar. */
  #shared(node: Node): Node {
    if (node.t === "ref" || node.t === "lit" || (node.t === "seq" && node.items.length === 0)) return node
    const name = `t${this.rules.size}`
    this.rules.set(name, node)
    return ref(name)
  }

  #map(flat: Flat): Node | null {
    const names = schemaOf(flat["propertyNames"] ?? true)
    const name = names === true ? key : this.value({ allOf: [{ type: "string" }, names] })
    const value = flat["additionalProperties"] === undefined ? this.#free(FREE_DEPTH - 1) : this.value(schemaOf(flat["additionalProperties"]))
    const [min, max] = [number(flat["minProperties"]) ?? 0, number(flat["maxProperties"]) ?? MAX_MAP_ENTRIES]
    if (name === null || value === null || max === 0) return min === 0 ? lit("{}") : null
    if (max < min) return null
    const pair = seq(name, lit(": "), value)
    const some = seq(pair, rep(seq(comma, pair), Math.max(0, min - 1), Math.max(min, max) - 1))
    return seq(lit("{"), min === 0 ? optional(some) : some, lit("}"))
  }

  /** Any JSON value, nested at most `depth` deep. */
  #free(depth: number): Node {
    const name = `any${depth}`
    if (!this.rules.has(name)) {
      const plain: ReadonlyArray<Node> = [anyString, decimals({ min: null, max: null, exclusiveMin: false, exclusiveMax: false }) ?? lit("0"), lit("true"), lit("false"), lit("null")]
      this.rules.set(name, alt(...plain))
      if (depth > 0) {
        const inner = this.#free(depth - 1)
        const pair = seq(key, lit(": "), inner)
        this.rules.set(name, alt(...plain, listOf(inner, 0, MAX_ITEMS) ?? lit("[]"), seq(lit("{"), optional(seq(pair, rep(seq(comma, pair), 0, MAX_MAP_ENTRIES))), lit("}"))))
      }
    }
    return ref(name)
  }
}

/** Null when nothing satisfies the schema. */
export const schemaGrammar = (schema: Schema): Grammar | null => {
  const builder = new Builder(schema)
  const node = builder.value(schema)
  return node === null ? null : { rules: builder.rules.set("root", node), root: "root" }
}

export interface CallableTool {
  readonly name: string
  readonly parameters: JsonSchema
}

/**
 * What may follow `{"name":` of a call: the name of one of the tools, its arguments, the closing brace. `named` leaves out
 * the name, for a call whose tool is fixed. Tools that nothing can satisfy are left out; null when none is left.
 */
export const callGrammar = (tools: ReadonlyArray<CallableTool>, argumentsKey: string, named: boolean): Grammar | null => {
  const rules = new Map<string, Node>()
  const ways: Array<Node> = []
  for (const [i, tool] of tools.entries()) {
    const own = schemaGrammar({ ...tool.parameters, type: "object" })
    if (own === null) continue
    for (const [name, node] of own.rules) rules.set(`c${i}${name}`, renamed(node, `c${i}`))
    const args = ref(`c${i}${own.root}`)
    ways.push(named ? seq(lit(" "), args, lit("}")) : seq(lit(` ${JSON.stringify(tool.name)}, ${JSON.stringify(argumentsKey)}: `), args, lit("}")))
  }
  return ways.length === 0 ? null : { rules: rules.set("root", alt(...ways)), root: "root" }
}

const renamed = (node: Node, prefix: string): Node => {
  switch (node.t) {
    case "ref": return ref(prefix + node.rule)
    case "seq": return { t: "seq", items: node.items.map((item) => renamed(item, prefix)) }
    case "alt": return { t: "alt", items: node.items.map((item) => renamed(item, prefix)) }
    case "rep": return { ...node, item: renamed(node.item, prefix) }
    default: return node
  }
}
