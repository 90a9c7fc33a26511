// The one guarded exit over a real database file: what each outcome makes of the row, who is told, and that a run that
// lost its lease changes nothing.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import type { Outcome } from "../../src/job/outcome.ts"
import { Database } from "../../src/store/Database.ts"
import { finishWrite } from "../../src/store/finishWrite.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { Writer } from "../../src/store/Writer.ts"
import { auditOf, claimOne, commentsOf, eventsOf, failed, finish, jobOf, sql, submit, succeeded, withStore } from "../support/database.ts"
import { withLostReplies } from "../support/lostReply.ts"

const OUTCOMES: ReadonlyArray<readonly [status: string, outcome: Outcome]> = [
  ["succeeded", succeeded("the result")],
  ["failed", { _tag: "Failed", abort_reason: "loop", error: "the same call again", retryable: false, resume_movement: null, result: "so far" }],
  ["retry", { ...failed(true), resume_movement: "work" } as Outcome],
  ["cancelled", { _tag: "Cancelled", summary: "cancelled; two files were written" }],
  ["waiting_human", { _tag: "WaitingHuman", wait_reason: "question", question: "Which one?", options: ["a", "b"], call_id: "c1", resume_movement: "work" }],
  ["waiting_subtasks", { _tag: "WaitingSubtasks", resume_movement: "gather" }],
  ["queued", { _tag: "GivenBack", cause: "model", reason: "the worker does not offer big" }],
]
const TERMINAL = new Set(["succeeded", "failed", "cancelled"])

const everything = (task_id: number, job_id: string) => Effect.all([jobOf(job_id), eventsOf(task_id), commentsOf(task_id), auditOf(job_id)])
const running = Effect.gen(function*() {
  const submitted = yield* submit()
  return { ...submitted, job: yield* claimOne }
})

describe("every outcome", () => {
  it.each(OUTCOMES)("%s: is written once, ends lease and lock, and tells the readers and the audit log in the same commit", (status, outcome) => withStore(Effect.gen(function*() {
    const { id, job } = yield* running
    const batches = (yield* Writer).stats().batches
    expect(yield* finish(job, outcome, { movements: 4, context_actions: 2 })).toBe(true)
    expect((yield* Writer).stats().batches).toBe(batches + 1)
    const [now, events, , audit] = yield* everything(id, job.id)
    expect(now).toMatchObject({ status, fence: 1, attempt: 1, lease_expires_at: null, current_activity: null })
    expect(now.finished_at !== null).toBe(TERMINAL.has(status))
    expect(events.filter(({ event }) => event === "status").map(({ data }) => data["status"])).toEqual(["queued", status])
    expect(events.filter(({ event }) => event === "done").map(({ data }) => data)).toEqual(TERMINAL.has(status) ? [{ status, result: now.result }] : [])
    expect(audit).toHaveLength(3)
    expect(audit[2]).toMatchObject({ actor: "worker:w1", task_id: id, job_id: job.id, detail: { movements: 4, context_actions: 2, abort_reason: "abort_reason" in outcome ? outcome.abort_reason : now.abort_reason } })
    expect(yield* sql("SELECT 1 FROM jobs WHERE lock_key = ? AND status = 'running'", id)).toEqual([])
  })))

  it.each(OUTCOMES)("%s: another fence writes nothing", (_status, outcome) => withStore(Effect.gen(function*() {
    const { id, job } = yield* running
    const before = yield* everything(id, job.id)
    for (const fence of [0, 2, -1]) expect(yield* finish({ id: job.id, fence }, outcome)).toBe(false)
    expect(yield* finish({ id: "nobody", fence: 1 }, outcome)).toBe(false)
    expect(yield* everything(id, job.id)).toEqual(before)
  })))

  it.each(OUTCOMES)("%s: a job that is no longer running keeps what it is", (_status, outcome) => withStore(Effect.gen(function*() {
    const { id, job } = yield* running
    yield* JobStore.use((jobs) => jobs.cancel(id, "local"))
    const before = yield* everything(id, job.id)
    expect(yield* finish(job, outcome)).toBe(false)
    expect(yield* everything(id, job.id)).toEqual(before)
  })))

  it.each(OUTCOMES)("%s: written again after a lost reply, it stands once and is told as kept", (status, outcome) => withLostReplies(Effect.gen(function*() {
    const { id, job } = yield* running
    expect(yield* finish(job, outcome)).toBe(true)
    const [now, events, comments, audit] = yield* everything(id, job.id)
    expect(now.status).toBe(status)
    expect(events.filter(({ event, data }) => event === "status" && data["status"] === status)).toHaveLength(status === "queued" ? 2 : 1)
    expect(audit).toHaveLength(3)
    expect(comments.length).toBeLessThanOrEqual(1)
  })))

  it("only the holder of the present fence gets to write", () => withStore(Effect.gen(function*() {
    const { job } = yield* running
    yield* finish(job, { _tag: "GivenBack", cause: "lease", reason: "lost" })
    const second = yield* claimOne
    const kept = yield* Effect.all([finish(job, succeeded("old")), finish(second, succeeded("new"))], { concurrency: "unbounded" })
    expect(kept).toEqual([false, true])
    expect((yield* jobOf(job.id)).result).toBe("new")
  })))

  it("two finishes of one run in one batch: the first counts", () => withStore(Effect.gen(function*() {
    const { job } = yield* running
    yield* Effect.all([finish(job, succeeded("first")), finish(job, failed(false))], { concurrency: "unbounded" })
    expect(yield* jobOf(job.id)).toMatchObject({ status: "succeeded", result: "first" })
  })))
})

