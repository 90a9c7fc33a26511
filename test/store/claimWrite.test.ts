// Claims over a real database file: what a claim takes, in which order, and what it leaves behind in the row.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { JobStore } from "../../src/store/JobStore.ts"
import { AGEING_MS, auditOf, claim, claimOne, eventsOf, failed, finish, jobOf, LEASE_MS, newTask, slot, sql, submit, succeeded, withStore } from "../support/database.ts"
import { withLostReplies } from "../support/lostReply.ts"

const ids = (jobs: ReadonlyArray<{ readonly id: string }>) => jobs.map(({ id }) => id)

describe("a claim", () => {
  it("makes the job running under the worker, the node, a lease by the database's clock and the next fence", () => withStore(Effect.gen(function*() {
    const { job_id } = yield* submit()
    const before = Date.now()
    const job = yield* claimOne
    expect(job).toMatchObject({ id: job_id, status: "running", worker_id: "w1", node_id: "n1", fence: 1, attempt: 1, wait_reason: null, next_retry_at: null })
    expect(job.lease_expires_at).toBeGreaterThanOrEqual(before + LEASE_MS - 5)
    expect(job.lease_expires_at).toBeLessThanOrEqual(Date.now() + LEASE_MS + 5)
    const { piece_text: _text, task: _task, ...record } = job
    expect(yield* jobOf(job_id)).toEqual(record)
  })))

  it("brings the task and the piece's exact text, the second time too", () => withStore(Effect.gen(function*() {
    const text = "name: general\ndescription: \"été \u0001 'quoted'\"\n"
    const task = newTask({ title: "T", piece_text: text, options: { mcp_disabled: true } })
    for (let k = 0; k < 3; k++) {
      const { id } = yield* submit({ ...task, workspace: `w${k}` })
      const job = yield* claimOne
      expect(job.piece_text).toBe(text)
      expect(job.task).toMatchObject({ id, title: "T", options: { mcp_disabled: true }, workspace: `w${k}`, owner: "local" })
    }
  })))

  it("takes nothing without slots, and nothing where nothing waits", () => withStore(Effect.gen(function*() {
    expect(yield* claim([])).toEqual([])
    expect(yield* claim()).toEqual([])
    yield* submit()
    expect(yield* claim([])).toEqual([])
    expect(yield* claim()).toHaveLength(1)
    expect(yield* claim()).toEqual([])
  })))

  it("gives the jobs to the slots in the order of both", () => withStore(Effect.gen(function*() {
    const submitted = []
    for (let k = 0; k < 4; k++) submitted.push(yield* submit())
    const jobs = yield* claim([slot("w2"), slot("w1"), slot("w2")])
    expect(ids(jobs)).toEqual(submitted.slice(0, 3).map(({ job_id }) => job_id))
    expect(jobs.map(({ worker_id }) => worker_id)).toEqual(["w2", "w1", "w2"])
  })))

  it("says nothing of running to the task's readers: the run announces it, past its gates", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    yield* claimOne
    expect((yield* eventsOf(id)).map(({ event, data }) => [event, data["status"]])).toEqual([["status", "queued"]])
    const audit = yield* auditOf(job_id)
    expect(audit.map(({ action, actor }) => [action, actor])).toEqual([["task.submitted", "local"], ["job.claimed", "node:n1"]])
    expect(audit[1]?.detail).toEqual({ worker_id: "w1", fence: 1, attempt: 1 })
  })))

  it("is told again as it was when its reply is lost", () => withLostReplies(Effect.gen(function*() {
    const first = yield* submit()
    const second = yield* submit()
    expect(ids(yield* claim([slot("w1")]))).toEqual([first.job_id])
    const [job] = yield* claim([slot("w1"), slot("w2")])
    expect(job).toMatchObject({ id: second.job_id, fence: 1, worker_id: "w1", piece_text: newTask().piece_text })
    expect((yield* auditOf(second.job_id)).map(({ action }) => action)).toEqual(["task.submitted", "job.claimed"])
  })))
})

describe("attempt and fence", () => {
  it("grow at different times: the fence at each claim, the attempt only when a failed one is tried again", () => withStore(Effect.gen(function*() {
    const { job_id } = yield* submit()
    const first = yield* claimOne
    yield* finish(first, { _tag: "GivenBack", cause: "shutdown", reason: "stop" })
    const second = yield* claimOne
    expect(second).toMatchObject({ fence: 2, attempt: 1, started_at: first.started_at })
    yield* finish(second, failed(true), { backoff_seconds: [0] })
    const third = yield* claimOne
    expect(third).toMatchObject({ id: job_id, fence: 3, attempt: 2, next_retry_at: null, wait_reason: null })
  })))

  it("a retry waits for its time", () => withStore(Effect.gen(function*() {
    const { job_id } = yield* submit()
    yield* finish(yield* claimOne, failed(true))
    expect(yield* claim()).toEqual([])
    yield* sql("UPDATE jobs SET next_retry_at = unixepoch() * 1000 - 1 WHERE id = ?", job_id)
    expect(yield* claimOne).toMatchObject({ id: job_id, attempt: 2 })
  })))
})

