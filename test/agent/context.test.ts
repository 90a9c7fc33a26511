import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { calibrate, keepFrom, nextStep, oldTurnsAsText, requestChars } from "../../src/agent/context.ts"
import { Transcript } from "../../src/agent/transcript.ts"

const ratios = { drop_results_ratio: 0.6, summarise_ratio: 0.75, prompt_guard_ratio: 0.9 }
const usage = { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0 }

const withTurns = (sizes: ReadonlyArray<number>): Transcript => {
  const transcript = new Transcript({ system: "S", task: "T" })
  sizes.forEach((size, index) => {
    const turn = index + 1
    transcript.apply({ kind: "answer", movement: "m", turn, text: "", reasoning: "", calls: [{ call_id: `c${turn}`, name: "Read", arguments: "{}" }], usage, model: "m", worker_id: "w", backend_id: null, duration_ms: 0, ttft_ms: 0, finish_reason: "tool_calls" })
    transcript.apply({ kind: "results", movement: "m", turn, results: [{ call_id: `c${turn}`, name: "Read", output: "x".repeat(size), is_error: false, duration_ms: 0, cache_hit: false }] })
  })
  return transcript
}
const tokensOf = (transcript: Transcript): number => Math.ceil(requestChars(transcript.messages(), []) / 3.5)

/** Applies steps as the loop does, with a summary of `summaryChars`, until the prompt is sent or refused. */
const settle = (transcript: Transcript, limit: number, summaryChars: number) => {
  for (let round = 0; round < 50; round++) {
    const step = nextStep(transcript, tokensOf(transcript), limit, ratios)
    if (step._tag === "Send" || step._tag === "TooLong") return { end: step._tag, rounds: round }
    transcript.apply(step._tag === "DropResults"
      ? { kind: "context", movement: "m", action: "drop_results", detail: "", dropped_call_ids: step.call_ids, summary: null, keep_from: 0 }
      : { kind: "context", movement: "m", action: "summarise", detail: "", dropped_call_ids: [], summary: "s".repeat(summaryChars), keep_from: step.keep_from })
  }
  return { end: "endless", rounds: 50 }
}

describe("the context manager", () => {
  it("always comes to an end, and what it sends is within the guard", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 40 }), fc.integer({ min: 500, max: 50_000 }), fc.integer({ min: 1, max: 2_000 }), (sizes, limit, summary) => {
      const transcript = withTurns(sizes)
      const { end } = settle(transcript, limit, summary)
      if (end === "Send") return tokensOf(transcript) <= limit * ratios.prompt_guard_ratio
      return end === "TooLong"
    }))
  })

  it("leaves the newest two turns word for word", () => {
    const transcript = withTurns([4_000, 4_000, 4_000, 900, 901])
    settle(transcript, 2_000, 200)
    const sent = JSON.stringify(transcript.messages())
    expect(sent).toContain("x".repeat(900))
    expect(sent).toContain("x".repeat(901))
    expect(sent).not.toContain("x".repeat(4_000))
  })

  it("drops old results before it pays for a summary", () => {
    const transcript = withTurns([3_000, 3_000, 100, 100])
    expect(nextStep(transcript, 1_400, 2_000, ratios)).toEqual({ _tag: "DropResults", call_ids: ["c1", "c2"] })
  })

  it("does nothing while there is room", () => {
    expect(nextStep(withTurns([3_000, 3_000, 3_000]), 1_000, 2_000, ratios)).toEqual({ _tag: "Send" })
  })

  it("keeps from the second newest answer on", () => {
    expect(keepFrom(withTurns([1, 1, 1]).items)).toBe(1)
    expect(keepFrom(withTurns([1]).items)).toBe(0)
  })

  it("learns the characters a token from the server's figures, within what tokenizers give", () => {
    expect(calibrate(4_000, 1_000)).toBe(4)
    expect(calibrate(4_000, 0)).toBe(3.5)
    expect(calibrate(4_000, 4)).toBe(8)
    expect(calibrate(10, 4_000)).toBe(1)
  })

  it("cuts the text to be summarised in the middle", () => {
    const text = oldTurnsAsText(withTurns([5_000, 5_000, 10, 10]), 2, 1_000)
    expect(text.length).toBeLessThanOrEqual(1_000)
    expect(text).toContain("… (cut) …")
  })
})
