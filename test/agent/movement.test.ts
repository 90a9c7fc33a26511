import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Cause } from "effect"
import { describe, expect, it } from "vitest"
import { type MovementEnd, playMovement } from "../../src/agent/movement.ts"
import { Stop } from "../../src/agent/run.ts"
import { Transcript } from "../../src/agent/transcript.ts"
import type { Outcome } from "../../src/job/outcome.ts"
import type { Movement } from "../../src/job/piece.ts"
import type { JournalEntry } from "../../src/job/turn.ts"
import { LlmError } from "../../src/llm/LlmClient.ts"
import { entry, movementOf, offered, pieceOf, rule, type Script, scriptedRun } from "../support/agentRun.ts"

const done = (output = "done") => ({ calls: [["transition", { next: "COMPLETE", output }]] as const })

const playWith = async (script: Script, options: {
  readonly movement?: Movement; readonly limit_tokens?: number; readonly ask_count?: number; readonly budget?: Partial<ReturnType<typeof pieceOf>["budget"]>
  readonly files?: Record<string, string>; readonly transcript?: Transcript; readonly resumed?: boolean; readonly draining?: () => boolean
  readonly once?: ReadonlyArray<{ readonly tool: string; readonly arg: string | null; readonly values: ReadonlyArray<unknown> }>
} = {}) => {
  const movement = options.movement ?? movementOf()
  const piece = pieceOf([movement])
  const made = scriptedRun({
    piece: { ...piece, budget: { ...piece.budget, ...options.budget } }, script,
    ...(options.limit_tokens === undefined ? {} : { limit_tokens: options.limit_tokens }), ...(options.ask_count === undefined ? {} : { ask_count: options.ask_count }), ...(options.draining === undefined ? {} : { draining: options.draining }),
  })
  for (const [path, text] of Object.entries(options.files ?? {})) writeFileSync(join(made.workspace, path), text)
  const tools = offered(movement).map((tool) => ({ ...tool, once: options.once?.find((o) => o.tool === tool.tool.name) ?? null }))
  const exit = await Effect.runPromiseExit(playMovement({ run: made.run, movement, tools, transcript: options.transcript ?? new Transcript({ system: "S", task: "T" }), resumed: options.resumed ?? false }).pipe(Effect.provide(made.llm)))
  const stop = Exit.isFailure(exit) ? Cause.squash(exit.cause) : null
  if (stop !== null && !(stop instanceof Stop)) throw stop
  const outcome: Outcome | null = stop?.outcome ?? null
  const end: MovementEnd | null = Exit.isSuccess(exit) ? exit.value : null
  const toolMessages = (n: number) => made.requests[n]?.messages.filter((m) => m.role === "tool").map((m) => m.content ?? "") ?? []
  return { ...made, end, outcome, toolMessages }
}
const failed = (outcome: Outcome | null) => (outcome?._tag === "Failed" ? outcome : null)

