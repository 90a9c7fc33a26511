import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { LeaseLost } from "../../src/job/errors.ts"
import type { ClaimedJob } from "../../src/job/record.ts"
import { makeRecorder, RunTally } from "../../src/queue/recorder.ts"
import type { Append, JournalShape } from "../../src/store/Journal.ts"

const job = { id: "j1", task_id: 1, fence: 3, attempt: 1, llm_calls: 2, tool_calls: 0, prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, current_movement: null, current_activity: null, last_backend_id: null, context_used_tokens: 0 } as ClaimedJob
const note = { kind: "note", movement: "m", text: "t", comment_ids: [] } as const

const recording = (append: JournalShape["append"]) => {
  const tally = new RunTally()
  const heard: Array<string> = []
  const recorder = makeRecorder({
    job, journal: { append, read: () => Effect.succeed([]) }, first_seq: 5, comments: () => [], tally, context_limit_tokens: 4096,
    listeners: [{ onRecorded: (_, entries) => heard.push(...entries.map((e) => e.kind)), onEphemeral: (_, e) => heard.push(e.event) }],
  })
  return { recorder, heard, tally }
}

describe("the recorder of a run", () => {
  it("numbers entries on from the journal's last and carries the totals with each append", async () => {
    const appends: Array<Append> = []
    const { recorder } = recording((append) => Effect.sync(() => { appends.push(append) }))
    await Effect.runPromise(recorder.record([note, note], [], { llm_calls: 3 }))
    await Effect.runPromise(recorder.record([note], []))
    expect(appends.map((a) => [a.seq, a.entries.length, a.progress.llm_calls, a.fence])).toEqual([[5, 2, 3, 3], [7, 1, 3, 3]])
    expect(recorder.progress()).toMatchObject({ llm_calls: 3, context_limit_tokens: 4096 })
  })

  it("tells the listeners only what was committed", async () => {
    const { recorder, heard } = recording(() => Effect.fail(new LeaseLost({ job_id: "j1", fence: 3 })))
    const exit = await Effect.runPromiseExit(recorder.record([note], []))
    expect(exit._tag).toBe("Failure")
    expect(heard).toEqual([])
    recorder.emit({ event: "text", data: { text: "a" } })
    expect(heard).toEqual(["text"])
  })

  it("counts no silence while a tool is at work", () => {
    const tally = new RunTally()
    tally.toolAtWork(true)
    expect(tally.silent_ms()).toBe(0)
    tally.toolAtWork(false)
    expect(tally.silent_ms()).toBeGreaterThanOrEqual(0)
  })

  it("counts movements and context actions for the closing audit entry", () => {
    const tally = new RunTally()
    tally.count([
      { kind: "movement", movement: "m", iteration: 1, at: 0, prompt: { system: "", task: "" } },
      { kind: "context", movement: "m", action: "drop_results", detail: "", dropped_call_ids: [], summary: null, keep_from: 0 }, note,
    ])
    expect(tally).toMatchObject({ movements: 1, context_actions: 1 })
  })
})