describe("success", () => {
  it("stores the result, posts it as a comment and forgets an earlier error", () => withStore(Effect.gen(function*() {
    const { id, job } = yield* running
    yield* finish(job, failed(true), { backoff_seconds: [0] })
    yield* finish(yield* claimOne, succeeded("the result"))
    expect(yield* jobOf(job.id)).toMatchObject({ status: "succeeded", result: "the result", error_summary: null, abort_reason: null, attempt: 2 })
    expect((yield* commentsOf(id)).map(({ author, kind, body }) => [author, kind, body]).at(-1)).toEqual(["agent", "result", "the result"])
  })))

  it("keeps any text: quotes, line ends, no letters at all, half a pair, a NUL", () => withStore(Effect.gen(function*() {
    for (const [text, kept] of [["it's \"so\"\n\u{1F600}", "it's \"so\"\n\u{1F600}"], ["", ""], ["a\ud83db", "a\ufffdb"], ["a\0b", "a\ufffdb"]] as const) {
      const { job } = yield* running
      expect(yield* finish(job, succeeded(text))).toBe(true)
      expect((yield* jobOf(job.id)).result).toBe(kept)
    }
  })))
})

describe("a failed attempt", () => {
  it("waits by the list, whose last value repeats, and fails for good with the last attempt", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit({ max_attempts: 4 })
    const waits = [60, 300, 300]
    for (const [k, seconds] of waits.entries()) {
      const job = yield* claimOne
      const before = Date.now()
      yield* finish(job, failed(true, `failure ${k + 1}`), { backoff_seconds: [60, 300] })
      const now = yield* jobOf(job_id)
      expect(now).toMatchObject({ status: "retry", attempt: k + 1, wait_reason: "backoff", error_summary: `failure ${k + 1}`, abort_reason: null, worker_id: null, node_id: null, finished_at: null })
      expect((now.next_retry_at ?? 0) - before).toBeGreaterThanOrEqual(seconds * 1000 - 5)
      expect((now.next_retry_at ?? 0) - before).toBeLessThan(seconds * 1000 + 2000)
      yield* sql("UPDATE jobs SET next_retry_at = 1 WHERE id = ?", job_id)
    }
    yield* finish(yield* claimOne, failed(true, "failure 4"))
    expect(yield* jobOf(job_id)).toMatchObject({ status: "failed", attempt: 4, abort_reason: "timeout", error_summary: "failure 4", next_retry_at: null, wait_reason: null })
    const comments = (yield* commentsOf(id)).map(({ body }) => body)
    expect(comments).toHaveLength(4)
    expect(comments[0]).toMatch(/^Attempt 1 of 4 failed\. Reason: timeout\. failure 1\nThe next attempt starts at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.$/)
    expect(comments[3]).toBe("Attempt 4 of 4 failed, it was the last. Reason: timeout. failure 4")
  })))

  it("tries again at once where the list is empty", () => withStore(Effect.gen(function*() {
    const { job } = yield* running
    yield* finish(job, failed(true), { backoff_seconds: [] })
    expect(yield* claimOne).toMatchObject({ id: job.id, attempt: 2 })
  })))

  it("names where the next run starts, and a failure for good keeps its result", () => withStore(Effect.gen(function*() {
    const { job } = yield* running
    yield* finish(job, { ...failed(true), resume_movement: "review" } as Outcome, { backoff_seconds: [0] })
    expect((yield* jobOf(job.id)).resume_movement).toBe("review")
    yield* finish(yield* claimOne, { _tag: "Failed", abort_reason: "budget", error: "tokens are spent", retryable: false, resume_movement: null, result: "half" })
    expect(yield* jobOf(job.id)).toMatchObject({ status: "failed", abort_reason: "budget", error_summary: "tokens are spent", result: "half", attempt: 2 })
  })))
})