describe("a movement", () => {
  it("runs the model's calls and ends by its transition, with lessons", async () => {
    const r = await playWith((_, n) => [
      { calls: [["Read", { path: "input/notes.txt" }]] as const },
      { calls: [["Write", { path: "output/a.md", content: "x\n" }]] as const },
      { calls: [["transition", { next: "COMPLETE", output: "written", lessons: ["read first"] }]] as const },
    ][n - 1]!, { files: { "input/notes.txt": "alpha\n" } })
    expect(r.end).toMatchObject({ next: "COMPLETE", output: "written", lessons: ["read first"], by: "model" })
    expect(readFileSync(join(r.workspace, "output/a.md"), "utf8")).toBe("x\n")
    expect(r.toolMessages(1)).toEqual(["alpha\n"])
  })

  it("journals each answer before its calls run and each result before the next question", async () => {
    const r = await playWith((_, n) => (n === 1 ? { calls: [["Ls", {}]] } : done()))
    expect(r.journal.map((e) => e.kind)).toEqual(["answer", "results", "answer"])
    expect(r.end?.closing.entries.map((e) => e.kind)).toEqual(["results"])
    expect(r.events.map((e) => e.event)).toEqual(["llm_call", "context", "tool_use", "tool_result", "llm_call", "context", "tool_use"])
  })

  it("offers only the listed tools and transition", async () => {
    const r = await playWith(() => done(), { movement: movementOf({ tools: [entry("Read")] }) })
    expect(r.requests[0]!.tools.map((t) => t.function.name)).toEqual(["Read", "transition"])
  })

  it("nudges a model that stops with text twice, then gives up with no_transition", async () => {
    const r = await playWith(() => ({ text: "I am finished." }))
    expect(r.requests).toHaveLength(3)
    expect(failed(r.outcome)).toMatchObject({ abort_reason: "no_transition", retryable: false })
  })

  it("takes the movement's default rule after two nudges", async () => {
    const r = await playWith(() => ({ text: "whatever" }), { movement: movementOf({ rules: [rule("ABORT", "it cannot be done"), rule("COMPLETE")] }) })
    expect(r.end).toMatchObject({ next: "COMPLETE", output: "whatever", by: "runtime" })
    expect(r.requests).toHaveLength(3)
  })

  it("needs no choice where one next is possible: text ends it, an empty answer is nudged", async () => {
    const r = await playWith((_, n) => (n === 1 ? {} : { text: "the result" }), { movement: movementOf({ rules: [rule("COMPLETE")] }) })
    expect(r.end).toMatchObject({ next: "COMPLETE", output: "the result" })
    expect(r.requests).toHaveLength(2)
  })

  it("points out the third equal call in a row and aborts at the fifth", async () => {
    const r = await playWith(() => ({ calls: [["Ls", { path: "input" }]] }))
    expect(failed(r.outcome)).toMatchObject({ abort_reason: "loop", retryable: false })
    expect(r.requests).toHaveLength(5)
    expect(r.toolMessages(2).at(-1)).not.toContain("3 times")
    expect(r.toolMessages(3).at(-1)).toContain("3 times in a row")
  })

  it("tells the model which tools there are when it calls an unknown one", async () => {
    const r = await playWith((_, n) => (n === 1 ? { calls: [["Teleport", {}]] } : done()))
    expect(r.toolMessages(1)[0]).toMatch(/no tool "Teleport".*Read, Ls, Write, Edit|no tool "Teleport".*Read/)
    expect(r.end?.next).toBe("COMPLETE")
  })

  it("repairs arguments where that is safe and returns the schema where it is not", async () => {
    const r = await playWith((_, n) => [{ calls: [["Read", "{\"path\": \"input/a.txt\""]] as const }, { calls: [["Read", "<<nothing>>"]] as const }, done()][n - 1]!, { files: { "input/a.txt": "alpha" } })
    expect(r.toolMessages(1)[0]).toContain("alpha")
    expect(r.toolMessages(2)[1]).toMatch(/path/)
    expect(r.end?.next).toBe("COMPLETE")
  })

  it("runs the other calls of a turn first and voids the transition when one of them fails", async () => {
    const r = await playWith((_, n) => (n === 1 ? { calls: [["transition", { next: "COMPLETE", output: "early" }], ["Read", { path: "input/missing" }]] } : done("late")))
    expect(r.end?.output).toBe("late")
    expect(r.toolMessages(1)[0]).toContain("not made because Read failed")
  })

  it("refuses a next that no rule names", async () => {
    const r = await playWith((_, n) => (n === 1 ? { calls: [["transition", { next: "NOWHERE", output: "" }]] } : done()))
    expect(r.toolMessages(1)[0]).toContain("COMPLETE")
    expect(r.end?.next).toBe("COMPLETE")
  })

  it("ends at max_turns", async () => {
    const r = await playWith((_, n) => ({ calls: [["Ls", { path: n % 2 ? "input" : "output" }]] }), { movement: movementOf({ max_turns: 4 }) })
    expect(failed(r.outcome)).toMatchObject({ abort_reason: "max_turns" })
    expect(r.requests).toHaveLength(4)
  })

  it("fails the attempt, retryably, when its own timeout passes", async () => {
    const movement = movementOf({ timeout_ms: 50 })
    const made = scriptedRun({ piece: pieceOf([movement]), script: () => ({ calls: [["Ls", {}]] }) })
    const never = { ...made.run, record: () => Effect.never }
    const exit = await Effect.runPromiseExit(playMovement({ run: never, movement, tools: offered(movement), transcript: new Transcript({ system: "", task: "" }), resumed: false }).pipe(Effect.provide(made.llm)))
    expect(Exit.isFailure(exit) && (Cause.squash(exit.cause) as Stop).outcome).toMatchObject({ abort_reason: "timeout", retryable: true })
  })

  it("stops when the piece's budget is spent and says which part", async () => {
    const r = await playWith((_, n) => ({ calls: [["Ls", { path: n % 2 ? "input" : "output" }]] }), { budget: { turns: 3 } })
    expect(failed(r.outcome)).toMatchObject({ abort_reason: "budget" })
    expect(failed(r.outcome)!.error).toContain("turns: 3 of 3")
    expect(r.requests).toHaveLength(3)
  })

  it("hands the job back before the next question when the node drains", async () => {
    const r = await playWith(() => done(), { draining: () => true })
    expect(r.outcome).toMatchObject({ _tag: "GivenBack", cause: "shutdown" })
    expect(r.requests).toHaveLength(0)
  })

  it("parks the job for a question, and after the allowed number lets the model decide itself", async () => {
    const ask: Script = (_, n) => (n === 1 ? { calls: [["AskUser", { question: "Which colour?", options: ["red", "blue"] }]] } : done())
    const movement = movementOf({ tools: [entry("AskUser")] })
    expect((await playWith(ask, { movement })).outcome).toMatchObject({ _tag: "WaitingHuman", wait_reason: "question", question: "Which colour?", options: ["red", "blue"], call_id: "call_1_0", resume_movement: "work" })
    const r = await playWith(ask, { movement, ask_count: 3 })
    expect(r.toolMessages(1)[0]).toContain("decide yourself")
    expect(r.end?.next).toBe("COMPLETE")
  })

  it("turns each kind of LLM failure into its outcome", async () => {
    const outcomes: Array<unknown> = []
    for (const reason of ["connect", "model", "status", "overloaded", "silent", "timeout", "context"] as const) {
      const r = await playWith(() => new LlmError({ reason, status: null, detail: "d" }))
      outcomes.push(r.outcome?._tag === "Failed" ? [reason, r.outcome.abort_reason, r.outcome.retryable] : [reason, r.outcome?._tag])
    }
    expect(outcomes).toEqual([
      ["connect", "GivenBack"], ["model", "GivenBack"], ["status", "llm_error", false], ["overloaded", "llm_error", true],
      ["silent", "llm_error", true], ["timeout", "timeout", true], ["context", "context", false],
    ])
  })
})

