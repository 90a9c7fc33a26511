// Tasks over a real database file: submission in one commit, idempotency, lists with paging, comments and the audit log.
import { Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AUDIT_ACTIONS } from "../../src/store/audit.ts"
import type { WriterShape } from "../../src/store/Writer.ts"
import { Writer } from "../../src/store/Writer.ts"
import { headStart, pieceHash } from "../../src/store/submitWrite.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { Wake } from "../../src/store/Wake.ts"
import { AGEING_MS, auditOf, claimOne, commentsOf, eventsOf, failed, finish, jobOf, newTask, sql, submit, succeeded, withStore } from "../support/database.ts"
import { withLostReplies } from "../support/lostReply.ts"

const get = (id: number) => TaskStore.use((tasks) => tasks.get(id))
const list = (page: { readonly limit: number; readonly cursor?: string | null; readonly status?: string | null }) => TaskStore.use((tasks) => tasks.list({ cursor: null, ...page }))
const message = (task_id: number, body: string) => TaskStore.use((tasks) => tasks.comment({ task_id, job_id: null, author: "user", kind: "message", body, mode: null }))
const since = (writer: WriterShape) => {
  const { batches, operations } = writer.stats()
  return () => ({ batches: writer.stats().batches - batches, operations: writer.stats().operations - operations })
}

describe("a submission", () => {
  it("writes task, job, event, audit entry and the piece's text in one commit, and opens the latch", () => withStore(Effect.gen(function*() {
    const [writer, wake] = yield* Effect.all([Writer, Wake])
    yield* wake.next
    const spent = since(writer)
    const task = newTask({ title: "T", instruction: "do\n\"it\" 'now'", model: "big", priority: "high", options: { skills_disabled: true }, notice: "digest is played", owner: "ana" })
    const { id, job_id, created } = yield* TaskStore.use((tasks) => tasks.submit(task))
    yield* wake.next
    expect(created).toBe(true)
    expect(spent()).toEqual({ batches: 1, operations: 1 })
    const found = yield* get(id)
    const { piece_text, model: _model, max_attempts: _max, ...own } = task
    expect(found?.task).toEqual({ ...own, id, mission_brief: null, created_at: found?.job?.created_at, updated_at: found?.job?.created_at })
    expect(found?.job).toMatchObject({ id: job_id, task_id: id, status: "queued", required_model: "big", required_role: "auto", max_attempts: 3, attempt: 1 })
    expect(yield* eventsOf(id)).toMatchObject([{ job_id, event: "status", data: { status: "queued", attempt: 1, worker_id: null } }])
    expect(yield* auditOf(job_id)).toMatchObject([{ action: "task.submitted", actor: "ana", task_id: id }])
    expect(yield* sql("SELECT text FROM piece_texts WHERE hash = ?", pieceHash(piece_text))).toEqual([[piece_text]])
    expect(yield* sql("SELECT queue_key - created_at, lock_key FROM jobs WHERE id = ?", job_id)).toEqual([[-headStart("high", AGEING_MS), id]])
  })))

  it("many of one tick are one batch, numbered in their order", () => withStore(Effect.gen(function*() {
    const spent = since(yield* Writer)
    const all = yield* Effect.all(Array.from({ length: 40 }, (_, k) => submit({ title: `t${k}` })), { concurrency: "unbounded" })
    expect(spent()).toEqual({ batches: 1, operations: 40 })
    expect(all.map(({ id }) => id)).toEqual(all.map((_, k) => k + 1))
    for (const [k, { id, job_id }] of all.entries()) expect(yield* get(id)).toMatchObject({ task: { title: `t${k}` }, job: { id: job_id } })
  })))

  it("comes back as it was given, whatever the text is", () => withStore(Effect.gen(function*() {
    const store = yield* TaskStore
    const run = Effect.runPromiseWith(yield* Effect.context())
    yield* Effect.promise(() => fc.assert(fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.string(), async (title, instruction) => {
      const { id } = await run(store.submit(newTask({ title, instruction })))
      const found = await run(store.get(id))
      const kept = (text: string) => text.toWellFormed().replaceAll("\0", "\ufffd")
      expect([found?.task.title, found?.task.instruction]).toEqual([kept(title), kept(instruction)])
    }), { numRuns: 60 }))
  })))

  it("is written once when its reply is lost", () => withLostReplies(Effect.gen(function*() {
    const first = yield* submit({ idempotency_key: "k" })
    expect(first).toMatchObject({ id: 1, created: true })
    expect((yield* list({ limit: 10 })).items).toHaveLength(1)
    expect(yield* eventsOf(1)).toHaveLength(1)
    expect(yield* auditOf(first.job_id)).toHaveLength(1)
  })))
})

