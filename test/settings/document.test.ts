// YAML text becomes a value with positions; hostile and broken text becomes a list of problems, never an exception.
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { pathText, readYaml } from "../../src/settings/document.ts"

const messages = (text: string) => readYaml(text).problems.map((p) => `${p.line}:${p.column} ${p.message}`)

describe("positions", () => {
  const text = "a: 1\nb:\n  - x\n  - c: yes\n    d: { e: 2, f: }\nempty:\n"
  const { value, positionOf } = readYaml(text)

  it("come with the plain value", () => expect(value).toEqual({ a: 1, b: ["x", { c: "yes", d: { e: 2, f: null } }], empty: null }))

  it.each([
    [["a"], "key", 1, 1], [["a"], "value", 1, 4], [["b", 0], "value", 3, 5], [["b", 1, "c"], "key", 4, 5], [["b", 1, "d", "e"], "value", 5, 13],
    [["b", 1, "d", "missing"], "value", 5, 8], [["empty"], "value", 6, 1], [["nowhere", 3], "key", 1, 1], [[], "value", 1, 1],
  ] as const)("of %j (%s) is %i:%i", (path, at, line, column) => expect(positionOf(path, at)).toEqual({ line, column }))

  it("lead through an alias to where the value was written", () => {
    const aliased = readYaml("base: &b\n  port: x\nhttp: *b\n")
    expect(aliased.positionOf(["http", "port"], "value")).toEqual({ line: 2, column: 9 })
  })
})

describe("a refused text", () => {
  it.each([
    ["an open list", "a: [1, 2", /^1:9 /], ["wrong indentation", "a: 1\n b: 2\n", /^1:4|^2:/], ["an open quote", "a: 'x\n", /quote/],
    ["two documents", "a: 1\n---\nb: 2\n", /^2:1 more than one YAML document/], ["a key twice", "a: 1\nb: 2\na: 3\n", /^3:1 the key "a" stands here twice/],
    ["an alias without anchor", "a: *x\n", /^1:4 the alias \*x has no anchor before it/], ["an alias in itself", "a: &x [1, *x]\n", /^1:11 the alias \*x contains itself/],
    ["an unknown tag", "a: !!strange 1\n", /Unresolved tag/], ["a tab", "\tb: 1\n", /[Tt]ab/], ["a list as key", "a: 1\n? [b]\n: 2\n", /^2:3 a key must be plain text/],
    ["150 levels", `a: ${"[".repeat(150)}1${"]".repeat(150)}\n`, /nested more than 100 levels deep/], ["100,000 brackets", `a: ${"[".repeat(100_000)}`, /nested more than 100 levels deep/],
    ["too long a text", `a: ${"x".repeat(300_000)}\n`, /longer than 256 KiB/],
  ])("with %s", (_, text, expected) => {
    const read = readYaml(text)
    expect(read.value).toBeUndefined()
    expect(messages(text).join("\n")).toMatch(expected)
  })

  it("is one whose aliases would grow past 1 MB, found without growing", () => {
    const bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]", ...Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(",")}]`)].join("\n")
    const before = performance.now()
    expect(messages(bomb).join("\n")).toContain("the aliases grow past 1 MB")
    expect(performance.now() - before).toBeLessThan(1_000)
  })

  it("is one with more aliases than 1,000", () => expect(messages(`a: &a 1\nb: [${Array(1_001).fill("*a").join(",")}]`).join()).toContain("more than 1000 aliases"))
})

describe("any text", () => {
  const yamlish = fc.array(fc.constantFrom("a", "b: ", "- ", "\n", "  ", "[", "]", "{", "}", "&x ", "*x", "|\n", ">", "'", "\"", "#", "!t ", "? ", ": ", "---", "...", "%", "<<: ", "\t", "é", "\u0000", "~", "1"), { maxLength: 40 }).map((parts) => parts.join(""))

  it("gives a value or problems with a real position, and never throws", () => {
    fc.assert(fc.property(fc.oneof(yamlish, fc.string({ unit: "binary" })), (text) => {
      const read = readYaml(text)
      const lines = text.split("\n").length
      expect(read.problems.length > 0).toBe(read.value === undefined)
      for (const problem of read.problems) {
        expect(problem.line).toBeGreaterThanOrEqual(1)
        expect(problem.line).toBeLessThanOrEqual(lines + 1)
        expect(problem.column).toBeGreaterThanOrEqual(1)
      }
      expect(read.positionOf(["b", 0, "x"], "key").line).toBeGreaterThanOrEqual(1)
    }), { numRuns: 2_000 })
  })

  it("that is JSON reads as JSON does", () => {
    fc.assert(fc.property(fc.json(), (text) => {
      const read = readYaml(text)
      if (read.problems.length === 0) expect(JSON.stringify(read.value)).toBe(JSON.stringify(JSON.parse(text)))
      else expect(read.problems.map((p) => p.message).join()).toMatch(/twice|nested/)
    }))
  })
})

it("a path reads as one would write it", () => expect(pathText(["movements", 0, "rules", 2, "next"])).toBe("movements[0].rules[2].next"))
