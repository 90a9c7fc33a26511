// From the model's argument text to checked arguments (P11, P15). Broken JSON is repaired where only punctuation was
// wrong: a text that breaks off, or whose repair would change what it says, goes back to the model instead, because a
// half-written file is worse than another turn. What a piece fixed stands over what the model gave.
import { createRequire } from "node:module"
import type { jsonrepair as Repair } from "jsonrepair"
import type { JsonSchema } from "../job/piece.ts"
import { problems, shortSchema, typesOf } from "./schema.ts"
import type { NarrowedTool } from "./Toolbox.ts"

export type Arguments = Readonly<Record<string, unknown>>
export type Parsed =
  | { readonly ok: true; readonly args: Arguments; readonly repaired: boolean }
  | { readonly ok: false; readonly error: string }

const MAX_TEXT_CHARS = 12 * 1024 * 1024
/** A repair takes time that grows with the square of a hostile text. */
const MAX_REPAIR_CHARS = 32 * 1024
const MAX_REPAIRED_STRINGS = 1000

const isRecord = (value: unknown): value is Arguments => typeof value === "object" && value !== null && !Array.isArray(value)
const tried = (parse: () => unknown): unknown => {
  try {
    return parse()
  } catch {
    return undefined // not JSON: the caller says so
  }
}

/** True when the text stops inside a string or right after something that may be half a value. */
const breaksOff = (text: string): boolean => {
  let inside = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === "\\") at++
    else if (character === '"') inside = !inside
  }
  return inside || !/(["'\]}]|true|false|null),?$/i.test(text)
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" }
const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-f]{4})|(.))/gis, (_, code: string | undefined, plain: string) => (code === undefined ? ESCAPES[plain] ?? plain : String.fromCharCode(Number.parseInt(code, 16))))

/** A text without the punctuation that a repair may change; `None` and `null` are the same word to it. */
const letters = (text: string): string => unescaped(text).replace(/[\s\p{Cc}"'`{}[\],:\\]/gu, "").toLowerCase().replaceAll("none", "null")

const stringsIn = (value: unknown): Array<string> =>
  typeof value === "string" ? [value] : typeof value === "object" && value !== null ? Object.entries(value).flatMap(([name, each]) => [name, ...stringsIn(each)]) : []

/** True when a repair lost and invented no letter, and every text of it stands in the original as it is. */
const isFaithful = (repaired: Arguments, original: string): boolean => {
  if (letters(JSON.stringify(repaired)) !== letters(original)) return false
  const strings = stringsIn(repaired)
  const plain = unescaped(original)
  return strings.length <= MAX_REPAIRED_STRINGS && strings.every((text) => /^\d+$/.test(text) || plain.includes(text))
}

/** Parses the argument text of a call; a text that cannot be an object of arguments gives the reason. */
export const parseArguments = (text: string): Parsed => {
  const trimmed = text.trim().replace(/^```(?:json)?\s*\n?([\s\S]*?)\n?```$/, "$1").trim()
  if (trimmed === "") return { ok: true, args: {}, repaired: false }
  if (trimmed.length > MAX_TEXT_CHARS) return { ok: false, error: `the arguments have ${trimmed.length} characters, more than ${MAX_TEXT_CHARS}` }
  const plain = tried(() => JSON.parse(trimmed))
  if (isRecord(plain)) return { ok: true, args: plain, repaired: trimmed !== text.trim() }
  if (typeof plain === "string") {
    const inner = tried(() => JSON.parse(plain)) // encoded twice
    if (isRecord(inner)) return { ok: true, args: inner, repaired: true }
  }
  if (plain !== undefined) return { ok: false, error: "the arguments are not a JSON object" }
  if (breaksOff(trimmed)) return { ok: false, error: "the arguments break off before their end; send the whole call again, with less text if it was too long" }
  if (trimmed.length > MAX_REPAIR_CHARS) return { ok: false, error: "the arguments are not valid JSON" }
  const { jsonrepair } = createRequire(import.meta.url)("jsonrepair") as { readonly jsonrepair: typeof Repair }
  const repaired = tried(() => JSON.parse(jsonrepair(trimmed)))
  if (!isRecord(repaired) || !isFaithful(repaired, trimmed)) return { ok: false, error: "the arguments are not valid JSON" }
  return { ok: true, args: repaired, repaired: true }
}

const typeOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value)

/** `value` as the type that was plainly meant, or itself. */
const meant = (value: unknown, schema: unknown): unknown => {
  const types = typesOf(schema)
  if (types.length === 0 || types.includes(typeOf(value)) || (typeof value === "number" && types.includes("integer"))) return value
  if (typeof value === "string") {
    const text = value.trim()
    if (types.includes("number") || types.includes("integer")) {
      if (/^[-+]?\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text)
    }
    if (types.includes("boolean") && /^(true|false)$/i.test(text)) return text.toLowerCase() === "true"
    const parsed = /^[[{]/.test(text) ? tried(() => JSON.parse(text)) : undefined
    if (types.includes(typeOf(parsed))) return parsed
    if (types.includes("array") && isRecord(schema) && isRecord(schema["items"]) && typesOf(schema["items"]).includes("string")) return value.replace(/\n$/, "").split("\n")
  } else if (types.includes("string")) {
    if (typeof value === "number" || typeof value === "boolean") return String(value)
    if (Array.isArray(value) && value.every((line) => typeof line === "string")) return value.join("\n")
  }
  return value
}

/** Arguments with each value as the type that was plainly meant, and without nulls for arguments that may be left out. */
export const coerced = (schema: JsonSchema, args: Arguments): Arguments => {
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {}
  const required = Array.isArray(schema["required"]) ? schema["required"] : []
  const kept = Object.entries(args).filter(([name, value]) => value !== null || required.includes(name) || typesOf(properties[name]).includes("null"))
  return Object.fromEntries(kept.map(([name, value]) => [name, Object.hasOwn(properties, name) ? meant(value, properties[name]) : value]))
}

const refusal = (name: string, schema: JsonSchema, wrong: ReadonlyArray<string>): string =>
  [`${name} was not run:`, ...wrong.map((line) => `- ${line}`), `Arguments of ${name}: ${shortSchema(schema)}`].join("\n")

/**
 * The arguments of a call, ready for the tool: parsed, checked against what the movement offers, with fixed values put in.
 * An error names every wrong field and shows the schema.
 */
export const checkArguments = (offered: NarrowedTool, text: string): Parsed => {
  const { tool, schema, fixed } = offered
  const parsed = parseArguments(text)
  if (!parsed.ok) return { ok: false, error: refusal(tool.name, schema, [parsed.error]) }
  const given = Object.fromEntries(Object.entries(parsed.args).filter(([name]) => !Object.hasOwn(fixed, name)))
  const judge = offered.validateSchema ?? schema
  const wrong = problems(judge, given)
  if (wrong.length === 0) return { ok: true, args: { ...given, ...fixed }, repaired: parsed.repaired }
  const better = coerced(judge, given)
  return problems(judge, better).length === 0
    ? { ok: true, args: { ...better, ...fixed }, repaired: true }
    : { ok: false, error: refusal(tool.name, schema, wrong) }
}
