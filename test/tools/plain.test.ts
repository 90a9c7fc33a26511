import { describe, expect, it } from "vitest"
import { Ajv } from "ajv"
import fc from "fast-check"
import { judge } from "../../src/tools/plain.ts"

const ajv = new Ajv({ strict: false, validateFormats: false, validateSchema: false, addUsedSchema: false })

const small = fc.integer({ min: 0, max: 3 })
const keywords = (inner: fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<Record<string, unknown>> => fc.record({
  type: fc.oneof(fc.constantFrom("string", "number", "integer", "boolean", "array", "object", "null"), fc.subarray(["string", "null", "array"], { minLength: 1 })),
  enum: fc.array(fc.oneof(fc.constantFrom("a", "b", null, true), small), { minLength: 1, maxLength: 3 }),
  const: fc.oneof(fc.constantFrom("a", null), small),
  minimum: small, maximum: small, minLength: small, maxLength: small, minItems: small, maxItems: small,
  items: inner, anyOf: fc.array(inner, { minLength: 1, maxLength: 3 }),
  required: fc.subarray(["a", "b"]), properties: fc.dictionary(fc.constantFrom("a", "b", "c"), inner, { maxKeys: 3 }), additionalProperties: fc.boolean(),
  description: fc.string(),
}, { requiredKeys: [] })
const { schema } = fc.letrec<{ schema: Record<string, unknown> }>((tie) => ({
  schema: fc.oneof({ depthSize: "small", withCrossShrink: true }, fc.constant({}), fc.constant({ type: "string" }), keywords(tie("schema"))),
}))
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<unknown>("a", "b", "", "😀😀", null, true, 0, 1, 2.5, -1), fc.array(tie("value"), { maxLength: 4 }), fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("value"), { maxKeys: 4 }),
  ),
}))

describe("the quick verdict", () => {
  it("is ajv's wherever it dares one", () => {
    let dared = 0
    fc.assert(fc.property(schema, fc.array(value, { minLength: 5, maxLength: 5 }), (each, values) => {
      const validate = ajv.compile(each)
      for (const one of values) {
        const quick = judge(each, one)
        if (quick === "unsure") continue
        dared++
        expect(quick, JSON.stringify([each, one])).toBe(validate(one) ? "fits" : "wrong")
      }
    }), { numRuns: 400 })
    expect(dared).toBeGreaterThan(1000)
  }, 60_000)

  it.each([
    [{ pattern: "a" }, "a"], [{ oneOf: [{}] }, 1], [{ $ref: "#/x" }, 1], [{ type: "thing" }, 1], [{ enum: [{ a: 1 }] }, { a: 1 }], [{ const: [1] }, [1]], [{ required: ["constructor"] }, {}],
    [{ properties: { toString: { type: "string" } } }, {}], [{ additionalProperties: { type: "string" } }, { a: 1 }], [{ items: true }, [1]], [{ anyOf: [true] }, 1], [{ minimum: "1" }, 1],
  ])("is not dared for %j", (each, one) => {
    expect(judge(each, one)).toBe("unsure")
  })

  it("gives up in a schema that is too deep instead of overflowing", () => {
    const endless: Record<string, unknown> = {}
    endless["anyOf"] = [endless]
    expect(judge(endless, 1)).toBe("unsure")
  })
})