describe("calls that the runtime asks for", () => {
  const movement = movementOf({ tools: [entry("Read")], rules: [rule("write")] })

  it("are forced, once for each value, and then the movement ends by itself with their results", async () => {
    const r = await playWith((request) => {
      const path = (request.tools[0]!.function.parameters["properties"] as { path: { enum: ReadonlyArray<string> } }).path.enum[0]
      return { calls: [["Read", { path }]] }
    }, { movement, files: { "input/a.txt": "alpha", "input/b.txt": "beta" }, once: [{ tool: "Read", arg: "path", values: ["input/a.txt", "input/b.txt"] }] })
    expect(r.requests.map((q) => q.tool_choice)).toEqual([{ type: "function", function: { name: "Read" } }, { type: "function", function: { name: "Read" } }])
    expect(r.end).toMatchObject({ next: "write", output: "alpha\n\nbeta", by: "runtime" })
  })

  it("pass over one of several values whose call has failed twice", async () => {
    const r = await playWith((request) => {
      const path = (request.tools[0]!.function.parameters["properties"] as { path: { enum: ReadonlyArray<string> } }).path.enum[0]
      return { calls: [["Read", { path }]] }
    }, { movement, files: { "input/b.txt": "beta" }, once: [{ tool: "Read", arg: "path", values: ["input/gone.txt", "input/b.txt"] }] })
    expect(r.requests).toHaveLength(3)
    expect(r.end).toMatchObject({ next: "write", output: "beta" })
  })

  it("end the movement without a question where there is nothing to call them with", async () => {
    const forced = { ...movement, tools: [{ ...entry("Read"), once: true }] }
    const made = scriptedRun({ piece: pieceOf([forced]), script: () => ({ text: "never asked" }) })
    const end = await Effect.runPromise(playMovement({ run: made.run, movement: forced, tools: [], transcript: new Transcript({ system: "", task: "" }), resumed: false }).pipe(Effect.provide(made.llm)))
    expect(end).toMatchObject({ next: "write", output: "", by: "runtime" })
    expect(made.requests).toEqual([])
  })

  it("are asked for again when they failed, and the movement cannot end before", async () => {
    const r = await playWith((_, n) => [{ calls: [["Read", { path: "input/none" }]] as const }, { calls: [["transition", { next: "write", output: "" }]] as const }, { calls: [["Read", { path: "input/a.txt" }]] as const }][n - 1]!,
      { movement, files: { "input/a.txt": "alpha" }, once: [{ tool: "Read", arg: null, values: [] }] })
    expect(r.requests).toHaveLength(3)
    expect(r.toolMessages(2)[1]).toContain("cannot end before Read")
    expect(r.end?.output).toBe("alpha")
  })
})

