import { describe, expect, it } from "vitest"
import { outputTo } from "../../src/cli/output.ts"
import { Progress } from "../../src/cli/progress.ts"
import type { TaskEvent } from "../../src/cli/shapes.ts"
import { DURABLE_EVENTS, EPHEMERAL_EVENTS } from "../../src/job/event.ts"
import { memorySink } from "../support/fakeApi.ts"

const ROOT = "root"
const event = (name: string, data: Record<string, unknown> = {}): TaskEvent => ({ id: "1", event: name, data: { job_id: ROOT, at: "2026-01-01T00:00:00Z", ...data } })
const usage = { prompt_tokens: 512, completion_tokens: 20, cached_tokens: 0 }
const call = (text: string): TaskEvent => event("llm_call", { duration_ms: 1200, ttft_ms: 10, usage, model: "m", backend_id: null, text })

const played = (events: ReadonlyArray<TaskEvent>, isTTY = false): string => {
  const sink = memorySink({ isTTY, columns: 100 })
  const progress = new Progress(outputTo(sink, { env: {}, colour: false }), () => ROOT)
  for (const one of events) progress.show(one)
  progress.close()
  return sink.text()
}

describe("plain lines", () => {
  it("tell a run: status, movement, text, call with arguments and duration, figures with the context, end of the movement", () => {
    expect(played([
      event("status", { status: "running", worker_id: "w1", attempt: 1 }), event("movement_start", { movement: "work" }),
      event("text", { text: "Read" }), event("text", { text: "ing.\nNow" }), call("Reading.\nNow"), event("context", { used_tokens: 532, limit_tokens: 8192 }),
      event("tool_use", { call_id: "c", name: "Read", input: { path: "input/a.txt" } }),
      event("tool_result", { call_id: "c", name: "Read", is_error: false, output: "x", duration_ms: 3, cache_hit: false }),
      event("movement_complete", { movement: "work", next: "COMPLETE", output: "o", duration_ms: 2300 }),
    ])).toBe([
      "running on w1", "movement work", "  Reading.", "  Now", "  model m, 1.2 s, 512 prompt + 20 new tokens · context 532 of 8,192 tokens (6 %)",
      '  tool Read(path: "input/a.txt")', "  tool Read ok, 3 ms", "  work → COMPLETE, 2.3 s", "",
    ].join("\n"))
  })

  it("show the first line of a failed call's output, and that a result came from the cache", () => {
    const text = played([
      event("tool_use", { call_id: "c", name: "Read", input: { path: "x" } }), event("tool_result", { call_id: "c", name: "Read", is_error: true, output: "no such file\nmore", duration_ms: 1, cache_hit: false }),
      event("tool_use", { call_id: "d", name: "Ls", input: {} }), event("tool_result", { call_id: "d", name: "Ls", is_error: false, output: "", duration_ms: 0, cache_hit: true }),
    ])
    expect(text).toContain("tool Read failed, 1 ms\n    no such file⏎more\n")
    expect(text).toContain("tool Ls ok, 0 ms, from the cache\n")
  })

  it("show a context action, retries with their reason, questions with options, and comments of people", () => {
    const text = played([
      event("context", { used_tokens: 100, limit_tokens: 1000, action: "drop_results" }),
      event("status", { status: "retry", attempt: 2, reason: "LLM overloaded 500" }),
      event("ask", { question: "Which colour?", options: ["red", "blue"] }),
      event("comment", { comment_id: 1, author: "user", kind: "message", body: "hurry" }),
      event("comment", { comment_id: 2, author: "agent", kind: "progress", body: "{}" }),
      event("checklist", { name: "todo", items: [], summary: "1 of 2 done" }),
    ])
    expect(text).toBe("  context: drop results; now 100 of 1,000 tokens (10 %)\nretry attempt 2 (LLM overloaded 500)\nquestion: Which colour?\n  - red\n  - blue\n  user: hurry\n  checklist todo: 1 of 2 done\n")
  })

  it("mark what a sub-job does", () => {
    expect(played([event("tool_use", { job_id: "0190abcdef", call_id: "c", name: "Ls", input: {} })])).toBe("  [sub-job 0190abcd] tool Ls()\n")
  })
})

describe("text of a turn", () => {
  it("is written from the journal when the live stream was missed", () => {
    expect(played([call("all of it")])).toContain("  all of it\n  model m")
  })

  it("is completed when the stream began late", () => {
    expect(played([event("text", { text: "all" }), call("all of it")])).toContain("  all of it\n")
  })

  it("is written anew when a cut stream was asked again", () => {
    expect(played([event("text", { text: "half an" }), call("another answer")])).toContain("  half an\n  another answer\n")
  })

  it("never repeats what was streamed", () => {
    expect(played([event("text", { text: "once" }), call("once"), event("text", { text: "twice" }), call("twice")]).match(/once|twice/g)).toEqual(["once", "twice"])
  })

  it("cannot move the cursor", () => {
    expect(played([event("text", { text: "a\u001b[2Jb" }), event("tool_use", { call_id: "c", name: "Read\u001b[1m", input: { p: "\u0007" } })])).not.toContain("\u001b")
  })
})

describe("at a terminal", () => {
  it("a call is one line with its duration, and the live line shows what goes on", () => {
    const text = played([
      event("movement_start", { movement: "work" }), event("context", { used_tokens: 4096, limit_tokens: 8192 }), event("prompt_progress", { processed: 512, total: 1024, time_ms: 1, cache: 0 }),
      event("tool_use_delta", { call_id: "c", name: "Write", chunk: "x".repeat(1500) }),
      event("tool_use", { call_id: "c", name: "Write", input: { path: "a" } }), event("tool_result", { call_id: "c", name: "Write", is_error: false, output: "", duration_ms: 5, cache_hit: false }),
    ], true)
    expect(text).toContain("reading the prompt, 50 % of 1,024 tokens")
    expect(text).toContain("writing a call of Write (1,500 chars)")
    expect(text).toContain("████░░░░ 50 % of 8,192")
    expect(text).toContain('✓ Write(path: "a"), 5 ms\n')
  })

  it("reasoning is shown, and stands apart from the answer", () => {
    expect(played([event("reasoning", { text: "hm" }), event("reasoning", { text: "m" }), event("text", { text: "answer" })], true)).toContain("  hmm\n  answer")
    expect(played([event("reasoning", { text: "hm" })])).toBe("")
  })
})

it("no published event, however odd its data, breaks the progress", () => {
  const odd = [{}, { status: null }, { name: 7, input: null, chunk: null, text: 5, usage: "x", options: "y", question: null, duration_ms: "z" }]
  const all = [...DURABLE_EVENTS, ...EPHEMERAL_EVENTS, "later_event"].flatMap((name) => odd.map((data) => event(name, data)))
  expect(() => played([...all, ...all])).not.toThrow()
  expect(() => played([...all, ...all], true)).not.toThrow()
})

it("a notice is written once for each text", () => {
  const sink = memorySink()
  const progress = new Progress(outputTo(sink, { env: {} }), () => null)
  for (const notice of ["waiting: busy", "waiting: busy", "", "waiting: other"]) progress.notice(notice)
  expect(sink.text()).toBe("waiting: busy\nwaiting: other\n")
})
