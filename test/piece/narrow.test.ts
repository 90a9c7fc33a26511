// Narrowing: what a model is offered, what its calls are judged by, and what the runtime fills in.
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { mergeSchemas, narrowTool, NOTHING_MATCHES, placeholderValues } from "../../src/piece/narrow.ts"
import type { NarrowContext } from "../../src/piece/narrow.ts"
import { parsePiece } from "../../src/piece/parse.ts"
import { checkArguments } from "../../src/tools/arguments.ts"
import { builtinTools } from "../../src/tools/builtin.ts"
import { Read } from "../../src/tools/Read.ts"
import { problems } from "../../src/tools/schema.ts"
import { Write } from "../../src/tools/Write.ts"
import type { ToolEntry } from "../../src/job/piece.ts"

const CONTEXT: NarrowContext = { files: ["input/a.txt", "input/sub/b é.md", "output/old.md"], task: "Sum up to output/sum.md and output/more.md" }
const entry = (tool: string, more: Partial<ToolEntry> = {}): ToolEntry => ({ tool, with: {}, narrow: {}, once: false, ...more })
const property = (schema: { readonly [key: string]: unknown }, name: string) => (schema["properties"] as Record<string, unknown>)[name]

describe("placeholders", () => {
  it.each([
    ["{files:input/**}", ["input/a.txt", "input/sub/b é.md"]], ["{files:input/*.txt}", ["input/a.txt"]], ["{files:**/*.{md,csv}}", ["input/sub/b é.md", "output/old.md"]], ["{files:./output/*}", ["output/old.md"]],
    ["{files:none/**}", []], ["{files_named:task}", ["output/sum.md", "output/more.md"]], ["{files:[}", []],
  ])("%s stands for %j", (text, values) => expect(placeholderValues(text, CONTEXT)).toEqual(values))
  it.each(["input/**", "{file:x}", "x{files:input/**}", "{files_named:other}", ""])("%j is plain text", (text) => expect(placeholderValues(text, CONTEXT)).toBeNull())
})

