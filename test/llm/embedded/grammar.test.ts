import { Ajv2020 } from "ajv/dist/2020.js"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { gbnf } from "../../../src/llm/embedded/gbnf.ts"
import { callGrammar, schemaGrammar } from "../../../src/llm/embedded/grammar.ts"
import { Matcher } from "../../../src/llm/embedded/match.ts"
import { randomText, schemas } from "./schemas.ts"

const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: false })
const must = <A>(value: A | null | undefined): A => {
  if (value === null || value === undefined) throw new Error("expected a value")
  return value
}
const accepts = (schema: object, text: string): boolean => {
  const matcher = new Matcher(must(schemaGrammar({ ...schema })))
  return matcher.read(text) && matcher.complete
}

describe("the grammar of a JSON Schema", () => {
  it("makes only texts that are JSON and satisfy the schema", () => {
    fc.assert(fc.property(schemas, fc.infiniteStream(fc.nat()), (schema, stream) => {
      const grammar = schemaGrammar(schema)
      if (grammar === null) return
      const validate = ajv.compile(schema)
      const pick = (n: number) => (stream.next().value ?? 0) % n
      for (let i = 0; i < 4; i++) {
        const text = randomText(grammar, pick)
        const value: unknown = JSON.parse(text)
        if (!validate(value)) throw new Error(`${text} does not satisfy ${JSON.stringify(schema)}: ${ajv.errorsText(validate.errors)}`)
      }
    }), { numRuns: 600 })
  })

  it("is matched by its own texts, and every beginning of one can be completed to a valid value", () => {
    fc.assert(fc.property(schemas, fc.infiniteStream(fc.nat()), fc.double({ min: 0, max: 1, noNaN: true }), (schema, stream, cut) => {
      const grammar = schemaGrammar(schema)
      if (grammar === null) return
      const text = randomText(grammar, (n) => (stream.next().value ?? 0) % n)
      const whole = new Matcher(grammar)
      expect(whole.read(text)).toBe(true)
      expect(whole.complete).toBe(true)
      const begun = new Matcher(grammar)
      const points = [...text]
      const start = points.slice(0, Math.floor(points.length * cut)).join("")
      expect(begun.read(start)).toBe(true)
      const closed = start + must(begun.completion())
      const value: unknown = JSON.parse(closed)
      if (!ajv.compile(schema)(value)) throw new Error(`${closed} does not satisfy ${JSON.stringify(schema)}`)
    }), { numRuns: 400 })
  })

  it("keeps lengths exact, in code points", () => {
    const schema = { type: "string", minLength: 2, maxLength: 3 }
    expect(["\"ab\"", "\"abc\"", "\"😀😀\"", "\"a\\n\\\"\""].map((text) => accepts(schema, text))).toEqual([true, true, true, true])
    expect(["\"a\"", "\"abcd\"", "\"a\nb\"", "\"ab"].map((text) => accepts(schema, text))).toEqual([false, false, false, false])
  })

  it("keeps long counts exact and bounded in the notation of the sampler", () => {
    const grammar = must(schemaGrammar({ type: "string", minLength: 1200, maxLength: 2600 }))
    for (const [length, ok] of [[1199, false], [1200, true], [2600, true], [2601, false]] as const) {
      const matcher = new Matcher(grammar)
      expect([length, matcher.read(`"${"x".repeat(length)}"`) && matcher.complete]).toEqual([length, ok])
    }
    const counts = [...gbnf(grammar).matchAll(/\{(\d*),?(\d*)\}/g)].flatMap((m) => [Number(m[1]), Number(m[2])])
    expect(Math.max(...counts)).toBeLessThanOrEqual(2000)
  })

  it("writes numbers within their bounds and none outside", () => {
    for (const [min, max] of [[-12, 345], [7, 7], [0, 1000], [-20, -3], [99, 101], [-1, 0]] as const) {
      const wrong: Array<number> = []
      for (let n = min - 15; n <= max + 15; n++) if (accepts({ type: "integer", minimum: min, maximum: max }, String(n)) !== (n >= min && n <= max)) wrong.push(n)
      expect(wrong).toEqual([])
    }
    expect(schemaGrammar({ type: "integer", minimum: 3, maximum: 2 })).toBeNull()
    expect(accepts({ type: "integer", multipleOf: 5, minimum: 0, maximum: 20 }, "15")).toBe(true)
    expect(accepts({ type: "integer", multipleOf: 5, minimum: 0, maximum: 20 }, "14")).toBe(false)
    expect(accepts({ type: "number", minimum: 0.25, maximum: 0.75 }, "0.5")).toBe(true)
  })

  it("merges what a piece narrows with the tool's own schema", () => {
    const own = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] }
    const narrow = { type: "array", items: { type: "string", maxLength: 3 }, minItems: 2, maxItems: 2 }
    for (const schema of [{ allOf: [own, narrow] }, { ...own, ...narrow }]) {
      expect(accepts(schema, "[\"abc\", \"d\"]")).toBe(true)
      expect(["\"abc\"", "[\"abc\"]", "[\"abcd\", \"d\"]"].map((text) => accepts(schema, text))).toEqual([false, false, false])
    }
    expect(accepts({ allOf: [{ type: "string" }, { enum: ["a", 1] }] }, "\"a\"")).toBe(true)
    expect(schemaGrammar({ allOf: [{ type: "string" }, { enum: [1] }] })).toBeNull()
    expect(schemaGrammar({ allOf: [{ const: "a" }, { const: "b" }] })).toBeNull()
  })

  it("follows local references, recursive ones too", () => {
    const schema = {
      $defs: { tree: { type: "object", properties: { value: { type: "integer" }, next: { $ref: "#/$defs/tree" } }, required: ["value"], additionalProperties: false } },
      $ref: "#/$defs/tree",
    }
    expect(accepts(schema, "{\"value\": 1, \"next\": {\"value\": 2, \"next\": {\"value\": 3}}}")).toBe(true)
    expect(accepts(schema, "{\"value\": 1, \"next\": {}}")).toBe(false)
  })

  it("leaves optional properties out in any combination, in the schema's order", () => {
    const schema = { type: "object", properties: { a: { const: 1 }, b: { const: 2 }, c: { const: 3 } }, required: ["b"] }
    expect(["{\"b\": 2}", "{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"c\": 3}", "{\"a\": 1, \"b\": 2, \"c\": 3}"].map((text) => accepts(schema, text))).toEqual([true, true, true, true])
    expect(["{}", "{\"a\": 1}", "{\"b\": 2, \"a\": 1}", "{, \"b\": 2}"].map((text) => accepts(schema, text))).toEqual([false, false, false, false])
    expect(accepts({ type: "object", properties: { a: { enum: [] }, b: { const: 2 } }, required: ["b"] }, "{\"b\": 2}")).toBe(true)
    expect(schemaGrammar({ type: "object", properties: { a: { enum: [] } }, required: ["a"] })).toBeNull()
  })

  it("falls back to plain text for an expression outside its subset", () => {
    expect(accepts({ type: "string", pattern: "^(?=x).+$" }, "\"anything\"")).toBe(true)
    expect(accepts({ type: "string", pattern: "^[a-c]{2}$" }, "\"ab\"")).toBe(true)
    expect(accepts({ type: "string", pattern: "^[a-c]{2}$" }, "\"ad\"")).toBe(false)
  })
})

