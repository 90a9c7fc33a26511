import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { charOf, spaced } from "../../../src/llm/embedded/json.ts"
import { complement, inRanges, intersect, tidy, type Ranges } from "../../../src/llm/embedded/nodes.ts"
import { decimals, integers } from "../../../src/llm/embedded/numbers.ts"
import { FORMATS, patternNode } from "../../../src/llm/embedded/pattern.ts"
import { alternatives, follow, literals, typesOf } from "../../../src/llm/embedded/schema.ts"
import { isRecord, messageOf } from "../../../src/llm/embedded/values.ts"

const ranges = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 40 })).map(([from, width]) => [from, from + width] as const), { maxLength: 5 })

describe("sets of characters", () => {
  it("are joined, cut and turned round without losing one", () => {
    fc.assert(fc.property(ranges, ranges, fc.integer({ min: 0, max: 400 }), (a: Ranges, b: Ranges, point) => {
      const [inA, inB] = [inRanges(a, point), inRanges(b, point)]
      expect(inRanges(tidy(a), point)).toBe(inA)
      expect(inRanges(intersect(a, b), point)).toBe(inA && inB)
      expect(inRanges(complement(a), point)).toBe(!inA)
    }), { numRuns: 500 })
    expect(inRanges(complement([]), 0xd800)).toBe(false)
  })

  it("that cannot be written in JSON are none", () => {
    expect(charOf([[0, 7]])).toBeNull()
    expect(charOf([[10, 10]])).not.toBeNull()
  })
})

describe("JSON in the style of the templates", () => {
  it("is the same value with spaces", () => {
    expect(spaced({ a: [1, "x\n"], b: { c: null } })).toBe("{\"a\": [1, \"x\\n\"], \"b\": {\"c\": null}}")
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(spaced(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }))
  })
})

describe("a schema", () => {
  it("falls into alternatives without combinators", () => {
    const schema = { anyOf: [{ type: "string" }, { $ref: "#/$defs/n" }, false], $defs: { n: { type: "integer", minimum: 2 } }, description: "x" }
    expect(alternatives(schema, schema)).toEqual([{ type: ["string"] }, { type: ["integer"], minimum: 2 }].map((flat) => expect.objectContaining({ ...flat, type: expect.anything() })))
    expect(alternatives({ type: "string", allOf: [{ type: "integer" }] }, true)).toEqual([])
    expect(alternatives(true, true)).toEqual([{}])
    expect(follow({ $ref: "#/$defs/n" }, schema)).toEqual({ type: "integer", minimum: 2 })
  })

  it("takes the tighter of two bounds and the common values", () => {
    const [flat] = alternatives({ allOf: [{ type: "string", minLength: 2, maxLength: 9 }, { minLength: 4, maxLength: 20 }] }, true)
    expect(flat).toMatchObject({ minLength: 4, maxLength: 9 })
    const [named] = alternatives({ allOf: [{ enum: ["a", "b", 1] }, { enum: ["b", 1, "c"] }, { type: "string" }] }, true)
    expect(named === undefined ? null : literals(named)).toEqual(["b"])
  })

  it("has the types it names, or those its keywords speak of", () => {
    expect(typesOf({ type: "null" })).toEqual(["null"])
    expect([typesOf({ maxLength: 3 }), typesOf({ items: {} }), typesOf({ required: [] }), typesOf({ minimum: 1 })]).toEqual([["string"], ["array"], ["object"], ["number"]])
    expect(typesOf({})).toHaveLength(7)
  })
})

describe("numbers and patterns", () => {
  it("that nothing satisfies are none", () => {
    expect([integers(5, 4), integers(0.2, 0.8)]).toEqual([null, null])
    expect(decimals({ min: 1, max: 1, exclusiveMin: true, exclusiveMax: true })).toBeNull()
  })

  it("outside the subset are none", () => {
    for (const source of ["(?=a)", "(?<n>a)", "a\\b", "\\1", "[", "(", "a{2001}"]) expect([source, patternNode(source, null)]).toEqual([source, null])
    for (const source of [...Object.values(FORMATS), "^[^\\n]+$", "^\\w{1,3}(-\\w+)*$", "a|b", "^a|b$", "^(a|b)$", "x\\$", "\\u00e4", "[\\d\\s-]"]) expect([source, patternNode(source, 20) !== null]).toEqual([source, true])
  })
})

describe("values from outside", () => {
  it("are told apart", () => {
    expect([isRecord({}), isRecord([]), isRecord(null), isRecord("x")]).toEqual([true, false, false, false])
    expect([messageOf(new Error("why")), messageOf(7)]).toEqual(["why", "7"])
  })
})
