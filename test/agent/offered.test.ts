import { describe, expect, it } from "vitest"
import { currentSchema, type OfferedTool, OnceTracker, specOf } from "../../src/agent/offered.ts"
import { builtinTools } from "../../src/tools/builtin.ts"
import { unnarrowed } from "../../src/tools/Toolbox.ts"

const read = builtinTools.find((tool) => tool.name === "Read")!
const once = (arg: string | null, values: ReadonlyArray<unknown>): OfferedTool => ({ ...unnarrowed(read), once: { arg, values } })

describe("calls that are asked for", () => {
  it("are missing until they succeeded, one for each value", () => {
    const tracker = new OnceTracker()
    const tool = once("path", ["a", "b"])
    expect(tracker.missing(tool)).toEqual(["a", "b"])
    tracker.succeeded(tool, { path: "a" })
    expect(tracker.missing(tool)).toEqual(["b"])
    expect(tracker.complete([tool])).toBe(false)
    tracker.succeeded(tool, { path: "b" })
    expect(tracker.complete([tool])).toBe(true)
  })

  it("are asked for once where there is no enum, however often the only one fails", () => {
    const tracker = new OnceTracker()
    const tool = once(null, [])
    for (let i = 0; i < 5; i++) tracker.failed(tool, {})
    expect(tracker.missing(tool)).toEqual([true])
    tracker.succeeded(tool, {})
    expect(tracker.missing(tool)).toEqual([])
  })

  it("pass over a value after two failures", () => {
    const tracker = new OnceTracker()
    const tool = once("path", ["a", "b"])
    tracker.failed(tool, { path: "a" })
    expect(tracker.missing(tool)).toEqual(["a", "b"])
    tracker.failed(tool, { path: "a" })
    expect(tracker.missing(tool)).toEqual(["b"])
  })

  it("are never complete where nothing is asked for", () => {
    expect(new OnceTracker().complete([{ ...unnarrowed(read), once: null }])).toBe(false)
  })

  it("show the model only the values that are missing", () => {
    const tool = once("path", ["a", "b"])
    const schema = currentSchema(tool, ["b"]) as { properties: { path: { enum: ReadonlyArray<string> } } }
    expect(schema.properties.path.enum).toEqual(["b"])
    expect(currentSchema(tool, [])).toBe(tool.schema)
    expect(specOf(tool, schema)).toMatchObject({ type: "function", function: { name: "Read", parameters: schema } })
  })
})
