// Narrowing (P15): from a `tools` entry and the tool's own schema to what the model is offered and what its calls are judged
// by. Placeholders in `enum` and `with` stand for the files and names of this moment. The offered schema is one plain form,
// for grammars; the judging one holds the tool's and the piece's schema in full. An enum has 64 values at most. Pure.
import type { OfferedTool } from "../agent/offered.ts"
import type { JsonSchema, ToolEntry } from "../job/piece.ts"
import type { Tool } from "../tools/Tool.ts"
import { MAX_VALUES, namedOutputs } from "./named.ts"

export interface NarrowContext {
  /** Paths relative to the workspace, in the order in which they are to be offered. */
  readonly files: ReadonlyArray<string>
  /** The task's instruction. */
  readonly task: string
}

/** Stands where nothing may be chosen; no call with it is let through. */
export const NOTHING_MATCHES = "(no file matches)"

const isRecord = (value: unknown): value is JsonSchema => typeof value === "object" && value !== null && !Array.isArray(value)

/** The values that a placeholder stands for, or null when the text is none. */
export const placeholderValues = (text: string, context: NarrowContext): ReadonlyArray<string> | null => {
  if (text === "{files_named:task}") return namedOutputs(context.task)
  const [, glob] = /^\{files:([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}$/.exec(text) ?? []
  if (glob === undefined) return null
  const pattern = new Bun.Glob(glob.replace(/^\.\//, ""))
  return context.files.filter((file) => pattern.match(file))
}

const expandEnum = (values: unknown, context: NarrowContext): ReadonlyArray<unknown> =>
  [...new Set((Array.isArray(values) ? values : [values]).flatMap((value) => (typeof value === "string" ? placeholderValues(value, context) ?? [value] : [value])))].slice(0, MAX_VALUES)

/** A schema with the placeholders of its enums filled in, however deep they stand. Only the topmost enum can come out empty. */
const expandSchema = (schema: unknown, context: NarrowContext, top = false): unknown => {
  if (Array.isArray(schema)) return schema.map((item) => expandSchema(item, context))
  if (!isRecord(schema)) return schema
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => {
    if (key !== "enum") return [key, expandSchema(value, context)]
    const values = expandEnum(value, context)
    return [key, values.length === 0 && !top ? [NOTHING_MATCHES] : values]
  }))
}

/** A placeholder in `with` stands for its first value; text around it stays. */
const expandFixed = (value: unknown, context: NarrowContext): unknown => {
  if (Array.isArray(value)) return value.map((item) => expandFixed(item, context))
  if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expandFixed(item, context)]))
  return typeof value === "string" ? placeholderValues(value, context)?.[0] ?? value : value
}

const TIGHTER: Readonly<Record<string, (a: number, b: number) => number>> = {
  minLength: Math.max, maxLength: Math.min, minItems: Math.max, maxItems: Math.min, minimum: Math.max, maximum: Math.min, minProperties: Math.max, maxProperties: Math.min,
}

const equal = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

const mergeKey = (key: string, own: unknown, narrow: unknown): unknown => {
  const tighter = TIGHTER[key]
  if (tighter !== undefined && typeof own === "number" && typeof narrow === "number") return tighter(own, narrow)
  if (key === "enum" && Array.isArray(own) && Array.isArray(narrow)) return narrow.filter((value) => own.some((o) => equal(o, value)))
  return (key === "items" || key === "additionalProperties") && isRecord(own) && isRecord(narrow) ? mergeSchemas(own, narrow) : narrow
}

const typeNames = (schema: JsonSchema): ReadonlyArray<unknown> => (Array.isArray(schema["type"]) ? schema["type"] : schema["type"] === undefined ? [] : [schema["type"]])

/** The branch of a union that the narrowing means: the one of its type. */
const branchOf = (own: JsonSchema, narrow: JsonSchema): JsonSchema => {
  const branches = own["anyOf"] ?? own["oneOf"]
  const wanted = typeNames(narrow)
  if (!Array.isArray(branches) || wanted.length !== 1) return own
  const fitting = branches.filter(isRecord).filter((branch) => typeNames(branch).includes(wanted[0]))
  const { anyOf: _any, oneOf: _one, ...rest } = own
  return fitting.length === 1 ? { ...rest, ...fitting[0] } : own
}

/** Both schemas as one plain one, as far as that can be said without `allOf`. */
export const mergeSchemas = (own: JsonSchema, narrow: JsonSchema): JsonSchema => {
  const base = branchOf(own, narrow)
  return { ...base, ...Object.fromEntries(Object.entries(narrow).map(([key, value]) => [key, key in base ? mergeKey(key, base[key], value) : value])) }
}

const requiredOf = (schema: JsonSchema): ReadonlyArray<string> => (Array.isArray(schema["required"]) ? schema["required"].filter((name) => typeof name === "string") : [])

/** The tool as this movement offers it now. Arguments that the tool does not have are lint's to find; here they stay out of its schema. */
export const narrowTool = (tool: Tool, entry: ToolEntry, context: NarrowContext): OfferedTool => {
  const own = isRecord(tool.input["properties"]) ? tool.input["properties"] : {}
  const fixed = Object.fromEntries(Object.entries(entry.with).map(([name, value]) => [name, expandFixed(value, context)]))
  const offered: Record<string, unknown> = {}
  const judged: Record<string, unknown> = {}
  let required = requiredOf(tool.input).filter((name) => !Object.hasOwn(fixed, name))
  let once: OfferedTool["once"] = entry.once ? { arg: null, values: [] } : null
  let empty = false
  for (const [name, schema] of Object.entries(own)) {
    if (Object.hasOwn(fixed, name)) continue
    const narrowing = Object.hasOwn(entry.narrow, name) ? entry.narrow[name] : undefined
    if (narrowing === undefined || !isRecord(schema)) {
      offered[name] = judged[name] = schema
      continue
    }
    const narrow = expandSchema(narrowing, context, true) as JsonSchema
    let merged = mergeSchemas(schema, narrow)
    const values = merged["enum"]
    if (Array.isArray(values)) {
      if (entry.once && once?.arg === null) once = { arg: name, values }
      if (!required.includes(name) && entry.once) required = [...required, name]
      if (values.length === 0) {
        empty = true
        merged = { ...merged, enum: [NOTHING_MATCHES] }
      }
    }
    offered[name] = merged
    judged[name] = { ...merged, allOf: [schema, narrow] }
  }
  const form = (properties: Record<string, unknown>): JsonSchema => ({ ...tool.input, properties, required })
  return { tool, schema: form(offered), validateSchema: empty ? { ...form(offered), not: {} } : form(judged), fixed, once }
}
