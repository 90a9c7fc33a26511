// JSON Schema reduced to alternatives without combinators: `$ref` (local), `allOf`, `anyOf`, `oneOf` and lists of types are
// resolved and merged, so that a tool's own schema narrowed by a piece (P15) is one plain form. Keywords outside the
// subset (`not`, `if`, `uniqueItems`, `contains`) are left to the caller's own check of the arguments. Pure.
import type { JsonSchema } from "../../job/piece.ts"

export type Schema = JsonSchema | boolean
type Flat = Record<string, unknown>

/** More alternatives than this are cut: a grammar that large would not be walked in time. */
const MAX_ALTERNATIVES = 64
const MAX_DEPTH = 64

const TYPES = ["string", "integer", "number", "boolean", "null", "array", "object"] as const
export type TypeName = (typeof TYPES)[number]

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value)
const isSchema = (value: unknown): value is Schema => typeof value === "boolean" || isObject(value)
export const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
export const number = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null)
export const schemaOf = (value: unknown): Schema => (isSchema(value) ? value : true)
export const members = (value: unknown): ReadonlyArray<readonly [string, Schema]> =>
  isObject(value) ? Object.entries(value).flatMap(([name, schema]) => (isSchema(schema) ? [[name, schema] as const] : [])) : []

const equal = (a: unknown, b: unknown): boolean => {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((v, i) => equal(v, b[i]))
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a)
    return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && equal(a[k], b[k]))
  }
  return a === b
}

/** The types a schema without combinators allows: those it names, else those its keywords speak of, else all. */
export const typesOf = (flat: Flat): ReadonlyArray<TypeName> => {
  const named = typeof flat["type"] === "string" ? [flat["type"]] : Array.isArray(flat["type"]) ? flat["type"] : null
  if (named !== null) return TYPES.filter((type) => named.includes(type))
  const has = (...keys: ReadonlyArray<string>) => keys.some((key) => flat[key] !== undefined)
  if (has("properties", "required", "additionalProperties", "propertyNames")) return ["object"]
  if (has("items", "prefixItems", "minItems", "maxItems")) return ["array"]
  if (has("minLength", "maxLength", "pattern", "format")) return ["string"]
  if (has("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")) return ["number"]
  return TYPES
}

const typeOfValue = (value: unknown): TypeName =>
  value === null ? "null" : Array.isArray(value) ? "array"
    : typeof value === "number" ? (Number.isInteger(value) ? "integer" : "number")
    : typeof value === "string" ? "string" : typeof value === "boolean" ? "boolean" : "object"

const within = (value: number, flat: Flat, low: string, high: string): boolean =>
  value >= (number(flat[low]) ?? -Infinity) && value <= (number(flat[high]) ?? Infinity)

const matches = (pattern: unknown, text: string): boolean => {
  if (typeof pattern !== "string") return true
  try {
    return new RegExp(pattern, "u").test(text)
  } catch {
    return true // not an expression of this dialect: the caller's own check decides
  }
}

/** Whether a literal fits the plain keywords beside it. */
const fits = (value: unknown, flat: Flat): boolean => {
  const type = typeOfValue(value)
  const types = typesOf(flat)
  if (!types.includes(type) && !(type === "integer" && types.includes("number"))) return false
  if (typeof value === "string") return within([...value].length, flat, "minLength", "maxLength") && matches(flat["pattern"], value)
  if (typeof value === "number") {
    const step = number(flat["multipleOf"])
    return within(value, flat, "minimum", "maximum") && value > (number(flat["exclusiveMinimum"]) ?? -Infinity) &&
      value < (number(flat["exclusiveMaximum"]) ?? Infinity) && (step === null || Number.isInteger(value / step))
  }
  if (Array.isArray(value)) return within(value.length, flat, "minItems", "maxItems")
  return true
}

/** The values of `enum` or `const` that the rest of the schema allows; null when the schema names none. */
export const literals = (flat: Flat): ReadonlyArray<unknown> | null => {
  const named = flat["const"] !== undefined ? [flat["const"]] : Array.isArray(flat["enum"]) ? flat["enum"] : null
  if (named === null) return null
  const allowed = Array.isArray(flat["enum"]) ? named.filter((v) => list(flat["enum"]).some((w) => equal(v, w))) : named
  return allowed.filter((value) => fits(value, flat))
}

const tighter: Readonly<Record<string, "max" | "min">> = {
  minLength: "max", minItems: "max", minimum: "max", exclusiveMinimum: "max", minProperties: "max",
  maxLength: "min", maxItems: "min", maximum: "min", exclusiveMaximum: "min", maxProperties: "min",
}