describe("a narrowed tool", () => {
  it("offers an enum of the files that are there now, and asks once for each", () => {
    const narrowed = narrowTool(Read, entry("Read", { narrow: { path: { enum: ["{files:input/**}", "README.md"] } }, once: true }), CONTEXT)
    expect(property(narrowed.schema, "path")).toMatchObject({ type: "string", enum: ["input/a.txt", "input/sub/b é.md", "README.md"] })
    expect(narrowed.once).toEqual({ arg: "path", values: ["input/a.txt", "input/sub/b é.md", "README.md"] })
    expect(narrowed.fixed).toEqual({})
    expect(checkArguments(narrowed, "{\"path\":\"input/a.txt\"}")).toMatchObject({ ok: true, args: { path: "input/a.txt" } })
    expect(checkArguments(narrowed, "{\"path\":\"input/x.txt\"}").ok).toBe(false)
    expect(checkArguments(narrowed, "{}").ok).toBe(false)
  })

  it("hides fixed values from the model and puts them into its call", () => {
    const narrowed = narrowTool(Write, entry("Write", { with: { path: "{files_named:task}" } }), CONTEXT)
    expect(narrowed.schema).toMatchObject({ required: ["content"] })
    expect(property(narrowed.schema, "path")).toBeUndefined()
    expect(narrowed.once).toBeNull()
    expect(checkArguments(narrowed, "{\"content\":\"x\"}")).toMatchObject({ ok: true, args: { path: "output/sum.md", content: "x" } })
    expect(checkArguments(narrowed, "{\"content\":\"x\",\"path\":\"output/elsewhere.md\"}")).toMatchObject({ ok: true, args: { path: "output/sum.md" } })
  })

  it("keeps the tool's own rules besides its narrowing: of a union the branch that is meant", () => {
    const lines = { type: "array", items: { type: "string", minLength: 2, maxLength: 5 }, minItems: 2, maxItems: 2 }
    const narrowed = narrowTool(Write, entry("Write", { narrow: { content: lines }, once: true }), CONTEXT)
    expect(property(narrowed.schema, "content")).toMatchObject(lines)
    expect(property(narrowed.schema, "content")).not.toHaveProperty("anyOf")
    expect(narrowed.once).toEqual({ arg: null, values: [] })
    expect(checkArguments(narrowed, "{\"path\":\"output/a.md\",\"content\":[\"ab\",\"cd\"]}")).toMatchObject({ ok: true, args: { content: ["ab", "cd"] } })
    for (const content of [["ab"], ["ab", "toolong"], ["ab", 5], "x"]) {
      expect(checkArguments(narrowed, JSON.stringify({ path: "output/a.md", content })).ok, JSON.stringify(content)).toBe(false)
    }
  })

  it("never widens: what the tool refuses stays refused", () => {
    const narrowed = narrowTool(Read, entry("Read", { narrow: { path: { minLength: 0 }, limit: { minimum: -5, maximum: 10 } } }), CONTEXT)
    expect(property(narrowed.schema, "limit")).toMatchObject({ minimum: 1, maximum: 10 })
    expect(checkArguments(narrowed, "{\"path\":\"\"}").ok).toBe(false)
    expect(checkArguments(narrowed, "{\"path\":\"a\",\"limit\":0}").ok).toBe(false)
    expect(checkArguments(narrowed, "{\"path\":\"a\",\"limit\":11}").ok).toBe(false)
    expect(checkArguments(narrowed, "{\"path\":\"a\",\"limit\":10}").ok).toBe(true)
  })

  it("lets no call through when nothing matches, and has nothing to ask for", () => {
    const narrowed = narrowTool(Read, entry("Read", { narrow: { path: { enum: ["{files:none/**}"] } }, once: true }), CONTEXT)
    expect(narrowed.once).toEqual({ arg: "path", values: [] })
    expect(property(narrowed.schema, "path")).toMatchObject({ enum: [NOTHING_MATCHES] })
    expect(checkArguments(narrowed, JSON.stringify({ path: NOTHING_MATCHES })).ok).toBe(false)
    expect(checkArguments(narrowed, "{\"path\":\"input/a.txt\"}").ok).toBe(false)
  })

  it("offers 64 values at most, each once, and an optional argument that is asked for is required", () => {
    const files = Array.from({ length: 100 }, (_, i) => `input/${i}.txt`)
    const narrowed = narrowTool(Read, entry("Read", { narrow: { path: { enum: ["{files:**}", "{files:input/*}"] }, offset: { enum: [1, 2] } }, once: true }), { files, task: "" })
    expect(narrowed.once?.values).toEqual(files.slice(0, 64))
    expect(narrowed.schema["required"]).toEqual(["path", "offset"])
  })

  it("fills in placeholders in enums below the top, and stays as it is without any narrowing", () => {
    const narrowed = narrowTool(Write, entry("Write", { narrow: { content: { type: "array", items: { enum: ["{files:input/**}"] } } } }), CONTEXT)
    expect(property(narrowed.schema, "content")).toMatchObject({ items: { type: "string", enum: ["input/a.txt", "input/sub/b é.md"] } })
    expect(narrowTool(Write, entry("Write"), CONTEXT).schema).toEqual(Write.input)
  })
})

describe("two schemas merged", () => {
  const bounds = fc.record({ minLength: fc.nat(6), maxLength: fc.nat(9) }, { requiredKeys: [] })
  it("accept exactly what both accept, for bounds and enums", () => {
    fc.assert(fc.property(bounds, bounds, fc.string({ maxLength: 10, unit: "grapheme-ascii" }), (a, b, value) => {
      const [own, narrow] = [{ type: "string", ...a }, { type: "string", ...b }]
      const both = problems(own, value).length === 0 && problems(narrow, value).length === 0
      expect(problems(mergeSchemas(own, narrow), value).length === 0).toBe(both)
    }))
    expect(mergeSchemas({ enum: ["a", "b"] }, { enum: ["b", "c"] })).toEqual({ enum: ["b"] })
  })
})

it("digest leaves a small model one call a movement with little to choose", () => {
  const parsed = parsePiece(readFileSync(new URL("../../pieces/digest.yaml", import.meta.url), "utf8"))
  if (parsed._tag === "Invalid") throw new Error("not valid")
  const context = { files: ["input/notes.txt", "output/x.md"], task: "Read input/notes.txt and write a three-line summary to output/summary.md" }
  for (const movement of parsed.piece.movements) {
    expect(movement.rules).toHaveLength(1)
    expect(movement.tools.map((entry) => entry.once)).toEqual([true])
    const entry = movement.tools[0]!
    const narrowed = narrowTool(builtinTools.find((tool) => tool.name === entry.tool)!, entry, context)
    expect(narrowed.once).toEqual({ arg: "path", values: [movement.name === "read" ? "input/notes.txt" : "output/summary.md"] })
    // A turn for each value that the enum can hold, twice.
    expect(movement.max_turns).toBeGreaterThanOrEqual(2 * 64)
  }
})
