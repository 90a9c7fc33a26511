import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { checkArguments, coerced, parseArguments } from "../../src/tools/arguments.ts"
import { Read } from "../../src/tools/Read.ts"
import { unnarrowed, type NarrowedTool } from "../../src/tools/Toolbox.ts"
import { Write } from "../../src/tools/Write.ts"

const parsed = (text: string) => {
  const result = parseArguments(text)
  return result.ok ? { args: result.args, repaired: result.repaired } : result.error
}
const whole = (args: unknown) => ({ args, repaired: false })
const mended = (args: unknown) => ({ args, repaired: true })

describe("parsing the argument text", () => {
  it("takes any object as it stands", () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (args) => {
      expect(parsed(JSON.stringify(args))).toEqual(whole(JSON.parse(JSON.stringify(args))))
    }))
    expect(parsed("")).toEqual(whole({}))
    expect(parsed("  \n")).toEqual(whole({}))
  })

  it.each([
    ['{"path": "a",}', { path: "a" }], ["{'path': 'a'}", { path: "a" }], ['{path: "a"}', { path: "a" }], ['```json\n{"path": "a"}\n```', { path: "a" }],
    ['{"path": "a"', { path: "a" }], ['{"lines": ["a", "b"', { lines: ["a", "b"] }], ['{"all": True, "none": None}', { all: true, none: null }],
    ['{"content": "two\nlines"}', { content: "two\nlines" }], ['"{\\"path\\": \\"a\\"}"', { path: "a" }], ['{"path": "a" "limit": 3}', { path: "a", limit: 3 }],
    ['{"content": "he said "hi, you" to me"}', { content: 'he said "hi, you" to me' }], ['{"a": "x\\ty\n\\u00e9", b: \'it\\"s\'}', { a: "x\ty\né", b: 'it"s' }],
  ])("mends %j", (text, args) => {
    expect(parsed(text)).toEqual(mended(args))
  })

  it.each([
    ['{"path": "output/a.md", "content": "half a sent', "break off"], ['{"limit": 12', "break off"], ['{"path": "a", "content": ', "break off"], ['{"path"', "not valid JSON"],
    ["[1, 2]", "not a JSON object"], ["3", "not a JSON object"], ['"text"', "not a JSON object"], ["null", "not a JSON object"], ['{"a": 1} {"b": 2}', "not valid JSON"],
    ['{"content": "x" /* and */ }', "not valid JSON"], ["Read the file}", "not valid JSON"],
  ])("gives %j back", (text, why) => {
    expect(parsed(text)).toContain(why)
  })

  it("never accepts a text that was cut inside a string, and never changes a letter", () => {
    const args = fc.record({ path: fc.string({ unit: "grapheme", minLength: 1 }), content: fc.string({ unit: "grapheme", minLength: 1 }) })
    fc.assert(fc.property(args, fc.nat(), (value, at) => {
      const text = JSON.stringify(value)
      const result = parseArguments(text.slice(0, at % text.length))
      if (result.ok) for (const [name, given] of Object.entries(result.args)) expect([name, given]).toEqual([name, value[name as "path" | "content"]])
    }), { numRuns: 2000 })
  })

  it("hostile text is answered quickly", () => {
    const started = performance.now()
    const texts = ["{".repeat(100_000), `{"a": ${"[".repeat(100_000)}`, `{"a": "${"\\".repeat(100_001)}`, `{"a": ${"'".repeat(30_001)}x}`, `{"a":${" ".repeat(200_000)}}`, `{${"a:b,".repeat(8_000)}}`]
    for (const text of texts) parseArguments(text)
    expect(performance.now() - started).toBeLessThan(2000)
    expect(parsed(`{"a": "${"x".repeat(13 * 1024 * 1024)}"}`)).toContain("more than")
  })
})

