import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import type { Movement, Piece } from "../../src/job/piece.ts"
import type { JournalEntry } from "../../src/job/turn.ts"
import { play, positionOf } from "../../src/piece/play.ts"
import { movementOf, offered, pieceOf, rule, type Script, scriptedRun } from "../support/agentRun.ts"

const go = (next: string, output = "") => ({ calls: [["transition", { next, output }]] as const })

const playPiece = async (piece: Piece, script: Script, entries: ReadonlyArray<JournalEntry> = [], start_movement: string | null = null) => {
  const made = scriptedRun({ piece, script })
  const lessons: Array<unknown> = []
  const outcome = await Effect.runPromise(play({
    run: made.run, entries, start_movement, now: Date.UTC(2026, 10, 22, 18, 45), time_zone: "UTC",
    promptContext: Effect.succeed({ task: made.run.job.task, comments: [], input_files: [], output_files: [], hand_off: null, continuation: null }),
    offeredTools: (movement: Movement) => Effect.succeed(offered(movement)),
    saveLessons: (lines) => Effect.sync(() => { lessons.push(...lines) }),
  }).pipe(Effect.flatMap((played) => Effect.as(played.closing, played.outcome)), Effect.provide(made.llm)))
  return { ...made, outcome, lessons }
}

const plan = movementOf({ name: "plan", instruction: "Plan it.", rules: [rule("write", "the plan stands"), rule("ABORT", "it cannot be done")] })
const write = movementOf({ name: "write", instruction: "Write what was planned: {previous_output}", rules: [rule("COMPLETE", "it is written"), rule("plan", "the plan was wrong")] })
const piece = pieceOf([plan, write])

describe("playing a piece", () => {
  it("walks from movement to movement and succeeds with the last output", async () => {
    const r = await playPiece(piece, (_, n) => (n === 1 ? go("write", "three parts") : go("COMPLETE", "all written")))
    expect(r.outcome).toEqual({ _tag: "Succeeded", result: "all written" })
    expect(r.requests[1]!.messages[1]!.content).toContain("Write what was planned: three parts")
    expect(r.journal.map((e) => e.kind)).toEqual(["run", "movement", "answer", "results", "transition", "movement", "answer", "results", "transition"])
    expect(r.events.map((e) => e.event).filter((e) => e.startsWith("movement") || e === "status")).toEqual(["status", "movement_start", "movement_complete", "movement_start", "movement_complete"])
  })

  it("keeps one system message over the turns of a movement and starts each movement afresh", async () => {
    const r = await playPiece(piece, (_, n) => [{ calls: [["Ls", {}]] as const }, go("write"), go("COMPLETE")][n - 1]!)
    expect(r.requests[1]!.messages.slice(0, 2)).toEqual(r.requests[0]!.messages)
    expect(r.requests[2]!.messages).toHaveLength(2)
  })

  it("ends with the reason where the model chooses ABORT", async () => {
    const r = await playPiece(piece, () => go("ABORT", "no sources"))
    expect(r.outcome).toMatchObject({ _tag: "Failed", abort_reason: "abort", error: "no sources", retryable: false })
  })

  it("parks for a person where a rule leads to ASK", async () => {
    const asking = pieceOf([movementOf({ rules: [rule("COMPLETE", "done"), { if: "a choice is open", next: "ASK", resume: null }] })])
    const r = await playPiece(asking, () => go("ASK", "Red or blue?"))
    expect(r.outcome).toMatchObject({ _tag: "WaitingHuman", wait_reason: "question", question: "Red or blue?", call_id: null, resume_movement: "work" })
  })

  it("stops movements that lead to each other for ever at max_movements", async () => {
    const r = await playPiece({ ...piece, max_movements: 5 }, (request) => (JSON.stringify(request.messages).includes("Plan it.") ? go("write") : go("plan")))
    expect(r.outcome).toMatchObject({ _tag: "Failed", abort_reason: "max_movements" })
    expect(r.requests).toHaveLength(5)
  })

  it("saves lessons with the movement that they come from", async () => {
    const r = await playPiece(pieceOf([movementOf()]), () => ({ calls: [["transition", { next: "COMPLETE", output: "", lessons: ["look first"] }]] }))
    expect(r.lessons).toEqual([{ movement: "work", lesson: "look first" }])
  })

  it("starts a retried attempt where it is told to", async () => {
    const r = await playPiece(piece, () => go("COMPLETE", "x"), [], "write")
    expect(r.requests[0]!.messages[1]!.content).toContain("Write what was planned")
  })
})

describe("going on from the journal", () => {
  const script: Script = (_, n) => [{ calls: [["Ls", {}]] as const }, go("write", "planned"), { calls: [["Ls", { path: "input" }]] as const }, go("COMPLETE", "finished")][n - 1]!

  it("asks only for what was not journaled, whatever the commit after which the run stopped", async () => {
    const whole = await playPiece(piece, script)
    for (const cut of whole.commits) {
      const entries = whole.journal.slice(0, cut)
      const answered = entries.filter((e) => e.kind === "answer").length
      const rest = await playPiece(piece, (request, n) => script(request, answered + n), entries)
      expect(rest.outcome).toEqual({ _tag: "Succeeded", result: "finished" })
      expect(rest.requests).toHaveLength(4 - answered)
    }
  })

  it("repeats no prompt that was journaled: a resumed movement's messages begin as before", async () => {
    const whole = await playPiece(piece, script)
    const cut = whole.journal.findIndex((e) => e.kind === "results") + 1
    const rest = await playPiece(piece, (request, n) => script(request, 1 + n), whole.journal.slice(0, cut))
    expect(rest.requests[0]!.messages.slice(0, 4)).toEqual(whole.requests[1]!.messages)
    expect(rest.requests[0]!.messages[4]!.content).toContain("goes on now")
  })

  it("knows its position from the entries alone", () => {
    const transition = (movement: string, next: string): JournalEntry => ({ kind: "transition", movement, next, output: `${movement} out`, lessons: [], by: "model", duration_ms: 1 })
    const start = (movement: string): JournalEntry => ({ kind: "movement", movement, iteration: 1, at: 0, prompt: { system: "", task: "" } })
    expect(positionOf([], "plan")).toEqual({ earlier: [], started: 0, next: "plan", lastOutput: "" })
    expect(positionOf([start("plan"), transition("plan", "write"), start("write")], "plan")).toMatchObject({ started: 2, next: "write", lastOutput: "plan out" })
    expect(positionOf([start("plan"), transition("plan", "COMPLETE")], "plan")).toMatchObject({ next: "COMPLETE" })
  })
})
