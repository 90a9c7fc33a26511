import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Cause, Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import { type CallContext, resultEvent, runCalls, textResult } from "../../src/agent/calls.ts"
import { Repetition } from "../../src/agent/limits.ts"
import { OnceTracker } from "../../src/agent/offered.ts"
import type { Stop } from "../../src/agent/run.ts"
import { type AnswerItem, Transcript } from "../../src/agent/transcript.ts"
import type { ToolCall } from "../../src/job/turn.ts"
import { ReadCache } from "../../src/tools/run.ts"
import { entry, movementOf, offered, pieceOf, scriptedRun } from "../support/agentRun.ts"

const movement = movementOf({ tools: ["Read", "Write", "Edit", "CreateChecklist"].map(entry) })
const call = (name: string, args: unknown, i: number): ToolCall => ({ call_id: `c${i}`, name, arguments: JSON.stringify(args) })

const run = async (calls: ReadonlyArray<ToolCall>, options: { readonly files?: Record<string, string>; readonly tool_calls?: number; readonly max?: number; readonly resumed?: boolean } = {}) => {
  const piece = pieceOf([movement])
  const made = scriptedRun({ piece: { ...piece, budget: { ...piece.budget, tool_calls: options.max ?? null } }, script: () => ({}) })
  for (const [path, text] of Object.entries(options.files ?? {})) writeFileSync(join(made.workspace, path), text)
  const transcript = new Transcript({ system: "", task: "" })
  transcript.apply({ kind: "answer", movement: "work", turn: 1, text: "", reasoning: "", calls, usage: { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0 }, model: "", worker_id: "", backend_id: null, duration_ms: 0, ttft_ms: null, finish_reason: "" })
  const port = { ...made.run, progress: () => ({ ...made.run.progress(), tool_calls: options.tool_calls ?? calls.length }) }
  const context: CallContext = { run: port, movement: "work", tools: offered(movement), once: new OnceTracker(), cache: new ReadCache(), repetition: new Repetition(), max_output_chars: 2_000 }
  const item = transcript.items[0] as AnswerItem
  const exit = await Effect.runPromiseExit(runCalls(context, transcript, item, calls, options.resumed ?? false))
  return { ...made, item, stop: Exit.isFailure(exit) ? (Cause.squash(exit.cause) as Stop).outcome : null }
}

describe("the calls of one answer", () => {
  it("are committed in one step when all are read-only, in the calls' order", async () => {
    const r = await run([call("Read", { path: "input/a" }, 0), call("Read", { path: "input/b" }, 1)], { files: { "input/a": "A", "input/b": "B" } })
    expect(r.journal).toHaveLength(1)
    expect([...r.item.results.values()].map((result) => result.output)).toEqual(["A", "B"])
  })

  it("run in order and are committed one by one when one of them writes, so that at most one is ever unknown", async () => {
    const r = await run([call("Write", { path: "output/a", content: "1" }, 0), call("Edit", { path: "output/a", old_string: "1", new_string: "2" }, 1), call("Read", { path: "output/a" }, 2)])
    expect(r.journal).toHaveLength(3)
    expect(readFileSync(join(r.workspace, "output/a"), "utf8").trim()).toBe("2")
    expect(r.item.results.get("c2")?.output.trim()).toBe("2")
  })

  it("answer a second equal read from the cache and say so", async () => {
    const r = await run([call("Write", { path: "output/z", content: "z" }, 0), call("Read", { path: "input/a" }, 1), call("Read", { path: "input/a" }, 2)], { files: { "input/a": "A" } })
    expect([...r.item.results.values()].map((result) => result.cache_hit)).toEqual([false, false, true])
    expect(r.events.filter((event) => event.event === "tool_result" && event.data.cache_hit)).toHaveLength(1)
  })

  it("stop before a call that the budget does not cover", async () => {
    const r = await run([call("Write", { path: "output/a", content: "1" }, 0)], { max: 3, tool_calls: 4 })
    expect(r.stop).toMatchObject({ _tag: "Failed", abort_reason: "budget" })
    expect(r.item.results.size).toBe(0)
  })

  it("commit a checklist's event with its result", async () => {
    const r = await run([call("CreateChecklist", { name: "plan", items: ["one", "two"] }, 0)])
    expect(r.events.map((event) => event.event)).toEqual(["tool_result", "checklist"])
  })

  it("run only what has no result yet", async () => {
    const calls = [call("Edit", { path: "output/a", old_string: "x", new_string: "y" }, 0)]
    const r = await run(calls, { files: { "output/a": "x" }, resumed: true })
    expect(r.item.results.get("c0")?.output).toContain("unknown")
    expect(readFileSync(join(r.workspace, "output/a"), "utf8")).toBe("x")
  })
})

describe("a result's event", () => {
  it("is cut to 2 KiB between characters and says how much is missing", () => {
    const outputOf = (text: string) => {
      const event = resultEvent(textResult(call("Read", {}, 0), text, false))
      return event.event === "tool_result" && event.data.output
    }
    expect(outputOf("x".repeat(5_000))).toMatch(/^x{2048}… \(2952 more bytes\)$/)
    expect(outputOf("ä".repeat(2_000))).toBe(`${"ä".repeat(1024)}… (1952 more bytes)`)
    expect(outputOf("short")).toBe("short")
  })
})
