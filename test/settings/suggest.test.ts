// Mistyped words find the known word that was meant, and far words find none.
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { closest, didYouMean, distance } from "../../src/settings/suggest.ts"

const KEYS = ["instruction", "tools", "rules", "max_turns", "timeout", "persona", "name"]
const word = fc.string({ minLength: 0, maxLength: 12 })

describe("the nearest word", () => {
  it.each([
    ["instrction", "instruction"], ["instructoin", "instruction"], ["tool", "tools"], ["maxTurns", "max_turns"], ["max-turns", "max_turns"],
    ["MAX_TURNS", "max_turns"], ["tiemout", "timeout"], ["nmae", "name"],
  ])("takes %s for %s", (typed, meant) => expect(closest(typed, KEYS)).toBe(meant))

  it.each(["", "zzzzzz", "x", "completely different", "x".repeat(500)])("finds nothing near %j", (typed) => expect(closest(typed, KEYS)).toBeNull())

  it("is put as a question, and left out when there is none", () => {
    expect(didYouMean("instrction", KEYS)).toBe("; did you mean \"instruction\"?")
    expect(didYouMean("qqqqqq", KEYS)).toBe("")
  })

  it("is the word after one random edit of a key that is not like another", () => {
    fc.assert(fc.property(fc.constantFrom("instruction", "max_turns", "persona"), fc.nat(), fc.constantFrom("a", "z", "9"), (key, place, letter) => {
      const at = place % key.length
      for (const typed of [key.slice(0, at) + key.slice(at + 1), key.slice(0, at) + letter + key.slice(at), key.slice(0, at) + letter + key.slice(at + 1)]) {
        expect(closest(typed, KEYS)).toBe(key)
      }
    }))
  })
})

describe("the distance between two words", () => {
  it("is zero for equal words only, the same both ways, and at most the longer length", () => {
    fc.assert(fc.property(word, word, (a, b) => {
      expect(distance(a, b) === 0).toBe(a === b)
      expect(distance(a, b)).toBe(distance(b, a))
      expect(distance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
    }))
  })
  it("counts a swap of neighbours as one", () => expect(distance("abcd", "abdc")).toBe(1))
})