describe("an idempotency key", () => {
  it("gives its owner the first task again, whatever else was sent", () => withStore(Effect.gen(function*() {
    const first = yield* submit({ idempotency_key: "k", title: "first" })
    expect(yield* submit({ idempotency_key: "k", title: "second" })).toEqual({ ...first, created: false })
    expect(yield* submit({ idempotency_key: "k", owner: "ana" })).toMatchObject({ id: 2, created: true })
    expect(yield* submit({ idempotency_key: "K" })).toMatchObject({ id: 3, created: true })
    expect((yield* get(1))?.task.title).toBe("first")
    expect(yield* sql("SELECT count(*) FROM jobs")).toEqual([[3]])
  })))

  it("holds within one batch too", () => withStore(Effect.gen(function*() {
    const all = yield* Effect.all(["a", "b", "a", null, "a", null].map((idempotency_key) => submit({ idempotency_key })), { concurrency: "unbounded" })
    expect(all.map(({ created }) => created)).toEqual([true, true, false, true, false, true])
    expect(new Set([0, 2, 4].map((k) => all[k]?.id)).size).toBe(1)
    expect(all[2]?.job_id).toBe(all[0]?.job_id)
    expect(yield* sql("SELECT count(*) FROM tasks")).toEqual([[4]])
  })))

  it("gives the first job, also after a retry by hand", () => withStore(Effect.gen(function*() {
    const first = yield* submit({ idempotency_key: "k" })
    yield* finish(yield* claimOne, succeeded())
    expect(yield* submit({ idempotency_key: "k" })).toEqual({ ...first, created: false })
  })))
})

describe("a list", () => {
  it("goes from the newest in pages that neither repeat nor miss", () => withStore(Effect.gen(function*() {
    for (let k = 0; k < 7; k++) yield* submit()
    const seen: Array<number> = []
    let cursor: string | null = null
    do {
      const page: { readonly items: ReadonlyArray<{ readonly task: { readonly id: number } }>; readonly next_cursor: string | null } = yield* list({ limit: 3, cursor })
      seen.push(...page.items.map(({ task }) => task.id))
      cursor = page.next_cursor
      if (seen.length === 3) yield* submit()
    } while (cursor !== null)
    expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1])
    expect((yield* list({ limit: 8 })).next_cursor).toBeNull()
    expect((yield* list({ limit: 7 })).next_cursor).toBe("2")
  })))

  it("shows the latest root job of each task, and filters by its status", () => withStore(Effect.gen(function*() {
    const ended: Record<string, number> = {}
    for (const [status, outcome] of [["succeeded", succeeded()], ["failed", failed(false)], ["retry", failed(true)]] as const) {
      ended[status] = (yield* submit()).id
      yield* finish(yield* claimOne, outcome)
    }
    ended["running"] = (yield* submit()).id
    yield* claimOne
    ended["queued"] = (yield* submit()).id
    for (const [status, id] of Object.entries(ended)) {
      const { items } = yield* list({ limit: 10, status })
      expect(items.map(({ task, job }) => [task.id, job?.status])).toEqual([[id, status]])
    }
    yield* sql("INSERT INTO jobs (id, task_id, parent_job_id, kind, status, piece, piece_hash, required_role, queue_key, max_attempts, created_at, moved_at, moved_by, move, move_detail) SELECT 'child', task_id, id, kind, 'queued', piece, piece_hash, 'none', 1, 2, 1, 1, 'run', 'job.continued', '{}' FROM jobs WHERE task_id = ?", ended["succeeded"] ?? 0)
    expect((yield* list({ limit: 10, status: "queued" })).items.map(({ task }) => task.id)).toEqual([ended["queued"]])
    expect((yield* get(ended["succeeded"] ?? 0))?.job?.status).toBe("succeeded")
    expect(yield* list({ limit: 10, status: "no'such" })).toEqual({ items: [], next_cursor: null })
    expect((yield* list({ limit: 10 })).items).toHaveLength(5)
  })))

  it("updated_at follows the job's last move", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    yield* finish(yield* claimOne, succeeded())
    yield* sql("UPDATE jobs SET moved_at = moved_at + 5000 WHERE id = ?", job_id)
    const moved = (yield* jobOf(job_id)).created_at + 5000
    expect((yield* get(id))?.task.updated_at).toBeGreaterThanOrEqual(moved)
    expect((yield* list({ limit: 1 })).items[0]?.task.updated_at).toBe((yield* get(id))?.task.updated_at)
  })))

  it("an unknown task is null", () => withStore(Effect.gen(function*() {
    expect(yield* get(5)).toBeNull()
  })))
})

