import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { linear } from "../../src/tools/regex.ts"

describe("the linear engine", () => {
  it.each([
    ["(a+)+$", `${"a".repeat(50_000)}b`, false], ["(a|aa)+$", `${"a".repeat(50_000)}b`, false], ["(.*)*x", "a".repeat(50_000), false], ["^(([a-z])+.)+[A-Z]([a-z])+$", "a".repeat(50_000), false],
    ["(x+x+)+y", "x".repeat(50_000), false],
  ])("%s does not hold the event loop", (pattern, text, expected) => {
    const regex = linear(pattern)
    const started = performance.now()
    expect(regex.test(text.slice(-regex.max_chars))).toBe(expected)
    expect(performance.now() - started).toBeLessThan(500)
  })

  it("a large pattern says that it may be given less text at once", () => {
    expect(linear("(\\p{L}|\\d){500}").max_chars).toBeLessThan(1000)
    expect(linear("abc").max_chars).toBeGreaterThan(50_000)
  })

  it.each([
    ["\\bfoo\\d{2,3}\\b", "a foo123 b", [2, 8]], ["日本+", "これは日本本語", [3, 6]], ["\\u00e9", "café", [3, 4]], ["(?<year>\\d{4})-", "in 2026-01", [3, 8]], ["a/b", "x a/b", [2, 5]],
    ["😀.", "a😀b", [1, 4]], ["^$", "", [0, 0]],
  ])("%s finds its place in characters", (pattern, text, expected) => {
    expect(linear(pattern).find(text)).toEqual(expected)
    expect(linear(pattern).find("~~")).toBeNull()
  })

  it("ignores case when asked", () => {
    expect(linear("STRASSE|é", { case_insensitive: true }).test("strasse")).toBe(true)
    expect(linear("STRASSE|É", { case_insensitive: true }).test("é")).toBe(true)
    expect(linear("A").test("a")).toBe(false)
  })

  it.each([
    ["(?=x)y", "look-ahead and look-behind are not supported"], ["(?<!x)y", "look-ahead and look-behind are not supported"], ["(a)\\1", "back-references are not supported"],
    ["[", "missing closing ]"], ["(", "missing"], ["a{1,100000}", "invalid repeat count"], ["x".repeat(2000), "longer than 1000"],
  ])("%s is refused in words", (pattern, why) => {
    expect(() => linear(pattern)).toThrow(why)
  })

  it("agrees with the built-in engine on plain patterns", () => {
    const atom = fc.constantFrom("a", "b", "[ab]", "[^a]", ".", "\\d", "\\w", "(a|b)", "(?:ab)")
    const pattern = fc.array(fc.tuple(atom, fc.constantFrom("", "", "*", "+", "?", "{1,2}")).map((parts) => parts.join("")), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(""))
    fc.assert(fc.property(pattern, fc.string({ unit: fc.constantFrom("a", "b", "1", " "), maxLength: 12 }), (source, text) => {
      const expected = new RegExp(source).exec(text)
      const regex = linear(source)
      expect(regex.test(text)).toBe(expected !== null)
      expect(regex.find(text)).toEqual(expected === null ? null : [expected.index, expected.index + expected[0].length])
    }), { numRuns: 500 })
  })
})
