// A wrong value is told in words: what was expected, what came, and where.
import { Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkValue } from "../../src/settings/check.ts"
import { pathText } from "../../src/settings/document.ts"

const Port = Schema.Number.check(Schema.isInt({ expected: "a port" }), Schema.isBetween({ minimum: 1, maximum: 9 }, { expected: "a port" }))
const Thing = Schema.Struct({
  name: Schema.String,
  port: Schema.optionalKey(Schema.NullOr(Port)),
  mode: Schema.optionalKey(Schema.Literals(["on", "off"])),
  list: Schema.optionalKey(Schema.Array(Schema.Union([Schema.String, Schema.Struct({ tool: Schema.String })])).check(Schema.isMinLength(1, { expected: "at least one entry" }))),
  free: Schema.optionalKey(Schema.Record(Schema.String, Schema.Boolean)),
})
const told = (value: unknown, options = {}) => checkValue(Thing, value, options).wrong.map((w) => `${pathText(w.path)} (${w.at}): ${w.message}`)

describe("a value", () => {
  it("that is right comes back decoded", () => expect(checkValue(Thing, { name: "x", port: 3, list: ["a", { tool: "b" }] })).toEqual({ value: { name: "x", port: 3, list: ["a", { tool: "b" }] }, wrong: [] }))

  it.each([
    [{ nme: "x", name: "y" }, ["nme (key): unknown key \"nme\"; did you mean \"name\"?"]], [{}, ["name (value): \"name\" is missing"]], [{ name: 5 }, ["name (value): expected text, got 5"]],
    [{ name: "x", port: 20.5 }, ["port (value): expected a port, got 20.5"]], [{ name: "x", port: "3" }, ["port (value): expected a port or null, got \"3\""]],
    [{ name: "x", mode: "of" }, ["mode (value): expected \"on\" or \"off\", got \"of\""]], [{ name: "x", list: "a" }, ["list (value): expected a list, got \"a\""]], [{ name: "x", list: [] }, ["list (value): expected at least one entry, got an empty list"]],
    [{ name: "x", list: [{ tol: "b" }] }, ["list[0].tol (key): unknown key \"tol\"; did you mean \"tool\"?", "list[0].tool (value): \"tool\" is missing"]], [{ name: "x", list: [5] }, ["list[0] (value): expected text or a mapping, got 5"]],
    [{ name: "x", free: { a: 1 } }, ["free.a (value): expected true or false, got 1"]], ["text", [" (value): expected a mapping, got \"text\""]], [null, [" (value): expected a mapping, got nothing"]], [[], [" (value): expected a mapping, got an empty list"]],
    [{ name: "y".repeat(100), mode: "z".repeat(100) }, [`mode (value): expected "on" or "off", got "${"z".repeat(59)}…`]],
  ])("%j is told as %j", (value, lines) => expect(told(value)).toEqual(lines))

  it("that must not be shown is told by its kind only", () => {
    expect(told({ name: "x", mode: "secret" }, { hidden: (path: ReadonlyArray<string>) => path[0] === "mode" })).toEqual(["mode (value): expected \"on\" or \"off\", got text"])
  })

  it("with a key that the caller knows better is told in the caller's words", () => {
    expect(told({ name: "x", later: 1, other: 2 }, { unknownKey: (path: ReadonlyArray<string>) => (path.at(-1) === "later" ? "soon" : null) })).toEqual(["later (key): soon", "other (key): unknown key \"other\""])
  })
})

it("any value is right or told, and never throws", () => {
  fc.assert(fc.property(fc.oneof(fc.anything(), fc.record({ name: fc.anything(), port: fc.anything(), list: fc.anything() })), (value) => {
    const { value: right, wrong } = checkValue(Thing, value)
    expect(right === null).toBe(wrong.length > 0)
  }))
})