const mergeTypes = (a: unknown, b: unknown): unknown => {
  const [left, right] = [typesOf({ type: a }), typesOf({ type: b })]
  const wide = (types: ReadonlyArray<TypeName>) => (types.includes("number") ? [...types, "integer" as const] : types)
  return TYPES.filter((type) => wide(left).includes(type) && wide(right).includes(type) && !(type === "integer" && left.includes("number") && right.includes("number")))
}

const mergeProperties = (a: Flat, b: Flat): Record<string, Schema> => {
  const [left, right] = [new Map(members(a["properties"])), new Map(members(b["properties"]))]
  const out: Record<string, Schema> = {}
  for (const name of [...left.keys(), ...right.keys()]) {
    if (Object.hasOwn(out, name)) continue
    const [mine, theirs] = [left.get(name), right.get(name)]
    const closed = (mine === undefined && a["additionalProperties"] === false) || (theirs === undefined && b["additionalProperties"] === false)
    Object.defineProperty(out, name, { value: closed ? false : mine === undefined ? theirs : theirs === undefined ? mine : { allOf: [mine, theirs] }, enumerable: true })
  }
  return out
}

/** Both must hold. The second is the more specific one: where only one value can be kept, its value is. */
const merge = (a: Flat, b: Flat): Flat => {
  const out: Flat = { ...a }
  for (const [key, value] of Object.entries(b)) {
    const mine = a[key]
    const direction = tighter[key]
    if (mine === undefined) out[key] = value
    else if (key === "type") out[key] = mergeTypes(mine, value)
    else if (key === "enum") out[key] = list(mine).filter((v) => list(value).some((w) => equal(v, w)))
    else if (key === "const") out[key] = value
    else if (direction !== undefined) out[key] = Math[direction](number(mine) ?? Number(value), number(value) ?? Number(mine))
    else if (key === "required") out[key] = [...new Set([...list(mine), ...list(value)])]
    else if (key === "items") out[key] = { allOf: [schemaOf(mine), schemaOf(value)] }
    else if (key === "additionalProperties") out[key] = mine === false || value === false ? false : { allOf: [schemaOf(mine), schemaOf(value)] }
    else out[key] = value
  }
  if (a["properties"] !== undefined || b["properties"] !== undefined) out["properties"] = mergeProperties(a, b)
  if (a["const"] !== undefined && b["const"] !== undefined && !equal(a["const"], b["const"])) out["type"] = []
  if (a["type"] === undefined && b["type"] !== undefined) out["type"] = mergeTypes(typesOf(a), b["type"])
  if (b["type"] === undefined && a["type"] !== undefined) out["type"] = mergeTypes(a["type"], typesOf(b))
  return out
}

const pointer = (root: Schema, path: string): unknown =>
  path.split("/").slice(1).map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((at, part) => (isObject(at) || Array.isArray(at) ? (Object.hasOwn(at, part) ? Reflect.get(at, part) : undefined) : undefined), root)

const COMBINATORS = new Set(["$ref", "allOf", "anyOf", "oneOf"])
const NOTES = new Set(["title", "description", "default", "examples", "$comment", "$schema", "$id", "$defs", "definitions", "deprecated", "readOnly", "writeOnly"])

/** What a schema that is nothing but a reference refers to, so that a recursive type becomes a recursive rule. */
export const follow = (schema: Schema, root: Schema): Schema => {
  let at = schema
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (typeof at === "boolean" || typeof at["$ref"] !== "string" || Object.keys(at).some((key) => key !== "$ref" && !NOTES.has(key))) return at
    at = at["$ref"].startsWith("#") ? schemaOf(pointer(root, at["$ref"])) : true
  }
  return true
}

/** The schema as alternatives of plain keywords; none at all when nothing can satisfy it. */
export const alternatives = (schema: Schema, root: Schema, depth = 0): ReadonlyArray<Flat> => {
  if (schema === true || depth > MAX_DEPTH) return [{}]
  if (schema === false) return []
  const base: Flat = {}
  for (const [key, value] of Object.entries(schema)) if (!COMBINATORS.has(key) && !NOTES.has(key)) base[key] = value
  let out: ReadonlyArray<Flat> = [base]
  const and = (ways: ReadonlyArray<Flat>) => {
    out = out.flatMap((mine) => ways.map((theirs) => merge(mine, theirs))).filter((flat) => typesOf(flat).length > 0).slice(0, MAX_ALTERNATIVES)
  }
  if (typeof schema["$ref"] === "string" && schema["$ref"].startsWith("#")) and(alternatives(schemaOf(pointer(root, schema["$ref"])), root, depth + 1))
  for (const part of list(schema["allOf"])) and(alternatives(schemaOf(part), root, depth + 1))
  for (const key of ["anyOf", "oneOf"]) {
    if (Array.isArray(schema[key])) and(list(schema[key]).flatMap((part) => alternatives(schemaOf(part), root, depth + 1)))
  }
  return out.filter((flat) => typesOf(flat).length > 0)
}
