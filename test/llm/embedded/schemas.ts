// Random JSON Schemas and random texts of a grammar, for the property tests of the grammar converter.
import fc from "fast-check"
import type { Grammar, Node } from "../../../src/llm/embedded/nodes.ts"

type Json = Record<string, unknown>

const names = fc.constantFrom("path", "content", "n", "äöü", "with \"quote\"", "line\nbreak", "back\\slash", "π", "emoji 😀", "__proto__x", "a b")
const bounds = (max: number) => fc.tuple(fc.integer({ min: 0, max }), fc.integer({ min: 0, max })).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
const some = <A>(arb: fc.Arbitrary<A>) => fc.option(arb, { nil: undefined })
const drop = (value: Json): Json => Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined))

const text = fc.record({ range: some(bounds(30)) }).map(({ range }): Json => drop({ type: "string", minLength: range?.[0], maxLength: range?.[1] }))
const pattern = fc.constantFrom<Json>(
  { type: "string", pattern: "^[a-z]+$", maxLength: 8 }, { type: "string", pattern: "^(yes|no)$" }, { type: "string", pattern: "^\\d{4}-\\d{2}$" },
  { type: "string", pattern: "^[^\\n\"]{1,9}$" }, { type: "string", pattern: "^a|b$" }, { type: "string", pattern: "^v(1|2)(\\.\\d){0,2}$" }, { type: "string", pattern: "ab?c" }, { type: "string", pattern: "^\\w+\\.md$", maxLength: 20 },
  { type: "string", format: "date" },
)
const whole = fc.tuple(some(fc.integer({ min: -2000, max: 2000 })), fc.integer({ min: 0, max: 3000 }), fc.constantFrom("none", "min", "both", "exclusive")).map(([low, width, kind]): Json => {
  const min = low ?? 0
  if (kind === "none") return { type: "integer" }
  if (kind === "min") return { type: "integer", minimum: min }
  if (kind === "both") return { type: "integer", minimum: min, maximum: min + width }
  return { type: "integer", exclusiveMinimum: min - 1, exclusiveMaximum: min + width + 1 }
})
const real = fc.tuple(fc.double({ min: -500, max: 500, noNaN: true }), fc.double({ min: 1, max: 500, noNaN: true }), fc.boolean()).map(([min, width, open]): Json =>
  open ? { type: "number", exclusiveMinimum: min, exclusiveMaximum: min + width } : { type: "number", minimum: min, maximum: min + width })
const named = fc.constantFrom<Json>({ enum: ["a", "b \"c\"", 3, null, true, ["x", 1], { k: "v" }] }, { const: "input/notes.txt" }, { enum: ["ö\n", "😀"] }, { type: "string", enum: ["only", 5] })
const plain = fc.constantFrom<Json>({ type: "boolean" }, { type: "null" }, { type: ["string", "integer"] }, { type: ["null", "boolean"] }, {}, { type: "object" }, { type: "array" }, { type: "number" })

const tree = fc.letrec<{ schema: Json }>((tie) => ({
  schema: fc.oneof({ maxDepth: 3, depthSize: "small" }, text, whole, real, named, pattern, plain,
    fc.tuple(tie("schema"), bounds(4)).map(([items, [minItems, maxItems]]): Json => ({ type: "array", items, minItems, maxItems })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf): Json => ({ anyOf })),
    fc.array(fc.tuple(names, tie("schema"), fc.boolean()), { maxLength: 4 }).map((entries): Json => {
      const known = new Map(entries.map(([name, schema, must]) => [name, { schema, must }]))
      return {
        type: "object", additionalProperties: false,
        properties: Object.fromEntries([...known].map(([name, { schema }]) => [name, schema])),
        required: [...known].filter(([, { must }]) => must).map(([name]) => name),
      }
    }),
    fc.tuple(tie("schema")).map(([value]): Json => ({ type: "object", additionalProperties: value, minProperties: 0, maxProperties: 3 })),
  ),
}))

export const schemas: fc.Arbitrary<Json> = tree.schema

/** A random text of the grammar. `pick(n)` answers a number from 0 to n - 1; deep recursion takes the first way. */
export const randomText = (grammar: Grammar, pick: (n: number) => number): string => {
  let budget = 3000
  const walk = (node: Node): string => {
    budget--
    switch (node.t) {
      case "lit": return node.text
      case "set": {
        const [from, to] = node.ranges[pick(node.ranges.length)] ?? [32, 32]
        return String.fromCodePoint(from + pick(to - from + 1))
      }
      case "ref": {
        const target = grammar.rules.get(node.rule)
        if (target === undefined) throw new Error(`no rule ${node.rule}`)
        return walk(target)
      }
      case "alt": return walk(node.items[budget < 0 ? 0 : pick(node.items.length)] ?? { t: "lit", text: "" })
      case "seq": return node.items.map(walk).join("")
      case "rep": {
        const room = Math.min(node.max ?? node.min + 6, node.min + 6) - node.min
        const count = node.min + (budget < 0 ? 0 : pick(room + 1))
        return Array.from({ length: count }, () => walk(node.item)).join("")
      }
    }
  }
  return walk({ t: "ref", rule: grammar.root })
}
