// What a person does to a task's job: cancel it with its sub-jobs, run it again, delete the task. Over a real database file.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { JobStore } from "../../src/store/JobStore.ts"
import { cancelWrite, removeWrite } from "../../src/store/moveWrites.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { Wake } from "../../src/store/Wake.ts"
import { Writer } from "../../src/store/Writer.ts"
import { auditOf, claimOne, commentsOf, eventsOf, failed, finish, jobOf, sql, submit, succeeded, withStore } from "../support/database.ts"
import { withLostReplies } from "../support/lostReply.ts"

const cancel = (task_id: number, actor = "ana") => JobStore.use((jobs) => jobs.cancel(task_id, actor))
const retry = (task_id: number, actor = "ana") => JobStore.use((jobs) => jobs.retry(task_id, actor))
const remove = (task_id: number) => TaskStore.use((tasks) => tasks.remove(task_id, "ana"))

const question = { _tag: "WaitingHuman", wait_reason: "question", question: "Which?", options: [], call_id: null, resume_movement: "work" } as const

/** A sub-job of a job, waiting in the queue. */
const spawn = (id: string, parent: string, status: "queued" | "succeeded" = "queued") => sql(`INSERT INTO jobs
    (id, task_id, parent_job_id, kind, status, piece, piece_hash, required_role, queue_key, max_attempts, result, created_at, finished_at, moved_at, moved_by, move, move_detail)
  SELECT ?, task_id, id, kind, ?, piece, piece_hash, required_role, queue_key, 2, CASE ? WHEN 'succeeded' THEN 'r' END, created_at, CASE ? WHEN 'succeeded' THEN 1 END, 1, 'run', 'job.continued', '{}'
  FROM jobs WHERE id = ?`, id, status, status, status, parent)

describe("cancel", () => {
  it.each(["queued", "running", "retry", "waiting_human", "waiting_subtasks"] as const)("ends a job that is %s", (from) => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    if (from !== "queued") {
      const job = yield* claimOne
      if (from === "retry") yield* finish(job, failed(true))
      if (from === "waiting_human") yield* finish(job, question)
      if (from === "waiting_subtasks") yield* finish(job, { _tag: "WaitingSubtasks", resume_movement: "work" })
    }
    const cancelled = yield* cancel(id)
    expect(cancelled).toMatchObject({ id: job_id, status: "cancelled", abort_reason: "cancelled", error_summary: null, wait_reason: null, next_retry_at: null, lease_expires_at: null })
    expect(cancelled.finished_at).not.toBeNull()
    expect(yield* jobOf(job_id)).toEqual(cancelled)
    const [status, done] = (yield* eventsOf(id)).filter(({ event }) => event === "status" || event === "done").slice(-2)
    expect(status?.data).toMatchObject({ status: "cancelled", reason: "cancelled" })
    expect(done).toMatchObject({ event: "done", data: { status: "cancelled", result: null } })
    expect((yield* auditOf(job_id)).at(-1)).toMatchObject({ action: "job.cancelled", actor: "ana", detail: { from } })
    expect(yield* cancelled.fence > 0 ? finish({ id: job_id, fence: 1 }, succeeded()) : Effect.succeed(false)).toBe(false)
  })))

  it("says in one comment what was done so far", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    yield* claimOne
    yield* sql("UPDATE jobs SET llm_calls = 3, tool_calls = 5, current_movement = 'collect' WHERE id = ?", job_id)
    yield* cancel(id)
    expect((yield* commentsOf(id)).map(({ author, kind, body }) => [author, kind, body])).toEqual([["system", "event", "Cancelled by ana. Done so far: 3 LLM calls, 5 tool calls, last in movement collect."]])
  })))

  it("takes the sub-jobs with it, to any depth, and leaves those that had ended", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    yield* finish(yield* claimOne, { _tag: "WaitingSubtasks", resume_movement: "gather" })
    yield* spawn("child", job_id)
    yield* spawn("ended", job_id, "succeeded")
    yield* spawn("grandchild", "child")
    yield* cancel(id)
    expect((yield* JobStore.use((jobs) => jobs.listByTask(id))).map((job) => [job.id, job.status]).sort()).toEqual([["child", "cancelled"], ["ended", "succeeded"], ["grandchild", "cancelled"], [job_id, "cancelled"]].sort())
    expect((yield* auditOf("grandchild")).at(-1)).toMatchObject({ action: "job.cancelled", actor: "ana" })
  })))

  it.each([["succeeded", succeeded()], ["failed", failed(false)], ["cancelled", null]] as const)("is refused for a job that is %s, by an error that names both statuses", (status, outcome) => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    if (outcome === null) yield* cancel(id)
    else yield* finish(yield* claimOne, outcome)
    const before = yield* Effect.all([jobOf(job_id), eventsOf(id), commentsOf(id)])
    const error = yield* Effect.flip(cancel(id))
    expect(error).toMatchObject({ _tag: "Conflict" })
    expect(error.message).toContain(status)
    expect(error.message).toContain("cancelled")
    expect(yield* Effect.all([jobOf(job_id), eventsOf(id), commentsOf(id)])).toEqual(before)
  })))

  it("of no task is not found", () => withStore(Effect.gen(function*() {
    expect(yield* Effect.flip(cancel(77))).toMatchObject({ _tag: "NotFound", id: "77" })
  })))

  it("and a finish in one batch: one of them wins, the other is told", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    const job = yield* claimOne
    const [kept, cancelled] = yield* Effect.all([finish(job, succeeded()), Effect.exit(cancel(id))], { concurrency: "unbounded" })
    expect(kept).toBe(cancelled._tag === "Failure")
    expect((yield* jobOf(job_id)).status).toBe(kept ? "succeeded" : "cancelled")
    expect((yield* eventsOf(id)).filter(({ event }) => event === "done")).toHaveLength(1)
  })))

  it("twice in one batch is done once and refused once", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    const exits = yield* Effect.all([Effect.exit(cancel(id, "ana")), Effect.exit(cancel(id, "bo"))], { concurrency: "unbounded" })
    expect(exits.map(({ _tag }) => _tag).sort()).toEqual(["Failure", "Success"])
    expect(yield* commentsOf(id)).toHaveLength(1)
  })))

  it("is done once and told as done when its reply is lost", () => withLostReplies(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    expect(yield* cancel(id)).toMatchObject({ id: job_id, status: "cancelled" })
    expect(yield* commentsOf(id)).toHaveLength(1)
    expect(cancelWrite.plan([], false).statements).toHaveLength(3)
  })))
})