describe("comments", () => {
  it("are stored before they are answered, with their event, in their order", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    const first = yield* message(id, "one\0\n'two'")
    expect(first).toMatchObject({ task_id: id, job_id: null, author: "user", kind: "message", body: "one\ufffd\n'two'", mode: null, injected_at: null })
    const second = yield* TaskStore.use((tasks) => tasks.comment({ task_id: id, job_id, author: "system", kind: "progress", body: "step", mode: null }))
    expect(yield* commentsOf(id)).toEqual([first, second])
    // Progress has an event of its own; a message is told as a comment of the task's latest job.
    expect((yield* eventsOf(id)).filter(({ event }) => event === "comment")).toMatchObject([{ job_id, data: { comment_id: first.id, author: "user", kind: "message", body: first.body } }])
  })))

  it("go in pages from the oldest", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    const other = yield* submit()
    for (let k = 0; k < 5; k++) {
      yield* message(id, `c${k}`)
      yield* message(other.id, "x")
    }
    const first = yield* TaskStore.use((tasks) => tasks.comments(id, { limit: 3, cursor: null }))
    const second = yield* TaskStore.use((tasks) => tasks.comments(id, { limit: 3, cursor: first.next_cursor }))
    expect([first, second].map(({ items }) => items.map(({ body }) => body))).toEqual([["c0", "c1", "c2"], ["c3", "c4"]])
    expect(second.next_cursor).toBeNull()
  })))

  it("on no task are not found", () => withStore(Effect.gen(function*() {
    expect(yield* Effect.flip(message(9, "hello"))).toMatchObject({ _tag: "NotFound", what: "task", id: "9" })
    expect(yield* sql("SELECT 1 FROM comments")).toEqual([])
  })))

  it("stand once when their reply is lost", () => withLostReplies(Effect.gen(function*() {
    const { id } = yield* submit()
    const posted = yield* message(id, "hello")
    expect(yield* commentsOf(id)).toEqual([posted])
    expect((yield* eventsOf(id)).filter(({ event }) => event === "comment")).toHaveLength(1)
  })))
})

describe("the audit log", () => {
  it("takes the actions of the published list", () => withStore(Effect.gen(function*() {
    for (const action of AUDIT_ACTIONS) yield* TaskStore.use((tasks) => tasks.audit({ actor: "ana", action, task_id: 1, job_id: "j", detail: { path: "a\"b" } }))
    const entries = yield* auditOf("j")
    expect(entries.map(({ action }) => action)).toEqual([...AUDIT_ACTIONS])
    expect(entries[0]).toMatchObject({ actor: "ana", task_id: 1, job_id: "j", detail: { path: "a\"b" } })
    expect(Object.keys(entries[0] ?? {}).sort()).toEqual(["action", "actor", "at", "detail", "id", "job_id", "task_id"])
  })))

  it("and no other", () => withStore(Effect.gen(function*() {
    const exit = yield* Effect.exit(TaskStore.use((tasks) => tasks.audit({ actor: "ana", action: "job.exploded", task_id: null, job_id: null, detail: {} })))
    expect(String(exit)).toContain("job.exploded is not in the list of audit actions")
    expect(yield* sql("SELECT 1 FROM audit")).toEqual([])
  })))

  it("every name that a write leaves in the row is in the list", () => withStore(Effect.gen(function*() {
    const { job_id } = yield* submit()
    for (const outcome of [failed(true), { _tag: "GivenBack", cause: "role", reason: "" }, { _tag: "WaitingSubtasks", resume_movement: "m" }] as const) {
      yield* finish(yield* claimOne, outcome, { backoff_seconds: [0] })
    }
    const known: ReadonlyArray<string> = AUDIT_ACTIONS
    expect((yield* auditOf(job_id)).filter(({ action }) => !known.includes(action))).toEqual([])
  })))
})