describe("roles and models", () => {
  it("roles match literally, auto among them", () => withStore(Effect.gen(function*() {
    const roles = ["auto", "fast", "Auto", "au'to", "%"]
    const submitted = new Map<string, string>()
    for (const role of roles) submitted.set(role, (yield* submit({ role })).job_id)
    expect(yield* claim([slot("w1", ["a", "AUTO", "_", "fas%"])])).toEqual([])
    for (const role of roles) expect(ids(yield* claim([slot("w1", [role]), slot("w1", [role])]))).toEqual([submitted.get(role)])
  })))

  it("a role that is named twice takes no slot twice", () => withStore(Effect.gen(function*() {
    const first = yield* submit()
    const second = yield* submit()
    expect(ids(yield* claim([slot("w1", ["auto", "auto"]), slot("w1", ["auto", "auto"])]))).toEqual([first.job_id, second.job_id])
  })))

  it("a job that names a model goes only to a slot that offers it, or whose models are not known", () => withStore(Effect.gen(function*() {
    const { job_id } = yield* submit({ model: "big" })
    expect(yield* claim([slot("w1", ["auto"], ["small"]), slot("w2", ["auto"], [])])).toEqual([])
    expect(yield* claim([{ ...slot("w1", ["auto"], null), refuses: ["big"] }])).toEqual([])
    expect(yield* claim([{ ...slot("w1", ["auto"], ["big"]), refuses: ["big"] }])).toEqual([])
    expect(yield* claim([slot("w1", ["auto"], ["small"]), slot("w2", ["auto"], ["small", "big"])])).toMatchObject([{ id: job_id, worker_id: "w2" }])
    const other = yield* submit({ model: "big" })
    expect(yield* claim([slot("w3", ["auto"], null)])).toMatchObject([{ id: other.job_id, worker_id: "w3" }])
  })))

  it("a job that no slot serves does not stand in the way of the next", () => withStore(Effect.gen(function*() {
    yield* submit({ model: "big" })
    yield* submit({ role: "reflection" })
    const { job_id } = yield* submit()
    expect(ids(yield* claim([slot("w1", ["auto"], ["small"])]))).toEqual([job_id])
  })))
})

describe("priority", () => {
  it("orders claims of one time", () => withStore(Effect.gen(function*() {
    const low = yield* submit({ priority: "low" })
    const medium = yield* submit({ priority: "medium" })
    const high = yield* submit({ priority: "high" })
    const order = []
    for (let k = 0; k < 3; k++) order.push((yield* claimOne).id)
    expect(order).toEqual([high.job_id, medium.job_id, low.job_id])
  })))

  it("ages: a low job that waited two steps longer goes before a high one", () => withStore(Effect.gen(function*() {
    const low = yield* submit({ priority: "low" })
    const high = yield* submit({ priority: "high" })
    yield* sql("UPDATE jobs SET queue_key = queue_key - ?, created_at = created_at - ? WHERE id = ?", 2 * AGEING_MS + 1000, 2 * AGEING_MS + 1000, low.job_id)
    expect(ids(yield* claim([slot(), slot()]))).toEqual([low.job_id, high.job_id])
  })))

  it("a retry that is due goes before a queued job of the same standing", () => withStore(Effect.gen(function*() {
    const tried = yield* submit()
    yield* finish(yield* claimOne, failed(true), { backoff_seconds: [0] })
    const fresh = yield* submit()
    yield* sql("UPDATE jobs SET queue_key = 1000, created_at = CASE id WHEN ? THEN 1 ELSE 2 END", fresh.job_id)
    expect(ids(yield* claim([slot(), slot()]))).toEqual([tried.job_id, fresh.job_id])
  })))
})

describe("the task's lock", () => {
  it("lets one root job of a task run at a time, the older first", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    yield* finish(yield* claimOne, succeeded())
    const again = yield* JobStore.use((jobs) => jobs.retry(id, "local"))
    // A second one, as a comment after the end makes it: it was there before the first one started.
    yield* sql(`INSERT INTO jobs SELECT 'third', task_id, parent_job_id, id, kind, status, piece, piece_hash, required_role, required_model, lock_key, queue_key - 10, attempt, max_attempts,
      next_retry_at, error_summary, abort_reason, wait_reason, resume_movement, current_movement, current_activity, ask_count, subtask_depth, give_backs, worker_id, node_id, fence,
      lease_expires_at, last_backend_id, context_used_tokens, context_limit_tokens, prompt_tokens, completion_tokens, cached_tokens, llm_calls, tool_calls, result, created_at,
      started_at, finished_at, moved_at, moved_by, move, move_detail, NULL FROM jobs WHERE id = ?`, again.id)
    expect(ids(yield* claim([slot(), slot(), slot()]))).toEqual([again.id])
    expect(yield* claim([slot("w2")], "n2")).toEqual([])
    yield* finish({ id: again.id, fence: 1 }, succeeded())
    expect(ids(yield* claim([slot("w2")], "n2"))).toEqual(["third"])
    expect((yield* jobOf(job_id)).status).toBe("succeeded")
  })))

  it("is gone with whatever ends the run", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    const first = yield* claimOne
    yield* finish(first, { _tag: "GivenBack", cause: "role", reason: "the worker no longer serves the role" })
    const second = yield* claimOne
    yield* JobStore.use((jobs) => jobs.cancel(id, "local"))
    const third = yield* JobStore.use((jobs) => jobs.retry(id, "local"))
    expect([first.id, second.id]).toEqual([first.id, first.id])
    expect((yield* claimOne).id).toBe(third.id)
  })))
})
