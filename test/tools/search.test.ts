import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { linear } from "../../src/tools/regex.ts"
import { isLiteral, LineSearch, literal } from "../../src/tools/search.ts"

const found = async (text: string, pattern: string, context = 0, size = 1_000_000) => {
  const lines: Array<string> = []
  const search = new LineSearch("f", isLiteral(pattern) ? literal(pattern) : linear(pattern), context, (line) => lines.push(line) > 0)
  for (let at = 0; at < text.length; at += size) await search.push(text.slice(at, at + size), async () => true)
  search.end()
  return { lines, search }
}

describe("searching lines", () => {
  it("gives path, number and text; context lines with dashes, groups apart", async () => {
    const text = "one\ntwo hit\nthree\nfour\nfive\nsix\nseven hit\neight hit\nnine"
    expect((await found(text, "hit")).lines).toEqual(["f:2:two hit", "f:7:seven hit", "f:8:eight hit"])
    expect((await found(text, "hit", 1)).lines).toEqual(["f-1-one", "f:2:two hit", "f-3-three", "--", "f-6-six", "f:7:seven hit", "f:8:eight hit", "f-9-nine"])
    expect((await found("a\nhit\nb\nc\nhit\n", "hit", 1)).lines).toEqual(["f-1-a", "f:2:hit", "f-3-b", "f-4-c", "f:5:hit"])
  })

  it("finds the same however the text arrives", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r\n", "é"), maxLength: 60 })
    await fc.assert(fc.asyncProperty(text, fc.constantFrom("a", "ab", "^b", "a$", "b+"), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 7 }), async (whole, pattern, context, size) => {
      expect((await found(whole, pattern, context, size)).lines).toEqual((await found(whole, pattern, context)).lines)
    }))
  })

  it("matches exactly the lines that the pattern matches", async () => {
    const line = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 5 })
    await fc.assert(fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 12 }), async (lines) => {
      const expected = lines.flatMap((each, index) => (/ab/.test(each) ? [`f:${index + 1}:${each}`] : []))
      expect((await found(lines.join("\n"), "ab")).lines).toEqual(expected)
    }))
  })

  it("a long line is shown around its match and searched as far as the engine may", async () => {
    const { lines } = await found(`${"x".repeat(1000)}hit${"y".repeat(1000)}`, "hit")
    expect(lines[0]).toMatch(/^f:1:…x{100}hity+…$/)
    const beyond = await found(`${"x".repeat(200_000)}hit\nhit`, "h.t", 0, 1000)
    expect(beyond.lines).toEqual(["f:2:hit"])
    expect(beyond.search.cutLines).toBe(1)
  })

  it("ends when told", async () => {
    const lines: Array<string> = []
    const search = new LineSearch("f", literal("a"), 0, (line) => lines.push(line) < 2)
    expect(await search.push("a\na\na\n", async () => true)).toBe(false)
    expect(lines).toEqual(["f:1:a", "f:2:a"])
    expect(await new LineSearch("f", literal("a"), 0, () => true).push("b\n".repeat(100), async () => false)).toBe(false)
  })
})