describe("retry by hand", () => {
  it.each([["succeeded", succeeded()], ["failed", failed(false)], ["cancelled", null]] as const)("makes a new job after one that is %s, linked to it", (_status, outcome) => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit({ role: "auto", priority: "high", max_attempts: 5 })
    if (outcome === null) yield* cancel(id)
    else yield* finish(yield* claimOne, outcome)
    const old = yield* jobOf(job_id)
    const wake = yield* Wake
    yield* wake.next
    const fresh = yield* retry(id)
    yield* wake.next
    expect(fresh).toMatchObject({ task_id: id, continued_from_job_id: job_id, parent_job_id: null, status: "queued", attempt: 1, max_attempts: 5, fence: 0, piece: old.piece, required_role: "auto", result: null, error_summary: null, llm_calls: 0 })
    expect(fresh.id).not.toBe(job_id)
    expect(yield* jobOf(job_id)).toEqual(old)
    expect((yield* TaskStore.use((tasks) => tasks.get(id)))?.job?.id).toBe(fresh.id)
    expect((yield* auditOf(fresh.id))[0]).toMatchObject({ action: "job.retried_by_hand", actor: "ana", detail: { continued_from_job_id: job_id } })
    const claimed = yield* claimOne
    expect(claimed).toMatchObject({ id: fresh.id, piece_text: "name: general\n" })
  })))

  it.each(["queued", "running", "retry"] as const)("is refused while the job is %s", (from) => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    if (from !== "queued") {
      const job = yield* claimOne
      if (from === "retry") yield* finish(job, failed(true))
    }
    const error = yield* Effect.flip(retry(id))
    expect(error).toMatchObject({ _tag: "Conflict" })
    expect(error.message).toContain(from)
    expect(error.message).toContain("queued")
    expect(yield* JobStore.use((jobs) => jobs.listByTask(id))).toHaveLength(1)
  })))

  it("of no task is not found", () => withStore(Effect.gen(function*() {
    expect(yield* Effect.flip(retry(77))).toMatchObject({ _tag: "NotFound" })
  })))

  it("asked twice at once makes one job", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    yield* cancel(id)
    const exits = yield* Effect.all([Effect.exit(retry(id)), Effect.exit(retry(id))], { concurrency: "unbounded" })
    expect(exits.map(({ _tag }) => _tag).sort()).toEqual(["Failure", "Success"])
    expect(yield* JobStore.use((jobs) => jobs.listByTask(id))).toHaveLength(2)
  })))

  it("makes one job when its reply is lost", () => withLostReplies(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    yield* cancel(id)
    const fresh = yield* retry(id)
    expect(fresh).toMatchObject({ status: "queued", continued_from_job_id: job_id })
    expect((yield* JobStore.use((jobs) => jobs.listByTask(id))).map((job) => job.id)).toEqual([job_id, fresh.id])
  })))
})