describe("parking", () => {
  it("posts the question with its event, and counts a question", () => withStore(Effect.gen(function*() {
    const { id, job } = yield* running
    yield* finish(job, OUTCOMES[4]?.[1] as Outcome)
    expect(yield* jobOf(job.id)).toMatchObject({ status: "waiting_human", wait_reason: "question", ask_count: 1, resume_movement: "work" })
    expect((yield* commentsOf(id)).map(({ author, kind, body, job_id }) => [author, kind, body, job_id])).toEqual([["agent", "ask", "Which one?", job.id]])
    expect((yield* eventsOf(id)).find(({ event }) => event === "ask")?.data).toEqual({ question: "Which one?", options: ["a", "b"] })
  })))

  it("counts no question where the job waits for something else", () => withStore(Effect.gen(function*() {
    const { job } = yield* running
    yield* finish(job, { _tag: "WaitingHuman", wait_reason: "approval", question: "May I?", options: [], call_id: null, resume_movement: "work" })
    expect(yield* jobOf(job.id)).toMatchObject({ wait_reason: "approval", ask_count: 0 })
  })))
})

describe("a give-back", () => {
  it.each([["shutdown", null], ["lease", null], ["connection", null], ["role", "role"], ["model", "model"], ["lock", "lock"]] as const)("for %s leaves attempt and resume movement, and is silent", (cause, wait_reason) => withStore(Effect.gen(function*() {
    const { id, job } = yield* running
    yield* finish(job, { ...failed(true), resume_movement: "review" } as Outcome, { backoff_seconds: [0] })
    const second = yield* claimOne
    const before = (yield* commentsOf(id)).length
    yield* finish(second, { _tag: "GivenBack", cause, reason: "why" })
    expect(yield* jobOf(job.id)).toMatchObject({ status: "queued", attempt: 2, wait_reason, resume_movement: "review", worker_id: null, node_id: null, give_backs: cause === "connection" ? 1 : 0 })
    expect(yield* commentsOf(id)).toHaveLength(before)
    expect((yield* auditOf(job.id)).at(-1)).toMatchObject({ action: "job.given_back", detail: { cause, reason: "why" } })
    expect(yield* claimOne).toMatchObject({ attempt: 2, fence: 3 })
  })))

  it("parks the job after ten failed connections in a row", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    for (let k = 1; k <= 10; k++) {
      yield* finish(yield* claimOne, { _tag: "GivenBack", cause: "connection", reason: "connection refused" })
      expect(yield* jobOf(job_id)).toMatchObject(k < 10 ? { status: "queued", give_backs: k, attempt: 1 } : { status: "waiting_human", wait_reason: "give_backs", give_backs: 10, attempt: 1 })
    }
    expect((yield* commentsOf(id)).map(({ body }) => body)).toEqual(["The endpoint could not be reached 10 times in a row, so the job waits. connection refused"])
    expect((yield* auditOf(job_id)).at(-1)?.action).toBe("job.parked")
  })))
})

describe("many in one batch", () => {
  it("each gets its own outcome", () => withStore(Effect.gen(function*() {
    const all = []
    for (const [status, outcome] of OUTCOMES) all.push({ status, outcome, ...(yield* running) })
    const batches = (yield* Writer).stats().batches
    const kept = yield* Effect.all([...all.map(({ job, outcome }) => finish(job, outcome)), finish({ id: "nobody", fence: 1 }, succeeded())], { concurrency: "unbounded" })
    expect(kept).toEqual([...all.map(() => true), false])
    expect((yield* Writer).stats().batches).toBe(batches + 1)
    for (const { job, status } of all) expect((yield* jobOf(job.id)).status).toBe(status)
  })))

  it("the plan of one outcome has no statement for what it does not post", () => {
    const request = { id: "j", fence: 1, backoff_seconds: [60], movements: 1, context_actions: 0 }
    const size = (outcome: Outcome) => finishWrite(10).plan([{ ...request, outcome }], false).statements.length
    expect([size(succeeded()), size(failed(true)), size(OUTCOMES[4]?.[1] as Outcome)]).toEqual([1, 2, 3])
  })

  it("looks each job up by its id and never walks the table", () => withStore(Effect.gen(function*() {
    const plan = finishWrite(10).plan([{ id: "j", fence: 1, backoff_seconds: [60], movements: 1, context_actions: 0, outcome: OUTCOMES[4]?.[1] as Outcome }], true)
    const { read } = yield* Database
    for (const { sql, args } of plan.statements) {
      const steps = (yield* read({ sql: `EXPLAIN QUERY PLAN ${sql}`, args })).map((row) => String(row[3]))
      expect(steps.filter((step) => /^SCAN (j|jobs)\b/.test(step))).toEqual([])
    }
  })))
})
