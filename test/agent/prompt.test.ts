import { describe, expect, it } from "vitest"
import { isForced, nextsOf, systemPrompt, taskPrompt, timeNote } from "../../src/agent/prompt.ts"
import type { Movement, Piece } from "../../src/job/piece.ts"
import type { CommentRecord, TaskRecord } from "../../src/job/record.ts"

const movement: Movement = {
  name: "work", persona: null, instruction: "Do the task.", max_turns: 30, timeout_ms: 60_000,
  tools: [{ tool: "Read", with: {}, narrow: {}, once: false }],
  rules: [{ if: "it is done", next: "COMPLETE", resume: null }, { if: "it cannot be done", next: "ABORT", resume: null }],
}
const piece: Piece = { name: "general", description: "Any request", initial_movement: "work", max_movements: 20, model: null, budget: { turns: null, tokens: null, tool_calls: null, wall_time_ms: null }, movements: [movement] }
const task = { instruction: "Count the sheep.", output_format: "markdown", ask_policy: "low" } as TaskRecord
const context = { task, comments: [], input_files: ["input/notes.txt"], output_files: [], hand_off: null, continuation: null }
const prompt = (over: Partial<Parameters<typeof taskPrompt>[0]> = {}) => taskPrompt({ context, movement, instruction: movement.instruction, earlier: [], time: "It is Monday.", ...over })

describe("a movement's prompt", () => {
  it("states the task, the files and the time, and ends with the movement's instruction", () => {
    const text = prompt()
    expect(text).toContain("Count the sheep.")
    expect(text).toContain("Files in input/: input/notes.txt")
    expect(text.startsWith("It is Monday.")).toBe(true)
    expect(text.endsWith("Do the task.")).toBe(true)
  })

  it("names each rule's next with its condition in the system message", () => {
    const system = systemPrompt(piece, movement, "low")
    expect(system).toContain("- COMPLETE: it is done")
    expect(system).toContain("- ABORT: it cannot be done")
    expect(system).toContain("only when you are blocked")
    expect(systemPrompt(piece, movement, "high")).toContain("whenever a choice matters")
  })

  it("does not repeat the task or earlier outputs where the instruction places them", () => {
    const placing = { ...movement, instruction: "Text: {previous_output}\n{task}" }
    const text = prompt({ movement: placing, instruction: "Text: abc\nCount the sheep.", earlier: [{ movement: "read", next: "write", output: "abc" }] })
    expect(text.match(/Count the sheep/g)).toHaveLength(1)
    expect(text.match(/abc/g)).toHaveLength(1)
  })

  it("carries earlier movements' outputs, the person's comments and the hand-off, but not progress comments", () => {
    const comment = (kind: CommentRecord["kind"], body: string): CommentRecord => ({ id: 1, task_id: 1, job_id: null, author: "user", kind, body, mode: null, created_at: 0, injected_at: null })
    const text = prompt({
      earlier: [{ movement: "plan", next: "work", output: "three steps" }],
      context: { ...context, comments: [comment("message", "only black ones"), comment("progress", "{hidden}")], hand_off: "timed out before" },
    })
    for (const part of ["three steps", "only black ones", "timed out before"]) expect(text).toContain(part)
    expect(text).not.toContain("{hidden}")
  })

  it("says nothing about choices where every call is forced and one way leads on", () => {
    const forced: Movement = { ...movement, tools: [{ tool: "Read", with: {}, narrow: {}, once: true }], rules: [{ if: null, next: "write", resume: null }] }
    expect(isForced(forced)).toBe(true)
    expect(prompt({ movement: forced })).not.toContain("It is Monday.")
    expect(systemPrompt(piece, forced, "low")).not.toContain("transition")
    expect(isForced(movement)).toBe(false)
  })

  it("asks for JSON or plain text where the task wants it", () => {
    expect(prompt({ context: { ...context, task: { ...task, output_format: "json" } } })).toContain("as JSON")
  })

  it("gives the weekday and time in UTC and in the configured zone", () => {
    const now = Date.UTC(2026, 10, 22, 18, 45)
    expect(timeNote(now, "UTC")).toBe("It is Sunday 2026-11-22 18:45 UTC.")
    expect(timeNote(now, "Europe/Berlin")).toMatch(/^It is Sunday 2026-11-22 18:45 UTC \(.*19:45.* in Europe\/Berlin\)\.$/)
  })

  it("lists each possible next once, in the rules' order", () => {
    expect(nextsOf({ ...movement, rules: [...movement.rules, { if: null, next: "COMPLETE", resume: null }] })).toEqual(["COMPLETE", "ABORT"])
  })
})