describe("a movement that goes on from the journal", () => {
  const answer = (calls: ReadonlyArray<readonly [string, unknown]>): JournalEntry => ({
    kind: "answer", movement: "work", turn: 1, text: "", reasoning: "", usage: { prompt_tokens: 1, completion_tokens: 1, cached_tokens: 0 }, model: "m", worker_id: "w", backend_id: null, duration_ms: 0, ttft_ms: 0, finish_reason: "",
    calls: calls.map(([name, args], i) => ({ call_id: `c${i}`, name, arguments: JSON.stringify(args) })),
  })
  const from = (...entries: ReadonlyArray<JournalEntry>) => {
    const transcript = new Transcript({ system: "S", task: "T" })
    for (const e of entries) transcript.apply(e)
    return transcript
  }

  it("runs open read-only calls again and asks for no journaled answer", async () => {
    const r = await playWith(() => done(), { transcript: from(answer([["Read", { path: "input/a.txt" }]])), resumed: true, files: { "input/a.txt": "alpha" } })
    expect(r.requests).toHaveLength(1)
    expect(r.toolMessages(0)).toEqual(["alpha"])
  })

  it("tells the model that an effectful call's outcome is unknown and runs the ones after it", async () => {
    const r = await playWith(() => done(), {
      transcript: from(answer([["Edit", { path: "output/a.md", old_string: "a", new_string: "b" }], ["Write", { path: "output/b.md", content: "b" }]])), resumed: true, files: { "output/a.md": "a" },
    })
    expect(r.toolMessages(0)[0]).toContain("outcome of this call is unknown")
    expect(readFileSync(join(r.workspace, "output/a.md"), "utf8")).toBe("a")
    expect(existsSync(join(r.workspace, "output/b.md"))).toBe(true)
  })

  it("repeats an idempotent call that may have been started", async () => {
    const r = await playWith(() => done(), { transcript: from(answer([["Write", { path: "output/b.md", content: "b" }]])), resumed: true })
    expect(readFileSync(join(r.workspace, "output/b.md"), "utf8")).toMatch(/^b\n?$/)
  })
})

describe("a long movement on a small context", () => {
  it("stays within 4,096 tokens over 30 turns, dropping old results and then summarising", async () => {
    const limit = 4_096
    const sizes: Array<number> = []
    const r = await playWith((request, n) => {
      const chars = JSON.stringify(request.messages).length + (request.tools.length > 0 ? JSON.stringify(request.tools).length : 0)
      const prompt_tokens = Math.ceil(chars / 3.2)
      sizes.push(prompt_tokens)
      const usage = { prompt_tokens, completion_tokens: 60, cached_tokens: 0 }
      if (request.tools.length === 0) return { text: "Notes: files were read up to here.", usage }
      return n > 60 || r30(request) ? { ...done(), usage } : { calls: [["Read", { path: `input/f${n}.txt` }]], text: `Thinking about part ${n}. `.repeat(6), usage }
    }, { limit_tokens: limit, movement: movementOf({ max_turns: 40 }), files: Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`input/f${i}.txt`, `line ${i}\n`.repeat(300)])) })
    expect(r.end?.next).toBe("COMPLETE")
    expect(r.journal.filter((e) => e.kind === "answer").length).toBeGreaterThanOrEqual(30)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(limit * 0.9)
    const actions = r.journal.flatMap((e) => (e.kind === "context" ? [e.action] : []))
    expect(actions).toContain("drop_results")
    expect(actions).toContain("summarise")
  })
  let asked = 0
  const r30 = (request: { readonly tools: ReadonlyArray<unknown> }): boolean => request.tools.length > 0 && ++asked > 30
})
