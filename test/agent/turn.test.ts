import { Cause, Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import type { Stop } from "../../src/agent/run.ts"
import { Transcript } from "../../src/agent/transcript.ts"
import { askModel, llmStop, newCalibration } from "../../src/agent/turn.ts"
import { LlmError } from "../../src/llm/LlmClient.ts"
import { movementOf, pieceOf, type Script, scriptedRun } from "../support/agentRun.ts"

const movement = movementOf()
const ask = async (script: Script, transcript = new Transcript({ system: "S", task: "T" }), limit_tokens = 32_000) => {
  const made = scriptedRun({ piece: pieceOf([movement]), script, limit_tokens })
  const calibration = newCalibration()
  const exit = await Effect.runPromiseExit(askModel({ run: made.run, movement, transcript, tools: [], tool_choice: "auto", calibration }).pipe(Effect.provide(made.llm)))
  return { ...made, transcript, calibration, stop: Exit.isFailure(exit) ? (Cause.squash(exit.cause) as Stop).outcome : null }
}

describe("one question to the model", () => {
  it("charges the endpoint's own figures and learns from them", async () => {
    const r = await ask(() => ({ text: "hi", usage: { prompt_tokens: 20, completion_tokens: 5, cached_tokens: 4 } }))
    expect(r.run.progress()).toMatchObject({ prompt_tokens: 20, completion_tokens: 5, cached_tokens: 4, llm_calls: 1, context_used_tokens: 25 })
    expect(r.calibration.chars_per_token).not.toBe(3.5)
  })

  it("estimates where the endpoint sends no figures", async () => {
    const r = await ask(() => ({ text: "hello", usage: null }))
    expect(r.run.progress().prompt_tokens).toBeGreaterThan(0)
    expect(r.calibration.chars_per_token).toBe(3.5)
  })

  it("gives calls whose id was used before a fresh one", async () => {
    const transcript = new Transcript({ system: "S", task: "T" })
    const answer = (turn: number) => ({ kind: "answer", movement: "work", turn, text: "", reasoning: "", calls: [{ call_id: "call_1_0", name: "Ls", arguments: "{}" }], usage: { prompt_tokens: 1, completion_tokens: 1, cached_tokens: 0 }, model: "", worker_id: "", backend_id: null, duration_ms: 0, ttft_ms: null, finish_reason: "" }) as const
    transcript.apply(answer(1))
    const r = await ask(() => ({ calls: [["Ls", {}]] }), transcript)
    const last = r.journal.at(-1)
    expect(last?.kind === "answer" && last.calls[0]!.call_id).toBe("call_1_0-2-0")
  })

  it("is not sent when the prompt cannot be brought under the guard", async () => {
    const r = await ask(() => ({ text: "never" }), new Transcript({ system: "S".repeat(20_000), task: "T" }), 1_000)
    expect(r.requests).toHaveLength(0)
    expect(r.stop).toMatchObject({ _tag: "Failed", abort_reason: "context", retryable: false })
  })

  it("keeps the endpoint's own message in the outcome of a refusal", () => {
    expect(llmStop(new LlmError({ reason: "status", status: 401, detail: "wrong key" })).outcome).toMatchObject({ error: expect.stringContaining("wrong key"), retryable: false })
  })
})
