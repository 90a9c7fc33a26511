import { describe, expect, it } from "vitest"
import type { ClaimedJob } from "../../src/job/record.ts"
import { activityLine, activityListener, ProgressComments } from "../../src/queue/listeners.ts"

const job = { id: "j1", task_id: 1, worker_id: "gpu-a", required_role: "auto", parent_job_id: null, task: { workspace: "ws" } } as ClaimedJob
const usage = { prompt_tokens: 100, completion_tokens: 20, cached_tokens: 90 }
const answer = { kind: "answer", movement: "work", turn: 1, text: "", reasoning: "", calls: [{ call_id: "c1", name: "Read", arguments: "{\"path\":\"a\"}" }], usage, model: "m", worker_id: "gpu-a", backend_id: null, duration_ms: 5, ttft_ms: 1, finish_reason: "tool_calls" } as const
const results = { kind: "results", movement: "work", turn: 1, results: [{ call_id: "c1", name: "Read", output: "x".repeat(20_000), is_error: false, duration_ms: 3, cache_hit: true }] } as const

describe("the activity log", () => {
  it("says each fact on one line, tagged with worker and role", () => {
    const lines: Array<string> = []
    activityListener((workspace, line) => lines.push(`${workspace} ${line}`)).onRecorded(job, [], [
      { event: "movement_start", data: { movement: "work" } },
      { event: "llm_call", data: { duration_ms: 1500, ttft_ms: 10, usage, model: "m", backend_id: "b1", text: "two\nlines" } },
      { event: "tool_result", data: { call_id: "c1", name: "Read", is_error: false, output: "text", duration_ms: 12, cache_hit: true } },
      { event: "done", data: { status: "succeeded", result: "r" } },
    ])
    expect(lines).toEqual([
      "ws [gpu-a/auto] movement work",
      "ws [gpu-a/auto] llm call 1.50 s, 100 prompt (90 cached) + 20 tokens, m on b1: two lines",
      "ws [gpu-a/auto] tool Read ok in 0.01 s (cache hit): text",
    ])
  })

  it("cuts long text and keeps it on its line", () => {
    const line = activityLine({ event: "tool_use", data: { call_id: "c", name: "Write", input: { content: "a\nb".repeat(500) } } })
    expect(line!.length).toBeLessThan(230)
    expect(line).not.toContain("\n")
  })
})

describe("progress comments", () => {
  it("give each call with arguments and result, cut with how much is missing, and the movement's counts at its end", () => {
    const progress = new ProgressComments()
    const bodies = [
      ...progress.bodies([{ kind: "movement", movement: "work", iteration: 1, at: 0, prompt: { system: "", task: "" } }], []),
      ...progress.bodies([answer], []),
      ...progress.bodies([results], []),
      ...progress.bodies([{ kind: "transition", movement: "work", next: "COMPLETE", output: "done", lessons: [], by: "model", duration_ms: 9 }], []),
    ].map((body) => JSON.parse(body) as Record<string, unknown>)
    expect(bodies.map((body) => body["type"])).toEqual(["tool_call", "movement"])
    expect(bodies[0]).toMatchObject({ call_id: "c1", movement: "work", name: "Read", args: "{\"path\":\"a\"}", cache_hit: true })
    expect(String(bodies[0]!["result"])).toMatch(/… \(3616 more bytes\)$/)
    expect(bodies[1]).toMatchObject({ movement: "work", tools: { Read: 1 }, duration_ms: 9, summary: "done" })
  })

  it("show a checklist as it changes", () => {
    const [body] = new ProgressComments().bodies([], [{ event: "checklist", data: { name: "plan", items: [{ text: "a", done: true }], summary: "1 of 1 done" } }])
    expect(JSON.parse(body!)).toMatchObject({ type: "checklist", name: "plan", summary: "1 of 1 done" })
  })
})
