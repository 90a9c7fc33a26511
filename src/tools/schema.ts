// JSON Schemas of tool arguments: compiled by ajv when first needed and kept, judged with one message for each wrong
// field, and shown to the model in a short form. ajv takes 25 ms to load and some for each schema, so arguments that fit
// are recognised without it (plain.ts). Patterns run on a linear-time engine where it knows them: a schema may come from
// a piece or a server.
import { createRequire } from "node:module"
import type { Ajv, ErrorObject, ValidateFunction } from "ajv"
import type { JsonSchema } from "../job/piece.ts"
import { didYouMean } from "../settings/suggest.ts"
import { judge } from "./plain.ts"
import { linear } from "./regex.ts"

const MAX_COMPILED = 512
const MAX_ERRORS = 10
const MAX_SHORT_CHARS = 1500
const MAX_SHORT_ENUM = 12

const pattern = (source: string, flags: string): { readonly test: (text: string) => boolean; readonly toString: () => string } => {
  try {
    // ajv keeps one expression for each `toString()`.
    return { ...linear(source), toString: () => source }
  } catch {
    return new RegExp(source, flags) // look-ahead and back-references: the schema's author answers for the cost
  }
}

let engine: Ajv | null = null
const ajv = (): Ajv => {
  if (engine !== null) return engine
  const { Ajv: Engine } = createRequire(import.meta.url)("ajv") as { readonly Ajv: typeof Ajv }
  return engine = new Engine({
    strict: false, allErrors: true, verbose: true, validateFormats: false, validateSchema: false, meta: false, addUsedSchema: false, logger: false,
    code: { regExp: Object.assign(pattern, { code: "pattern" }) },
  })
}

const byIdentity = new WeakMap<JsonSchema, ValidateFunction>()
const byText = new Map<string, ValidateFunction>()

const compiled = (schema: JsonSchema): ValidateFunction => {
  const known = byIdentity.get(schema)
  if (known !== undefined) return known
  const text = JSON.stringify(schema)
  let validate = byText.get(text)
  if (validate === undefined) {
    // Identifiers would collide between servers, and the dialect's own schema is not needed.
    const { $id: _id, $schema: _dialect, ...plain } = schema
    validate = ajv().compile(plain)
    ajv().removeSchema(plain)
    const oldest = byText.keys().next()
    if (byText.size >= MAX_COMPILED && oldest.done !== true) byText.delete(oldest.value)
    byText.set(text, validate)
  }
  byIdentity.set(schema, validate)
  return validate
}

/** Why a schema cannot be used at all, or null. */
export const schemaProblem = (schema: JsonSchema): string | null => {
  try {
    compiled(schema)
    return null
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value)

/** The type names that a property's schema allows at its top, `anyOf` and `oneOf` included; empty when it does not say. */
export const typesOf = (schema: unknown): ReadonlyArray<string> => {
  if (!isRecord(schema)) return []
  const { type, anyOf, oneOf } = schema
  if (typeof type === "string") return [type]
  if (Array.isArray(type)) return type.filter((each) => typeof each === "string")
  const branches = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : []
  return branches.flatMap(typesOf)
}

/** A schema in the form `{"path": string, "limit"?: integer}`. */
export const shortSchema = (schema: unknown, depth = 0): string => {
  if (!isRecord(schema) || depth > 4) return "any"
  if (Array.isArray(schema["enum"])) {
    const values = schema["enum"].slice(0, MAX_SHORT_ENUM).map((value) => JSON.stringify(value))
    return values.join(" | ") + (schema["enum"].length > MAX_SHORT_ENUM ? " | …" : "")
  }
  if ("const" in schema) return JSON.stringify(schema["const"])
  for (const union of [schema["anyOf"], schema["oneOf"]]) {
    if (Array.isArray(union)) return union.map((branch) => shortSchema(branch, depth + 1)).join(" | ")
  }
  if (schema["type"] === "array") {
    const item = shortSchema(schema["items"], depth + 1)
    return item.includes(" ") ? `(${item})[]` : `${item}[]`
  }
  if (isRecord(schema["properties"])) {
    const required = Array.isArray(schema["required"]) ? schema["required"] : []
    const fields = Object.entries(schema["properties"]).map(([name, each]) => `${JSON.stringify(name)}${required.includes(name) ? "" : "?"}: ${shortSchema(each, depth + 1)}`)
    const text = `{${fields.join(", ")}}`
    return text.length > MAX_SHORT_CHARS ? `${text.slice(0, MAX_SHORT_CHARS)}…` : text
  }
  return typesOf(schema).join(" | ") || "any"
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "text", integer: "a whole number", number: "a number", boolean: "true or false", array: "a list", object: "an object", null: "null",
}

const shownValue = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

const fieldOf = (error: ErrorObject): string => {
  const parts = error.instancePath.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
  return parts.reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === "" ? part : `${path}.${part}`), "")
}

const reads = (error: ErrorObject, args: unknown): string => {
  const { params, data } = error
  const field = fieldOf(error)
  const inside = (name: string) => (field === "" ? name : `${field}.${name}`)
  const at = field === "" ? "arguments" : field
  switch (error.keyword) {
    case "required": return `${inside(params["missingProperty"])}: is missing`
    case "additionalProperties": {
      const name: string = params["additionalProperty"]
      const known = isRecord(error.parentSchema?.["properties"]) ? Object.keys(error.parentSchema["properties"]) : []
      return `${inside(name)}: there is no such argument${didYouMean(name, known.filter((each) => !isRecord(args) || !(each in args)))}`
    }
    case "type": return `${at}: must be ${typesOf({ type: params["type"] }).map((type) => TYPE_WORDS[type] ?? type).join(" or ")}, not ${shownValue(data)}`
    case "anyOf":
    case "oneOf": return `${at}: must be ${shortSchema(error.parentSchema)}, not ${shownValue(data)}`
    case "enum": {
      const near = typeof data === "string" ? didYouMean(data, params["allowedValues"].filter((value: unknown) => typeof value === "string")) : ""
      return `${at}: must be one of ${shortSchema({ enum: params["allowedValues"] })}, not ${shownValue(data)}${near}`
    }
    case "const": return `${at}: must be ${shownValue(params["allowedValue"])}, not ${shownValue(data)}`
    case "minItems":
    case "maxItems": return `${at}: ${error.message ?? "has a wrong length"}, has ${Array.isArray(data) ? data.length : 0}`
    case "minLength":
    case "maxLength": return `${at}: ${error.message ?? "has a wrong length"}, has ${typeof data === "string" ? [...data].length : 0}`
    default: return `${at}: ${error.message ?? error.keyword}, not ${shownValue(data)}`
  }
}

/** Every wrong field of `args`, one line each; empty when they fit. */
export const problems = (schema: JsonSchema, args: unknown): ReadonlyArray<string> => {
  if (judge(schema, args) === "fits") return []
  const validate = compiled(schema)
  if (validate(args)) return []
  const errors = validate.errors ?? []
  // The branches of a union each complain; the union's own error says it once.
  const plain = errors.filter((error) => !/\/(anyOf|oneOf)\/\d+\//.test(error.schemaPath))
  const lines = [...new Set((plain.length > 0 ? plain : errors).map((error) => reads(error, args)))]
  return lines.length > MAX_ERRORS ? [...lines.slice(0, MAX_ERRORS), `… ${lines.length - MAX_ERRORS} more`] : lines
}
