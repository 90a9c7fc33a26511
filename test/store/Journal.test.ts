// The journal over a real database file: appended under the fence, once, with its events, comments and figures.
import { Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { DurableEvent } from "../../src/job/event.ts"
import type { Progress } from "../../src/job/record.ts"
import type { JournalEntry } from "../../src/job/turn.ts"
import { appendWrite } from "../../src/store/appendWrite.ts"
import { Database } from "../../src/store/Database.ts"
import { Journal } from "../../src/store/Journal.ts"
import type { Append } from "../../src/store/Journal.ts"
import { Writer } from "../../src/store/Writer.ts"
import { claimOne, commentsOf, eventsOf, failed, finish, jobOf, submit, succeeded, withStore } from "../support/database.ts"
import { withLostReplies } from "../support/lostReply.ts"

const progress: Progress = {
  current_movement: "work", current_activity: "thinking", last_backend_id: "b1", context_used_tokens: 10, context_limit_tokens: 100,
  prompt_tokens: 20, completion_tokens: 30, cached_tokens: 5, llm_calls: 1, tool_calls: 2,
}
const note = (text: string): JournalEntry => ({ kind: "note", movement: "work", text, comment_ids: [1] })
const started: DurableEvent = { event: "movement_start", data: { movement: "work" } }
const use: DurableEvent = { event: "tool_use", data: { call_id: "c1", name: "Read", input: { path: "a" } } }

const append = (job: { readonly id: string; readonly task_id: number; readonly fence: number; readonly attempt: number }, changes: Partial<Append> = {}) =>
  Journal.use((journal) => journal.append({ job_id: job.id, task_id: job.task_id, fence: job.fence, attempt: job.attempt, seq: 1, entries: [note("one")], events: [started], comments: [], progress, ...changes }))
const read = (id: string, attempt?: number) => Journal.use((journal) => journal.read(id, attempt))
const running = Effect.andThen(submit(), claimOne)

describe("an append", () => {
  it("is one commit of entries, events, progress comments and the row's figures", () => withStore(Effect.gen(function*() {
    const job = yield* running
    const writer = yield* Writer
    const { batches } = writer.stats()
    yield* append(job, { entries: [note("one"), note("two")], events: [started, use], comments: ["Read a", "again"] })
    expect(writer.stats().batches).toBe(batches + 1)
    expect(yield* read(job.id)).toMatchObject([{ seq: 1, fence: 1, attempt: 1, entry: note("one") }, { seq: 2, fence: 1, attempt: 1, entry: note("two") }])
    expect((yield* eventsOf(job.task_id)).slice(1).map(({ event, data, job_id }) => ({ event, data, job_id }))).toEqual([{ ...started, job_id: job.id }, { ...use, job_id: job.id }])
    expect((yield* commentsOf(job.task_id)).map(({ author, kind, body, job_id }) => [author, kind, body, job_id])).toEqual([["system", "progress", "Read a", job.id], ["system", "progress", "again", job.id]])
    expect(yield* jobOf(job.id)).toMatchObject(progress)
  })))

  it("may carry figures alone", () => withStore(Effect.gen(function*() {
    const job = yield* running
    yield* append(job, { entries: [], events: [], progress: { ...progress, current_activity: "Read" } })
    expect(yield* read(job.id)).toEqual([])
    expect((yield* jobOf(job.id)).current_activity).toBe("Read")
  })))

  it("of the same seq under the same fence changes nothing", () => withStore(Effect.gen(function*() {
    const job = yield* running
    yield* append(job)
    yield* append(job, { entries: [note("other"), note("two")], events: [] })
    expect((yield* read(job.id)).map(({ seq, entry }) => [seq, entry])).toEqual([[1, note("one")], [2, note("two")]])
  })))

  it("stands once when its reply is lost", () => withLostReplies(Effect.gen(function*() {
    const job = yield* running
    yield* append(job, { events: [started, use], comments: ["a", "b"] })
    yield* append(job, { seq: 2, entries: [note("two")], events: [use], comments: ["c"] })
    expect((yield* read(job.id)).map(({ seq }) => seq)).toEqual([1, 2])
    expect((yield* eventsOf(job.task_id)).map(({ event }) => event)).toEqual(["status", "movement_start", "tool_use", "tool_use"])
    expect((yield* commentsOf(job.task_id)).map(({ body }) => body)).toEqual(["a", "b", "c"])
  })))

  it("of the last step is kept beside the finish of the run, also when their reply is lost", () => withLostReplies(Effect.gen(function*() {
    const job = yield* running
    const [, kept] = yield* Effect.all([append(job), finish(job, succeeded())], { concurrency: "unbounded" })
    expect(kept).toBe(true)
    expect(yield* read(job.id)).toHaveLength(1)
    expect((yield* eventsOf(job.task_id)).map(({ event }) => event)).toEqual(["status", "movement_start", "status", "done"])
  })))
})

describe("the fence", () => {
  it("refuses a run that was taken over, ended or never was, and changes nothing", () => withStore(Effect.gen(function*() {
    const job = yield* running
    const before = yield* Effect.all([jobOf(job.id), eventsOf(job.task_id), commentsOf(job.task_id)])
    for (const wrong of [{ ...job, fence: 2 }, { ...job, fence: 0 }, { ...job, id: "nobody" }]) {
      expect(yield* Effect.flip(append(wrong, { comments: ["x"] }))).toMatchObject({ _tag: "LeaseLost", job_id: wrong.id, fence: wrong.fence })
    }
    expect(yield* Effect.all([jobOf(job.id), eventsOf(job.task_id), commentsOf(job.task_id)])).toEqual(before)
    yield* finish(job, succeeded())
    expect(yield* Effect.flip(append(job))).toMatchObject({ _tag: "LeaseLost" })
    expect(yield* read(job.id)).toEqual([])
  })))

  it("one lost lease in a batch harms no other run", () => withStore(Effect.gen(function*() {
    const [first, second] = [yield* running, yield* running]
    const [lost, kept] = yield* Effect.all([Effect.exit(append({ ...first, fence: 5 })), Effect.exit(append(second))], { concurrency: "unbounded" })
    expect([lost?._tag, kept?._tag]).toEqual(["Failure", "Success"])
    expect([(yield* read(first.id)).length, (yield* read(second.id)).length]).toEqual([0, 1])
  })))

  it("another fence at the same seq is refused by the key: two runs never share a place", () => withStore(Effect.gen(function*() {
    const first = yield* running
    yield* append(first)
    yield* finish(first, { _tag: "GivenBack", cause: "lease", reason: "" })
    const second = yield* claimOne
    expect(yield* Effect.flip(append(second, { entries: [note("mine")] }))).toMatchObject({ _tag: "StoreError", reason: "constraint" })
    yield* append(second, { seq: 2, entries: [note("mine")] })
    expect((yield* read(first.id)).map(({ seq, fence }) => [seq, fence])).toEqual([[1, 1], [2, 2]])
  })))
})

describe("reading", () => {
  it("gives all entries in order, or those of one attempt", () => withStore(Effect.gen(function*() {
    const first = yield* running
    yield* append(first, { entries: [note("a"), note("b")] })
    yield* finish(first, failed(true), { backoff_seconds: [0] })
    const second = yield* claimOne
    yield* append(second, { seq: 3, entries: [note("c")] })
    expect((yield* read(first.id)).map(({ seq, attempt, fence }) => [seq, attempt, fence])).toEqual([[1, 1, 1], [2, 1, 1], [3, 2, 2]])
    expect((yield* read(first.id, 2)).map(({ entry }) => entry)).toEqual([note("c")])
    expect(yield* read(first.id, 3)).toEqual([])
  })))

  it("gives back whatever a model may have said", () => withStore(Effect.gen(function*() {
    const job = yield* running
    const journal = yield* Journal
    const run = Effect.runPromiseWith(yield* Effect.context())
    let seq = 1
    yield* Effect.promise(() => fc.assert(fc.asyncProperty(fc.json(), fc.string({ unit: "binary" }), async (args, text) => {
      const entry: JournalEntry = {
        kind: "answer", movement: "work", turn: seq, text, reasoning: "", calls: [{ call_id: "c", name: "Read", arguments: args }], usage: { prompt_tokens: 1, completion_tokens: 1, cached_tokens: 0 },
        model: "m", worker_id: "w1", backend_id: null, duration_ms: 1, ttft_ms: null, finish_reason: "stop",
      }
      await run(journal.append({ job_id: job.id, task_id: job.task_id, fence: 1, attempt: 1, seq, entries: [entry], events: [], comments: [], progress }))
      const stored = (await run(journal.read(job.id))).at(-1)
      expect(stored).toMatchObject({ seq, entry })
      seq++
    }), { numRuns: 60 }))
  })))
})

describe("give-backs in a row", () => {
  it("end with a completed LLM call, and only with one", () => withStore(Effect.gen(function*() {
    const { job_id } = yield* submit()
    for (let k = 0; k < 3; k++) yield* finish(yield* claimOne, { _tag: "GivenBack", cause: "connection", reason: "refused" })
    const job = yield* claimOne
    yield* append(job, { progress: { ...progress, llm_calls: 0 } })
    expect((yield* jobOf(job_id)).give_backs).toBe(3)
    yield* append(job, { seq: 2, progress: { ...progress, llm_calls: 1 } })
    expect((yield* jobOf(job_id)).give_backs).toBe(0)
  })))
})

it("an append looks its rows up by their keys", () => withStore(Effect.gen(function*() {
  const plan = appendWrite.plan([{ job_id: "j", task_id: 1, fence: 1, attempt: 1, seq: 1, entries: [note("x")], events: [started], comments: ["c"], progress, op: "op" }], true)
  const { read } = yield* Database
  for (const { sql, args } of plan.statements) {
    const steps = (yield* read({ sql: `EXPLAIN QUERY PLAN ${sql}`, args })).map((row) => String(row[3]))
    expect(steps.filter((step) => /^SCAN (j|jobs|e|events|x|journal|c|comments)\b/.test(step))).toEqual([])
  }
})))
