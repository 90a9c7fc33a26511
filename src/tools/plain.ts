// A quick yes for arguments that fit: walks the common part of JSON Schema without compiling it. A schema that is narrowed
// for one job would cost ajv 3 ms and more to compile; this costs microseconds. Anything it does not know, and anything
// wrong, is left to ajv (schema.ts), which finds the words; the test holds both to the same verdict.
import type { JsonSchema } from "../job/piece.ts"

/** `unsure`: a keyword or depth that is not known here. */
export type Verdict = "fits" | "wrong" | "unsure"

const ANNOTATIONS = new Set(["description", "title", "default", "examples", "format", "$schema", "$id"])
const MAX_DEPTH = 16

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value)
const isSimple = (value: unknown): boolean => value === null || ["string", "number", "boolean"].includes(typeof value)

const hasType = (type: unknown, value: unknown): Verdict => {
  if (Array.isArray(type)) return some(type.map((each) => hasType(each, value)))
  switch (type) {
    case "string":
    case "boolean": return verdict(typeof value === type)
    case "number": return verdict(typeof value === "number" && Number.isFinite(value))
    case "integer": return verdict(Number.isInteger(value))
    case "array": return verdict(Array.isArray(value))
    case "object": return verdict(isRecord(value))
    case "null": return verdict(value === null)
    default: return "unsure"
  }
}

const verdict = (fits: boolean): Verdict => (fits ? "fits" : "wrong")
const every = (verdicts: ReadonlyArray<Verdict>): Verdict => (verdicts.includes("unsure") ? "unsure" : verdict(!verdicts.includes("wrong")))
const some = (verdicts: ReadonlyArray<Verdict>): Verdict => (verdicts.includes("unsure") ? "unsure" : verdict(verdicts.includes("fits")))

/** Compares where both are numbers; a bound says nothing about another type. */
const bounded = (bound: unknown, value: number | null, holds: (value: number, bound: number) => boolean): Verdict =>
  typeof bound !== "number" ? "unsure" : verdict(value === null || holds(value, bound))

const atLeast = (value: number, bound: number) => value >= bound
const atMost = (value: number, bound: number) => value <= bound
const numberOf = (value: unknown) => (typeof value === "number" ? value : null)
const lengthOf = (value: unknown) => (typeof value === "string" ? [...value].length : null)
const countOf = (value: unknown) => (Array.isArray(value) ? value.length : null)

/** Names that every object seems to have are judged by ajv's own rules. */
const isOrdinary = (name: unknown): name is string => typeof name === "string" && !(name in {})

const judgeKeyword = (schema: JsonSchema, keyword: string, value: unknown, depth: number): Verdict => {
  const rule = schema[keyword]
  switch (keyword) {
    case "type": return hasType(rule, value)
    case "enum": return Array.isArray(rule) && rule.every(isSimple) ? verdict(rule.includes(value)) : "unsure"
    case "const": return isSimple(rule) ? verdict(rule === value) : "unsure"
    case "minimum": return bounded(rule, numberOf(value), atLeast)
    case "maximum": return bounded(rule, numberOf(value), atMost)
    case "minLength": return bounded(rule, lengthOf(value), atLeast)
    case "maxLength": return bounded(rule, lengthOf(value), atMost)
    case "minItems": return bounded(rule, countOf(value), atLeast)
    case "maxItems": return bounded(rule, countOf(value), atMost)
    case "items": return isRecord(rule) ? every(Array.isArray(value) ? value.map((each) => judge(rule, each, depth + 1)) : []) : "unsure"
    case "anyOf": return Array.isArray(rule) ? some(rule.map((each) => (isRecord(each) ? judge(each, value, depth + 1) : "unsure"))) : "unsure"
    case "required": return Array.isArray(rule) && rule.every(isOrdinary) ? verdict(!isRecord(value) || rule.every((name) => value[name] !== undefined)) : "unsure"
    case "properties": {
      if (!isRecord(rule)) return "unsure"
      return every(Object.entries(rule).map(([name, each]) => !isOrdinary(name) || !isRecord(each) ? "unsure" : isRecord(value) && value[name] !== undefined ? judge(each, value[name], depth + 1) : "fits"))
    }
    case "additionalProperties": {
      if (rule !== false) return rule === true ? "fits" : "unsure"
      const known = isRecord(schema["properties"]) ? schema["properties"] : {}
      return verdict(!isRecord(value) || Object.keys(value).every((name) => Object.hasOwn(known, name)))
    }
    default: return ANNOTATIONS.has(keyword) ? "fits" : "unsure"
  }
}

/** Whether a value fits a schema, as far as can be told without ajv. */
export const judge = (schema: JsonSchema, value: unknown, depth = 0): Verdict =>
  depth > MAX_DEPTH ? "unsure" : every(Object.keys(schema).map((keyword) => judgeKeyword(schema, keyword, value, depth)))
