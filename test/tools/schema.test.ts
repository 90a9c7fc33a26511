import { describe, expect, it } from "vitest"
import { problems, schemaProblem, shortSchema, typesOf } from "../../src/tools/schema.ts"

const schema = {
  type: "object",
  properties: {
    path: { type: "string", minLength: 1 }, limit: { type: "integer", minimum: 1 }, deep: { type: "boolean" },
    content: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string", maxLength: 5 }, minItems: 2 }] },
    mode: { enum: ["fast", "slow"] }, nested: { type: "object", properties: { a: { type: "number" } }, required: ["a"], additionalProperties: false },
  },
  required: ["path"], additionalProperties: false,
}

describe("what is wrong with arguments", () => {
  it.each([
    [{ path: "a" }, []],
    [{ path: "a", limit: 3, deep: false, content: ["a", "b"], mode: "slow", nested: { a: 1.5 } }, []],
    [{}, ["path: is missing"]],
    [{ path: 3, limit: 1.5 }, ["path: must be text, not 3", "limit: must be a whole number, not 1.5"]],
    [{ path: "", limit: 0 }, ["path: must NOT have fewer than 1 characters, has 0", "limit: must be >= 1, not 0"]],
    [{ path: "a", limits: 3 }, ['limits: there is no such argument; did you mean "limit"?']],
    [{ path: "a", content: 7 }, ["content: must be string | string[], not 7"]],
    [{ path: "a", mode: "fsat" }, ['mode: must be one of "fast" | "slow", not "fsat"; did you mean "fast"?']],
    [{ path: "a", nested: { c_long: 1 } }, ["nested.a: is missing", "nested.c_long: there is no such argument"]],
    ["text", ["arguments: must be an object, not \"text\""]],
  ])("%j", (args, expected) => {
    expect([...problems(schema, args)].sort()).toEqual([...expected].sort())
  })

  it("names items by their place and bounds a long list of errors", () => {
    const lines = { type: "object", properties: { lines: { type: "array", items: { type: "string", maxLength: 3 }, maxItems: 2 } } }
    expect(problems(lines, { lines: ["abc", "abcd"] })).toEqual(["lines[1]: must NOT have more than 3 characters, has 4"])
    expect(problems(lines, { lines: ["a", "b", "c"] })).toEqual(["lines: must NOT have more than 2 items, has 3"])
    expect(problems(lines, { lines: Array.from({ length: 50 }, () => 1) }).length).toBe(11)
  })

  it("a pattern is judged in linear time, and one that only the built-in engine knows still works", () => {
    const hostile = { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" }, b: { type: "string", pattern: "^(?=x)x$" } } }
    const started = performance.now()
    expect(problems(hostile, { a: `${"a".repeat(20_000)}b` })[0]).toContain("a: must match pattern")
    expect(performance.now() - started).toBeLessThan(500)
    expect(problems(hostile, { a: "aaa", b: "x" })).toEqual([])
    expect(problems(hostile, { b: "y" }).length).toBe(1)
  })

  it("schemas of different servers with the same identifier do not disturb each other", () => {
    const one = { $id: "https://example.org/tool", $schema: "https://json-schema.org/draft/2020-12/schema", type: "object", required: ["a"] }
    const two = { ...one, required: ["b"] }
    expect(problems(one, { b: 1 })).toEqual(["a: is missing"])
    expect(problems(two, { b: 1 })).toEqual([])
    expect(problems({ ...two }, { a: 1 })).toEqual(["b: is missing"])
  })

  it("follows references inside a schema, and says when a schema cannot be used", () => {
    const refs = { type: "object", properties: { a: { $ref: "#/$defs/n" } }, $defs: { n: { type: "number" } } }
    expect(problems(refs, { a: "x" })).toEqual(['a: must be a number, not "x"'])
    expect(schemaProblem(refs)).toBeNull()
    expect(schemaProblem({ type: "object", properties: { a: { $ref: "#/nowhere" } } })).toContain("nowhere")
    expect(schemaProblem({ properties: { a: { pattern: "(" } } })).not.toBeNull()
  })

  it("many different schemas do not pile up", () => {
    for (let n = 0; n < 600; n++) expect(problems({ type: "object", required: [`field_${n}`] }, {})).toEqual([`field_${n}: is missing`])
  })
})

describe("a schema in short", () => {
  it.each([
    [schema, '{"path": string, "limit"?: integer, "deep"?: boolean, "content"?: string | string[], "mode"?: "fast" | "slow", "nested"?: {"a": number}}'],
    [{}, "any"], [true, "any"], [{ const: 3 }, "3"], [{ type: ["string", "null"] }, "string | null"], [{ type: "array", items: { enum: ["a", "b"] } }, '("a" | "b")[]'],
    [{ enum: Array.from({ length: 20 }, (_, n) => n) }, "0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | …"],
  ])("%j", (each, expected) => {
    expect(shortSchema(each)).toBe(expected)
  })

  it("is bounded", () => {
    expect(shortSchema({ properties: Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`field_${n}`, {}])) }).length).toBeLessThan(1600)
    expect(typesOf({ oneOf: [{ type: "string" }, { type: ["number", "null"] }] })).toEqual(["string", "number", "null"])
  })
})