describe("the grammar of a tool call", () => {
  const read = { name: "Read", parameters: { type: "object", properties: { path: { enum: ["a.txt"] } }, required: ["path"] } }
  const write = { name: "Write", parameters: { type: "object", properties: { content: { type: "string", maxLength: 5 } }, required: ["content"] } }
  const dead = { name: "Dead", parameters: { type: "object", properties: { path: { enum: [] } }, required: ["path"] } }
  const ok = (tools: ReadonlyArray<typeof read | typeof write | typeof dead>, text: string, named = false) => {
    const matcher = new Matcher(must(callGrammar(tools, "arguments", named)))
    return matcher.read(text) && matcher.complete && matcher.ended
  }

  it("lets the model choose among the tools and ends after the closing brace", () => {
    expect(ok([read, write], " \"Read\", \"arguments\": {\"path\": \"a.txt\"}}")).toBe(true)
    expect(ok([read, write], " \"Write\", \"arguments\": {\"content\": \"hi\"}}")).toBe(true)
    expect(ok([read, write], " \"Delete\", \"arguments\": {}}")).toBe(false)
    expect(ok([write], " {\"content\": \"hi\"}}", true)).toBe(true)
  })

  it("leaves out a tool that nothing can satisfy, and is null when none is left", () => {
    expect(ok([dead, read], " \"Read\", \"arguments\": {\"path\": \"a.txt\"}}")).toBe(true)
    expect(ok([dead, read], " \"Dead\", \"arguments\": {}}")).toBe(false)
    expect(callGrammar([dead], "arguments", false)).toBeNull()
    expect(callGrammar([], "arguments", false)).toBeNull()
  })
})
