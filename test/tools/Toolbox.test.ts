import { describe, expect, it } from "vitest"
import { it as effectIt } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import { builtinTools } from "../../src/tools/builtin.ts"
import { GROUPS, metricLabel, PUBLISHED_TOOLS, selectTools, Toolbox, unnarrowed } from "../../src/tools/Toolbox.ts"
import { output, type Tool } from "../../src/tools/Tool.ts"
import type { ToolEntry } from "../../src/job/piece.ts"

const named = (name: string): Tool => ({ name, description: "", input: {}, effect: "read", timeout_ms: 1, run: () => Effect.succeed(output("")) })
const tools = [...builtinTools, named("mcp__github__search"), named("mcp__github__issue"), named("plugin__weather__now")]
const entry = (tool: string, over: Partial<ToolEntry> = {}): ToolEntry => ({ tool, with: {}, narrow: {}, once: false, ...over })
const names = (...entries: Array<ToolEntry>) => selectTools(tools, entries).offered.map(({ tool }) => tool.name)

describe("what a movement offers", () => {
  it("is what its list names, by name, glob and group, in the toolbox's order", () => {
    expect(names(entry("Write"), entry("Read"))).toEqual(["Read", "Write"])
    expect(names(entry("@files"))).toEqual(["Read", "Ls", "Glob", "Grep", "Write", "Edit"])
    expect(names(entry("@plan"), entry("Read"))).toEqual(["Read", "CreateChecklist", "CheckItem"])
    expect(names(entry("mcp__github__*"))).toEqual(["mcp__github__search", "mcp__github__issue"])
    expect(names(entry("*__now"), entry("?s"))).toEqual(["Ls", "plugin__weather__now"])
    expect(names(entry("*")).length).toBe(tools.length)
    expect(names()).toEqual([])
  })

  it("tolerates what is not there, with a warning", () => {
    expect(selectTools(tools, [entry("Raed"), entry("Bash"), entry("@web"), entry("@fils"), entry("mcp__gitlab__*"), entry("transition")])).toEqual({
      offered: [],
      warnings: ['there is no tool Raed; did you mean "Read"?', "Bash is not installed here", "no tool of @web is installed", 'there is no group @fils; did you mean "@files"?', "mcp__gitlab__* matches no installed tool"],
    })
  })

  it("a narrowing holds whatever wider entry matches too; a second one is left out with a warning", () => {
    const narrow = entry("Write", { with: { path: "output/a.md" } })
    for (const entries of [[entry("@files"), narrow], [narrow, entry("@files")], [entry("*"), narrow, entry("Write")]]) {
      const write = selectTools(tools, entries).offered.find(({ tool }) => tool.name === "Write")
      expect(write?.entry).toBe(narrow)
    }
    const twice = selectTools(tools, [narrow, entry("Write", { narrow: { content: { maxLength: 3 } } })])
    expect(twice.offered.map((each) => each.entry)).toEqual([narrow])
    expect(twice.warnings).toEqual(["Write is narrowed twice; the first entry holds"])
    expect(selectTools(tools, [entry("Read")]).offered[0]?.entry).toBeNull()
  })

  it("globs mean what the same regular expression means, and none is slow", () => {
    const glob = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "."), minLength: 1, maxLength: 8 }).filter((text) => /[*?]/.test(text))
    fc.assert(fc.property(glob, fc.string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 8 }), (pattern, name) => {
      const regex = new RegExp(`^${pattern.replaceAll(".", "\\.").replace(/\*/g, ".*").replaceAll("?", ".")}$`)
      return selectTools([named(name)], [entry(pattern)]).offered.length === (regex.test(name) ? 1 : 0)
    }), { numRuns: 2000 })
    const started = performance.now()
    selectTools([named("a".repeat(5000))], [entry(`${"*a".repeat(500)}b`)])
    expect(performance.now() - started).toBeLessThan(1000)
  })

  effectIt.effect("the service holds the tools it was given and selects among them", () => Effect.gen(function*() {
    const toolbox = yield* Toolbox
    expect(toolbox.tools).toBe(builtinTools)
    expect(toolbox.select([entry("Read")]).offered.map(({ tool }) => tool.name)).toEqual(["Read"])
  }).pipe(Effect.provide(Toolbox.layer)))

  it("a tool that is not narrowed is offered with its own schema", () => {
    expect(unnarrowed(tools[0]!)).toEqual({ tool: tools[0], schema: tools[0]!.input, fixed: {} })
  })
})

describe("labels in metrics", () => {
  it.each([["Read", "Read"], ["transition", "transition"], ["BrowserOpen", "BrowserOpen"], ["mcp__github__search", "mcp"], ["plugin__weather__now", "plugin"], ["constructor", "unknown"], ["rm -rf", "unknown"], ["", "unknown"]])("%s is %s", (name, label) => {
    expect(metricLabel(name)).toBe(label)
  })

  it("are few, whatever names a model invents", () => {
    fc.assert(fc.property(fc.string(), (name) => [...PUBLISHED_TOOLS, "plugin", "mcp", "unknown"].includes(metricLabel(name))))
    expect(Object.values(GROUPS).flat().every((name) => PUBLISHED_TOOLS.has(name))).toBe(true)
  })
})
