// Output paths in running text of several languages and habits of writing.
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { DEFAULT_OUTPUT, namedOutputs } from "../../src/piece/named.ts"

describe("paths that a task names", () => {
  it.each([
    ["Read input/notes.txt and write a three-line summary to output/summary.md", ["output/summary.md"]], ["Write output/a.md.", ["output/a.md"]], ["(see output/a.md)", ["output/a.md"]],
    ["Write output/a.md, output/b.csv and output/c/d.txt!", ["output/a.md", "output/b.csv", "output/c/d.txt"]], ["output/a.md,output/b.md;output/c.md", ["output/a.md", "output/b.md", "output/c.md"]],
    ["to \"output/my summary.md\" please", ["output/my summary.md"]], ["to 'output/it is.md'.", ["output/it is.md"]], ["to `output/x.md`", ["output/x.md"]], ["nach „output/Übersicht März.md“", ["output/Übersicht März.md"]],
    ["« output/a.md » et «output/résumé final.md»", ["output/a.md", "output/résumé final.md"]], ["schreibe output/zusammenfassung_für_müller.md!", ["output/zusammenfassung_für_müller.md"]],
    ["要約を output/要約.mdに書いてください。", ["output/要約.md"]], ["把摘要写到output/摘要.md。", ["output/摘要.md"]], ["「output/会議 メモ.md」に書く", ["output/会議 メモ.md"]], ["напиши в output/отчёт.txt, пожалуйста", ["output/отчёт.txt"]],
    ["./output/a.md and output//b.md and output/./c.md", ["output/a.md", "output/b.md", "output/c.md"]], ["twice output/a.md, again output/a.md", ["output/a.md"]], ["output/a(1).md", ["output/a(1).md"]], ["[link](output/a.md)", ["output/a.md"]],
    ["**output/a.md**", ["output/a.md"]], ["output/Makefile", ["output/Makefile"]], ["Write: output/v1.2.md: done", ["output/v1.2.md"]], ["\"output/b x.md\" then output/a.md", ["output/b x.md", "output/a.md"]],
    ["output/a.md then \"output/b x.md\"", ["output/a.md", "output/b x.md"]], ["Don't; write output/a.md, it's due", ["output/a.md"]],
  ])("%j names %j", (task, paths) => expect(namedOutputs(task)).toEqual(paths))

  it.each([
    "Sum up the notes.", "", "Put it into output/", "into the output/ folder", "output/*.md", "output/../secret.txt", "output/<name>.md", "https://example.org/output/x.html", "my-output/a.md", "/srv/output/a.md", "\"output/\"", "output/${NAME}.md", "output\\a.md",
  ])("%j names none, so the default stands", (task) => expect(namedOutputs(task)).toEqual([DEFAULT_OUTPUT]))

  it("are 64 at most", () => expect(namedOutputs(Array.from({ length: 100 }, (_, i) => `output/${i}.md`).join(" "))).toHaveLength(64))
})

it("any text gives clean relative paths below output/", () => {
  const part = fc.constantFrom("output/", "a", ".md", " ", "..", "/", "\"", "'", "`", "é", "要", ",", ".", ")", "(", "\n", "*", "\u0000", "./", "„", "“")
  fc.assert(fc.property(fc.oneof(fc.array(part, { maxLength: 25 }).map((p) => p.join("")), fc.string({ unit: "binary" })), (task) => {
    const paths = namedOutputs(task)
    expect(paths.length).toBeGreaterThan(0)
    for (const path of paths) {
      expect(path).toMatch(/^output\/./)
      expect(path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")).toBe(true)
    }
  }), { numRuns: 3_000 })
})

it("a path in plain words is found as it was written", () => {
  const word = fc.stringMatching(/^[a-zäöüé0-9_-]{1,12}$/u)
  fc.assert(fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), word, (folders, text) => {
    const path = `output/${folders.join("/")}.md`
    expect(namedOutputs(`${text} to ${path}, then ${text}`)).toEqual([path])
    expect(namedOutputs(`${text} to "${path}".`)).toEqual([path])
  }))
})

it("a long hostile text is read in time", () => {
  const before = performance.now()
  for (const text of ["output/".repeat(50_000), "output/a,".repeat(30_000), `output/${".".repeat(200_000)}`, `output/${")".repeat(100_000)}`, "\"output/".repeat(20_000), "„output/x".repeat(20_000)]) namedOutputs(text)
  expect(performance.now() - before).toBeLessThan(3_000)
})