describe("values of another type that are plainly meant", () => {
  const schema = {
    type: "object", required: ["must"],
    properties: {
      n: { type: "integer" }, x: { type: "number" }, b: { type: "boolean" }, s: { type: "string" }, list: { type: "array", items: { type: "string" } }, numbers: { type: "array", items: { type: "number" } },
      o: { type: "object" }, either: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] }, nullable: { type: ["string", "null"] }, must: {},
    },
  }

  it.each([
    [{ n: "3" }, { n: 3 }], [{ n: " -12 " }, { n: -12 }], [{ x: "1.5" }, { x: 1.5 }], [{ b: "True" }, { b: true }], [{ s: 7 }, { s: "7" }], [{ s: true }, { s: "true" }], [{ s: ["a", "b"] }, { s: "a\nb" }],
    [{ list: "a\nb\n" }, { list: ["a", "b"] }], [{ list: '["a","b"]' }, { list: ["a", "b"] }], [{ list: "one" }, { list: ["one"] }], [{ o: '{"a":1}' }, { o: { a: 1 } }],
    [{ numbers: "[1,2]" }, { numbers: [1, 2] }], [{ n: null, must: null, nullable: null }, { must: null, nullable: null }],
    [{ n: "three" }, { n: "three" }], [{ n: "" }, { n: "" }], [{ n: "1e999" }, { n: "1e999" }], [{ b: 1 }, { b: 1 }], [{ s: { a: 1 } }, { s: { a: 1 } }], [{ either: "a\nb" }, { either: "a\nb" }],
    [{ unknown: "3" }, { unknown: "3" }], [{ numbers: "1" }, { numbers: "1" }],
  ])("%j is %j", (args, expected) => {
    expect(coerced(schema, args)).toEqual(expected)
  })
})

describe("checking a call", () => {
  it("names every wrong field and shows the arguments", () => {
    expect(checkArguments(unnarrowed(Read), '{"pth": "a", "limit": "many"}')).toEqual({
      ok: false,
      error: 'Read was not run:\n- path: is missing\n- pth: there is no such argument; did you mean "path"?\n- limit: must be a whole number, not "many"\nArguments of Read: {"path": string, "offset"?: integer, "limit"?: integer}',
    })
    expect(checkArguments(unnarrowed(Read), "{{{")).toMatchObject({ ok: false })
  })

  it("says when it mended something", () => {
    expect(checkArguments(unnarrowed(Read), '{"path": "a", "limit": 3}')).toEqual({ ok: true, args: { path: "a", limit: 3 }, repaired: false })
    expect(checkArguments(unnarrowed(Read), '{"path": "a", "limit": "3", "offset": null}')).toEqual({ ok: true, args: { path: "a", limit: 3 }, repaired: true })
  })

  const narrowed: NarrowedTool = {
    tool: Write,
    schema: { type: "object", properties: { content: { type: "array", items: { type: "string", maxLength: 10 }, minItems: 2, maxItems: 2 } }, required: ["content"], additionalProperties: false },
    fixed: { path: "output/summary.md" },
  }

  it("puts fixed values over whatever the model gave", () => {
    const args = { path: "output/summary.md", content: ["a", "b"] }
    expect(checkArguments(narrowed, '{"content": ["a", "b"]}')).toEqual({ ok: true, args, repaired: false })
    expect(checkArguments(narrowed, '{"path": "../../etc/passwd", "content": ["a", "b"]}')).toEqual({ ok: true, args, repaired: false })
    expect(checkArguments(narrowed, '{"content": "a\\nb"}')).toEqual({ ok: true, args, repaired: true })
  })

  it("holds the model to what the movement allows", () => {
    expect(checkArguments(narrowed, '{"content": ["a", "b", "c"]}')).toMatchObject({ ok: false, error: expect.stringContaining("content: must NOT have more than 2 items, has 3") })
    expect(checkArguments(narrowed, '{"content": ["a", "much too long a line"]}')).toMatchObject({ ok: false, error: expect.stringContaining("content[1]") })
    const judged: NarrowedTool = { ...narrowed, validateSchema: { type: "object", required: ["other"] } }
    expect(checkArguments(judged, '{"content": ["a", "b"]}')).toMatchObject({ ok: false, error: expect.stringContaining("other: is missing") })
  })

  it("arguments named like parts of an object do no harm", () => {
    const result = checkArguments(unnarrowed(Read), '{"path": "a", "__proto__": {"limit": 1}, "constructor": 1}')
    expect(result).toMatchObject({ ok: false })
    expect(({} as Record<string, unknown>)["limit"]).toBeUndefined()
  })
})
