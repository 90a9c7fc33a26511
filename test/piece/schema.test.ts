// The published schema of a piece, its durations and numbers, and the keys that are known but not built yet.
import { expect, it } from "vitest"
import { durationMs, isPieceName, pieceJsonSchema, unknownKeyMessage, wholeNumber } from "../../src/piece/schema.ts"
import { problems } from "../../src/tools/schema.ts"

it("the published schema takes a right piece and refuses unknown keys and wrong values", () => {
  const schema = pieceJsonSchema()
  const value = { name: "x", max_movements: "2_000", movements: [{ name: "a", instruction: "i", timeout: "20m", tools: ["Read", { tool: "Write", once: true, narrow: { path: { enum: ["a"] } } }], rules: [{ if: "so", next: "COMPLETE" }] }] }
  expect(problems(schema, value)).toEqual([])
  expect(problems(schema, { ...value, moovements: [] }).join()).toContain("moovements")
  expect(problems(schema, { ...value, movements: [{ ...value.movements[0], timeout: "soon" }] })).not.toEqual([])
  expect(JSON.stringify(schema).match(/"description"/g)?.length).toBeGreaterThan(20)
})

it.each([["90s", 90_000], ["20m", 1_200_000], ["2h", 7_200_000], ["1h30m", 5_400_000], ["1.5h", 5_400_000], ["250ms", 250], ["1d", 86_400_000], ["1_000s", 1_000_000]])("%s is %i ms", (text, ms) => expect(durationMs(text)).toBe(ms))
it.each(["20", "m", "20 m", "1h 30m", "-5m", "1e3s", ""])("%j is no duration", (text) => expect(durationMs(text)).toBeNull())

it("a number may be grouped by underscores", () => expect([wholeNumber(5), wholeNumber("2_000_000"), wholeNumber("500")]).toEqual([5, 2_000_000, 500]))

it("a piece's name can be a file's name anywhere", () => {
  expect(["a", "my-piece_2", "X".repeat(64)].every(isPieceName)).toBe(true)
  expect(["", "-a", "a.b", "a/b", "..", "ü", "a b", "X".repeat(65), "a\n"].some(isPieceName)).toBe(false)
})

it("a key that comes later is told from one that nobody knows, by its place", () => {
  expect(unknownKeyMessage(["vars"])).toBe("\"vars\" is not supported yet; remove it")
  expect(unknownKeyMessage(["movements", 0, "gates"])).toContain("not supported yet")
  expect(unknownKeyMessage(["movements", 0, "rules", 1, "when"])).toContain("not supported yet")
  for (const path of [["gates"], ["movements", 0, "vars"], ["movements", 0, "rules", 0, "gates"], ["budget", "vars"], ["nonsense"], []]) expect(unknownKeyMessage(path)).toBeNull()
})
