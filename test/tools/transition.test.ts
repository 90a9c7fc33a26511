import { describe, expect, it } from "vitest"
import { readTransition, transitionSchema, transitionSpec } from "../../src/tools/transition.ts"

const read = (args: unknown, nexts = ["write", "ABORT"]) => readTransition(typeof args === "string" ? args : JSON.stringify(args), nexts)

describe("transition", () => {
  it("is offered with the possible nexts as an enum", () => {
    const spec = transitionSpec(["write", "ABORT"])
    expect(spec.function.name).toBe("transition")
    expect(spec.function.parameters).toMatchObject({ properties: { next: { enum: ["write", "ABORT"] } }, required: ["next", "output"], additionalProperties: false })
    expect(transitionSchema(["write", "ABORT"])).toBe(spec.function.parameters)
    expect(transitionSchema(["ABORT", "write"])).not.toBe(spec.function.parameters)
  })

  it("is read with its lessons", () => {
    expect(read({ next: "write", output: "done", lessons: ["look twice"] })).toEqual({ ok: true, transition: { next: "write", output: "done", lessons: ["look twice"] } })
    expect(read({ next: "write", output: "done" })).toEqual({ ok: true, transition: { next: "write", output: "done", lessons: [] } })
    expect(read({ next: "write", output: { a: 1 }, lessons: "one" })).toEqual({ ok: true, transition: { next: "write", output: '{\n  "a": 1\n}', lessons: ["one"] } })
  })

  it("with one possible next there is no choice to make", () => {
    expect(read({ output: "done" }, ["COMPLETE"])).toMatchObject({ ok: true, transition: { next: "COMPLETE" } })
    expect(read({ output: "done" })).toMatchObject({ ok: false })
  })

  it("a wrong one says what is possible", () => {
    expect(read({ next: "wirte", output: "x" })).toEqual({
      ok: false,
      error: 'the movement goes on:\n- next: must be one of "write" | "ABORT", not "wirte"; did you mean "write"?\nArguments of transition: {"next": "write" | "ABORT", "output": string, "lessons"?: string[]}',
    })
    expect(read({ next: "write" })).toMatchObject({ ok: false, error: expect.stringContaining("output: is missing") })
    expect(read('{"next": "write", "output": "half')).toMatchObject({ ok: false, error: expect.stringContaining("break off") })
    expect(read({ next: "COMPLETE", output: "x" }, ["write"])).toMatchObject({ ok: false })
  })
})
