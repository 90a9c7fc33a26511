// The dialects of chat streams, folded into one answer.
import { describe, expect, test } from "vitest"
import type { EphemeralEvent } from "../../src/job/event.ts"
import { AnswerFold, type FoldedAnswer } from "../../src/llm/answer.ts"

const fold = (...chunks: ReadonlyArray<unknown>): FoldedAnswer & { readonly events: ReadonlyArray<EphemeralEvent>; readonly started: boolean } => {
  const events: Array<EphemeralEvent> = []
  const answer = new AnswerFold((event) => events.push(event))
  for (const chunk of chunks) answer.push(chunk)
  return { ...answer.result(), events, started: answer.started }
}
const delta = (value: object, finish_reason: string | null = null): object => ({ choices: [{ index: 0, delta: value, finish_reason }] })
const calls = (...tool_calls: ReadonlyArray<unknown>): object => delta({ tool_calls })
const fn = (name: string | undefined, args: unknown): object => ({ ...(name === undefined ? {} : { name }), ...(args === undefined ? {} : { arguments: args }) })
const made = expect.stringMatching(/^call_[0-9a-f]{24}$/)

describe("tool calls", () => {
  test("in small deltas, several at once", () => {
    const got = fold(
      calls({ index: 0, id: "a", function: fn("Read", "") }), calls({ index: 1, id: "b", function: fn("Ls", "") }),
      calls({ index: 0, function: fn(undefined, '{"path":') }), calls({ index: 1, function: fn(undefined, "{}") }), calls({ index: 0, function: fn(undefined, '"x"}') }),
    )
    expect(got.calls).toEqual([{ call_id: "a", name: "Read", arguments: '{"path":"x"}' }, { call_id: "b", name: "Ls", arguments: "{}" }])
    expect(got.finish_reason).toBe("tool_calls")
    expect(got.events.map((e) => (e.event === "tool_use_delta" ? `${e.data.call_id} ${e.data.name} ${e.data.chunk}` : e.event))).toEqual(["a Read ", "b Ls ", 'a Read {"path":', "b Ls {}", 'a Read "x"}'])
  })

  test("whole in one delta, without index, with arguments as an object", () => {
    expect(fold(calls({ id: "a", function: fn("Read", { path: "x" }) }), calls({ id: "b", function: fn("Read", '{"path":"y"}') })).calls).toEqual([
      { call_id: "a", name: "Read", arguments: '{"path":"x"}' }, { call_id: "b", name: "Read", arguments: '{"path":"y"}' },
    ])
    expect(fold(calls({ function: fn("Read", "{}") }), calls({ function: fn("Read", "{}") })).calls).toHaveLength(2)
    expect(fold(calls({ function: fn("Read", '{"a"') }), calls({ function: fn(undefined, ":1}") })).calls).toEqual([{ call_id: made, name: "Read", arguments: '{"a":1}' }])
  })

  test("several under the same index are told apart by their ids", () => {
    expect(fold(calls({ index: 0, id: "a", function: fn("Read", "{}") }), calls({ index: 0, id: "b", function: fn("Ls", "{}") })).calls.map((c) => c.name)).toEqual(["Read", "Ls"])
  })

  test("missing, empty and doubled ids are replaced, good ones kept", () => {
    const got = fold(calls({ index: 0, id: "x", function: fn("A", "{}") }, { index: 1, id: "x", function: fn("B", "{}") }, { index: 2, id: "", function: fn("C", "{}") }, { index: 3, function: fn("D", "{}") }))
    expect(got.calls.map((c) => c.call_id)).toEqual(["x", made, made, made])
    expect(new Set(got.calls.map((c) => c.call_id)).size).toBe(4)
  })

  test("a name repeated in every delta is one name, one in pieces is joined", () => {
    expect(fold(calls({ index: 0, id: "a", function: fn("Read", "{") }), calls({ index: 0, id: "a", function: fn("Read", "}") })).calls).toEqual([{ call_id: "a", name: "Read", arguments: "{}" }])
    expect(fold(calls({ index: 0, id: "a", function: fn("Re", "") }), calls({ index: 0, function: fn("ad", "") })).calls[0]?.name).toBe("Read")
  })

  test("nonsense in their place is passed over", () => {
    expect(fold(calls(null, 7, { index: 0 }, { function: "x" }), delta({ tool_calls: "no" })).calls).toEqual([])
  })
})

describe("text and reasoning", () => {
  test("both names of the reasoning field, and a think block in the text", () => {
    expect(fold(delta({ reasoning_content: "a" }), delta({ reasoning: "b" }), delta({ content: "<think>c</think>d" }))).toMatchObject({ reasoning: "abc", text: "d" })
  })

  test("content as a list of parts", () => {
    expect(fold(delta({ content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }, { type: "text", text: "yes" }] }))).toMatchObject({ reasoning: "hm", text: "yes" })
  })

  test("an empty stream has not started, and neither has one with progress only", () => {
    expect(fold()).toMatchObject({ text: "", finish_reason: "stop", usage: null, model: null, started: false })
    const got = fold({ choices: [], prompt_progress: { total: 10, cache: 2, processed: 5, time_ms: 3.6 } }, delta({ role: "assistant", content: "" }))
    expect(got.started).toBe(false)
    expect(got.events).toEqual([{ event: "prompt_progress", data: { processed: 5, total: 10, time_ms: 4, cache: 2 } }])
  })

  test("a whole answer instead of deltas", () => {
    expect(fold({ model: "m", choices: [{ message: { content: "hi", tool_calls: [{ id: "a", function: fn("Read", "{}") }] }, finish_reason: "tool_calls" }] })).toMatchObject({ text: "hi", model: "m", calls: [{ call_id: "a" }] })
  })
})

describe("usage", () => {
  const usage = (value: object, more: object = {}) => fold({ choices: [], usage: value, ...more }).usage
  test("cached tokens wherever an endpoint puts them", () => {
    const base = { prompt_tokens: 10, completion_tokens: 2 }
    expect(usage({ ...base, prompt_tokens_details: { cached_tokens: 8 } })?.cached_tokens).toBe(8)
    expect(usage({ ...base, cached_tokens: 7 })?.cached_tokens).toBe(7)
    expect(usage({ ...base, prompt_cache_hit_tokens: 6 })?.cached_tokens).toBe(6)
    expect(usage(base, { timings: { cache_n: 5 } })?.cached_tokens).toBe(5)
    expect(usage({ ...base, prompt_tokens_details: null })).toEqual({ ...base, cached_tokens: 0 })
  })

  test("the last figures count, and figures inside a choice are found", () => {
    expect(fold({ usage: { prompt_tokens: 1 } }, { choices: [{ usage: { prompt_tokens: 5, completion_tokens: 3 } }] }).usage).toEqual({ prompt_tokens: 5, completion_tokens: 3, cached_tokens: 0 })
    expect(usage({ prompt_tokens: "many" })).toBeNull()
  })
})
