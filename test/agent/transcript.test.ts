import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { foldMovement, Transcript } from "../../src/agent/transcript.ts"
import type { JournalEntry, ToolResult } from "../../src/job/turn.ts"
import type { ChatMessage } from "../../src/llm/LlmClient.ts"

const usage = { prompt_tokens: 10, completion_tokens: 2, cached_tokens: 0 }
const answer = (turn: number, calls: ReadonlyArray<string>, text = ""): JournalEntry => ({
  kind: "answer", movement: "work", turn, text, reasoning: "", calls: calls.map((name, i) => ({ call_id: `c${turn}-${i}`, name, arguments: "{\"path\":\"a\"}" })),
  usage, model: "m", worker_id: "w", backend_id: null, duration_ms: 1, ttft_ms: 1, finish_reason: "stop",
})
const result = (call_id: string, output = "ok"): ToolResult => ({ call_id, name: "Read", output, is_error: false, duration_ms: 1, cache_hit: false })
const results = (turn: number, ids: ReadonlyArray<string>, output?: string): JournalEntry => ({ kind: "results", movement: "work", turn, results: ids.map((id) => result(id, output)) })
const start: JournalEntry = { kind: "movement", movement: "work", iteration: 1, at: 0, prompt: { system: "S", task: "T" } }

/** A history as the loop writes it: answers with calls and all their results, or text followed by a note. */
const history = fc.array(fc.record({ calls: fc.integer({ min: 0, max: 4 }), text: fc.string({ maxLength: 20 }) }), { maxLength: 12 }).map((turns) =>
  turns.flatMap(({ calls, text }, i): Array<JournalEntry> => {
    const turn = i + 1
    const ids = Array.from({ length: calls }, (_, n) => `c${turn}-${n}`)
    return calls === 0
      ? [answer(turn, [], text), { kind: "note", movement: "work", text: "go on", comment_ids: [] }]
      : [answer(turn, ids.map(() => "Read"), text), results(turn, ids)]
  }))

const paired = (messages: ReadonlyArray<ChatMessage>): boolean => {
  let open: Array<string> = []
  for (const message of messages) {
    if (message.role === "tool") {
      if (open.shift() !== message.tool_call_id) return false
    } else {
      if (open.length > 0) return false
      open = message.tool_calls?.map((call) => call.id) ?? []
    }
  }
  return open.length === 0
}

describe("the transcript of a movement", () => {
  it("pairs each call with one tool message in the calls' order, whatever the history", () => {
    fc.assert(fc.property(history, (entries) => {
      const folded = foldMovement([start, ...entries])
      return folded !== null && paired(folded.messages())
    }))
  })

  it("extends the prompt before it unchanged with every turn", () => {
    fc.assert(fc.property(history, (entries) => {
      const transcript = new Transcript({ system: "S", task: "T" })
      let before = transcript.messages()
      for (const entry of entries) {
        transcript.apply(entry)
        if (transcript.pending() !== null && entry.kind === "answer") continue
        const now = transcript.messages()
        expect(now.slice(0, before.length)).toEqual(before)
        before = now
      }
    }))
  })

  it("is the same whether it was built turn by turn or folded from the journal", () => {
    fc.assert(fc.property(history, (entries) => {
      const live = new Transcript({ system: "S", task: "T" })
      for (const entry of entries) live.apply(entry)
      expect(foldMovement([start, ...entries])?.messages()).toEqual(live.messages())
    }))
  })

  it("names the answer that is still to be dealt with", () => {
    const transcript = foldMovement([start, answer(1, ["Read", "Read"]), results(1, ["c1-0"])])
    expect(transcript?.pending()?.turn).toBe(1)
    transcript?.apply(results(1, ["c1-1"]))
    expect(transcript?.pending()).toBeNull()
  })

  it("puts no message between a call and its result when a run goes on in the middle of them", () => {
    const transcript = foldMovement([start, answer(1, ["Read"]), { kind: "run", attempt: 1, note: "goes on" }, results(1, ["c1-0"])])
    expect(paired(transcript!.messages())).toBe(true)
  })

  it("replaces summarised turns by the summary and dropped results by a remark, and keeps the pairing", () => {
    const transcript = foldMovement([start, answer(1, ["Read"]), results(1, ["c1-0"], "long"), answer(2, ["Read"]), results(2, ["c2-0"], "new")])!
    transcript.apply({ kind: "context", movement: "work", action: "drop_results", detail: "", dropped_call_ids: ["c1-0"], summary: null, keep_from: 0 })
    expect(JSON.stringify(transcript.messages())).not.toContain("long")
    transcript.apply({ kind: "context", movement: "work", action: "summarise", detail: "", dropped_call_ids: [], summary: "the gist", keep_from: 1 })
    const messages = transcript.messages()
    expect(messages.map((m) => m.role)).toEqual(["system", "user", "user", "assistant", "tool"])
    expect(messages[2]?.content).toContain("the gist")
    expect(paired(messages)).toBe(true)
  })

  it("sends arguments that are no JSON object as an empty one, since servers' templates parse them", () => {
    const transcript = new Transcript({ system: "S", task: "T" })
    transcript.apply({ ...(answer(1, []) as Extract<JournalEntry, { kind: "answer" }>), calls: [{ call_id: "x", name: "Read", arguments: "{\"path\": " }] })
    transcript.apply(results(1, ["x"]))
    expect(transcript.messages()[2]?.tool_calls?.[0]?.function.arguments).toBe("{}")
  })

  it("has no open movement after a transition", () => {
    const transition: JournalEntry = { kind: "transition", movement: "work", next: "COMPLETE", output: "", lessons: [], by: "model", duration_ms: 1 }
    expect(foldMovement([start, answer(1, [], "done"), transition])).toBeNull()
  })
})
