import { Ajv2020 } from "ajv/dist/2020.js"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { formOf, FormStream } from "../../../src/llm/embedded/form.ts"
import { Matcher } from "../../../src/llm/embedded/match.ts"
import { randomText } from "./schemas.ts"

const ajv = new Ajv2020({ strict: false })
const object = (properties: Record<string, unknown>, required = Object.keys(properties)) => ({ type: "object", properties, required, additionalProperties: false })
const write = (stream: FormStream, pieces: ReadonlyArray<string>) => pieces.map((piece) => stream.push(piece)).join("") + stream.end()
const must = <A>(value: A | null): A => {
  if (value === null) throw new Error("expected a form")
  return value
}

describe("a call written as plain text", () => {
  it("becomes JSON that satisfies the schema, however the text is cut into pieces", () => {
    const bounds = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 30 })).map(([minLength, more]) => ({ minLength, maxLength: minLength + more }))
    const lists = fc.tuple(bounds, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 4 })).map(([item, minItems, more]) => ({ type: "array", items: { type: "string", ...item }, minItems, maxItems: minItems + more }))
    const texts = bounds.map((b) => ({ type: "string", ...b }))
    fc.assert(fc.property(fc.oneof(lists, texts), fc.infiniteStream(fc.nat()), (about, stream) => {
      const schema = object({ path: { const: "output/a.md" }, content: about, mode: { enum: ["new"] } })
      const form = must(formOf(schema))
      const pick = (n: number) => (stream.next().value ?? 0) % n
      const text = randomText(form.grammar, pick)
      const matcher = new Matcher(form.grammar)
      expect(matcher.read(text) && matcher.complete).toBe(true)
      const points = [...text]
      const pieces: Array<string> = []
      while (points.length > 0) pieces.push(points.splice(0, 1 + pick(5)).join(""))
      const value: unknown = JSON.parse(write(new FormStream(form), pieces))
      if (!ajv.compile(schema)(value)) throw new Error(`${JSON.stringify(value)} does not satisfy ${JSON.stringify(schema)}`)
    }), { numRuns: 400 })
  })

  it("keeps the text of each line", () => {
    const form = must(formOf(object({ content: { type: "array", items: { type: "string", maxLength: 40 }, minItems: 3, maxItems: 3 } })))
    expect(form.prefix).toBe("1.")
    const json = write(new FormStream(form), [" One \"quoted\"", "\n2", ". Two: 2. of 3\n3. Drei – äöü 😀\n"])
    expect(JSON.parse(json)).toEqual({ content: ["One \"quoted\"", "Two: 2. of 3", "Drei – äöü 😀"] })
  })

  it("keeps the line breaks of one text", () => {
    const form = must(formOf(object({ next: { enum: ["COMPLETE"] }, output: { type: "string" } })))
    expect(JSON.parse(write(new FormStream(form), ["Done.\nTwo", " lines"]))).toEqual({ next: "COMPLETE", output: "Done.\nTwo lines" })
  })

  it("is left to JSON where a call is about more than one text", () => {
    expect(formOf(object({ path: { type: "string" }, content: { type: "string" } }))).toBeNull()
    expect(formOf(object({ path: { enum: ["a", "b"] } }))).toBeNull()
    expect(formOf(object({ n: { type: "integer" } }))).toBeNull()
    expect(formOf(object({ path: { const: "a" } }))).toBeNull()
    expect(formOf(object({ code: { type: "string", pattern: "^[a-z]+$" } }))).toBeNull()
    expect(formOf(object({ items: { type: "array", items: { type: "string" }, maxItems: 500 } }))).toBeNull()
  })

  it("takes the text where a text or a list is allowed", () => {
    expect(formOf(object({ content: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] } }))?.kind).toBe("text")
    const own = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] }
    expect(formOf(object({ content: { allOf: [own, { type: "array", items: { type: "string", maxLength: 9 }, minItems: 3, maxItems: 3 }] } }))?.kind).toBe("list")
  })
})