describe("delete", () => {
  const left = (id: number) => Effect.gen(function*() {
    const counts: Record<string, unknown> = {}
    for (const table of ["tasks", "jobs", "events", "comments"]) counts[table] = (yield* sql(`SELECT count(*) FROM ${table} WHERE ${table === "tasks" ? "id" : "task_id"} = ?`, id))[0]?.[0]
    counts["journal"] = (yield* sql("SELECT count(*) FROM journal"))[0]?.[0]
    return counts
  })

  it("takes jobs, journal, events and comments with the task, and adds to the audit log", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit({ title: "gone" })
    const kept = yield* submit()
    yield* sql("INSERT INTO journal (job_id, seq, fence, attempt, at, kind, data) VALUES (?, 1, 1, 1, 1, 'note', '{}')", job_id)
    yield* finish(yield* claimOne, succeeded())
    const audit = yield* auditOf(job_id)
    yield* remove(id)
    expect(yield* left(id)).toEqual({ tasks: 0, jobs: 0, events: 0, comments: 0, journal: 0 })
    expect(yield* auditOf(job_id)).toEqual(audit)
    expect(yield* sql("SELECT actor, detail FROM audit WHERE task_id = ? AND action = 'task.deleted'", id)).toEqual([["ana", JSON.stringify({ title: "gone", owner: "local" })]])
    expect((yield* jobOf(kept.job_id)).status).toBe("queued")
    expect(yield* Effect.flip(remove(id))).toMatchObject({ _tag: "NotFound" })
  })))

  it("is refused while a job runs, and changes nothing", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    yield* claimOne
    const before = yield* left(id)
    const error = yield* Effect.flip(remove(id))
    expect(error).toMatchObject({ _tag: "Conflict" })
    expect(error.message).toContain("running")
    expect(yield* left(id)).toEqual(before)
    expect(yield* sql("SELECT 1 FROM audit WHERE action = 'task.deleted'")).toEqual([])
  })))

  it("gives the id to no other task", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    yield* remove(id)
    expect((yield* submit()).id).toBe(id + 1)
  })))

  it("is told as done when its reply is lost, and audited once", () => withLostReplies(Effect.gen(function*() {
    const { id } = yield* submit()
    yield* remove(id)
    expect(yield* sql("SELECT count(*) FROM audit WHERE action = 'task.deleted'").pipe(Effect.catchCause(() => sql("SELECT count(*) FROM audit WHERE action = 'task.deleted'")))).toEqual([[1]])
  })))

  it("asked twice at once is audited once", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    yield* Effect.all([remove(id), remove(id)], { concurrency: "unbounded" })
    expect(yield* sql("SELECT count(*) FROM audit WHERE action = 'task.deleted'")).toEqual([[1]])
  })))

  it("several at once answer each their own", () => withStore(Effect.gen(function*() {
    const first = yield* submit()
    yield* claimOne
    const second = yield* submit()
    const writer = yield* Writer
    const write = (task_id: number) => writer.write(removeWrite, { task_id, actor: "ana" })
    expect(yield* Effect.all([write(first.id), write(second.id), write(99)], { concurrency: "unbounded" })).toEqual(["running", "removed", "missing"])
  })))
})
