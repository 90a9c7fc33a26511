// Leases over a real database file: renewing, losing, and putting back what a dead run left. All times are the database's.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { JobStore } from "../../src/store/JobStore.ts"
import { Journal } from "../../src/store/Journal.ts"
import { rescueWrite } from "../../src/store/leaseWrites.ts"
import { Wake } from "../../src/store/Wake.ts"
import { auditOf, claim, claimOne, eventsOf, failed, finish, jobOf, slot, sql, submit, succeeded, withStore } from "../support/database.ts"
import { withLostReplies } from "../support/lostReply.ts"

const heartbeat = (leases: ReadonlyArray<{ readonly id: string; readonly fence: number }>, ttl = 30_000) => JobStore.use((jobs) => jobs.heartbeat(leases.map(({ id, fence }) => ({ id, fence })), ttl))
const rescue = JobStore.use((jobs) => jobs.rescue())
const expire = (id: string) => sql("UPDATE jobs SET lease_expires_at = unixepoch() * 1000 - 5000 WHERE id = ?", id)

const several = (count: number) => Effect.gen(function*() {
  for (let k = 0; k < count; k++) yield* submit()
  return yield* claim(Array.from({ length: count }, () => slot()))
})

describe("a heartbeat", () => {
  it("renews every lease that is held, from the database's now", () => withStore(Effect.gen(function*() {
    const jobs = yield* several(3)
    yield* sql("UPDATE jobs SET lease_expires_at = 5")
    const before = Date.now()
    expect(yield* heartbeat(jobs, 12_345)).toEqual([])
    for (const { id } of jobs) {
      const left = ((yield* jobOf(id)).lease_expires_at ?? 0) - before
      expect(left).toBeGreaterThanOrEqual(12_345 - 5)
      expect(left).toBeLessThan(12_345 + 2000)
    }
  })))

  it("names those that are held no longer: another fence, ended, cancelled, put back, unknown", () => withStore(Effect.gen(function*() {
    const [held, ended, cancelled, back] = yield* several(4)
    if (held === undefined || ended === undefined || cancelled === undefined || back === undefined) throw new Error("four jobs")
    yield* finish(ended, succeeded())
    yield* JobStore.use((jobs) => jobs.cancel(cancelled.task_id, "local"))
    yield* finish(back, { _tag: "GivenBack", cause: "lease", reason: "" })
    const stale = { id: held.id, fence: 9 }
    const unknown = { id: "nobody", fence: 1 }
    const lost = yield* heartbeat([held, ended, stale, cancelled, back, unknown])
    expect(lost).toEqual([ended, stale, cancelled, back, unknown].map(({ id, fence }) => ({ id, fence })))
    expect((yield* jobOf(held.id)).status).toBe("running")
  })))

  it("renews a lease that ran out as long as nobody took the job", () => withStore(Effect.gen(function*() {
    const job = yield* Effect.andThen(submit(), claimOne)
    yield* expire(job.id)
    expect(yield* heartbeat([job])).toEqual([])
    expect(yield* rescue).toEqual([])
    expect(yield* finish(job, succeeded())).toBe(true)
  })))

  it("asks nothing of the database without leases", () => withStore(Effect.gen(function*() {
    expect(yield* heartbeat([])).toEqual([])
  })))

  it("writes neither events nor audit entries", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    const job = yield* claimOne
    const before = yield* Effect.all([eventsOf(id), auditOf(job_id)])
    yield* heartbeat([job])
    expect(yield* Effect.all([eventsOf(id), auditOf(job_id)])).toEqual(before)
  })))
})

describe("a rescue", () => {
  it("puts back exactly the jobs whose lease ran out, with the attempt unspent", () => withStore(Effect.gen(function*() {
    const { job_id } = yield* submit()
    yield* finish(yield* claimOne, failed(true), { backoff_seconds: [0] })
    const second = yield* claimOne
    const [alive] = yield* several(1)
    yield* expire(job_id)
    expect(yield* rescue).toEqual([job_id])
    expect(yield* jobOf(job_id)).toMatchObject({ status: "queued", attempt: 2, fence: second.fence, worker_id: null, node_id: null, lease_expires_at: null, wait_reason: null, give_backs: 0 })
    expect((yield* jobOf(alive?.id ?? "")).status).toBe("running")
    expect((yield* auditOf(job_id)).at(-1)).toMatchObject({ action: "job.rescued", actor: "rescuer", detail: { node_id: "n1", worker_id: "w1", fence: 2 } })
    expect((yield* eventsOf(second.task_id)).at(-1)).toMatchObject({ event: "status", data: { status: "queued", attempt: 2 } })
    expect(yield* rescue).toEqual([])
  })))

  it("the old run learns of it at its next write, whatever it writes", () => withStore(Effect.gen(function*() {
    const old = yield* Effect.andThen(submit(), claimOne)
    yield* expire(old.id)
    yield* rescue
    const next = yield* claim([slot("w9")], "n2")
    expect(next).toMatchObject([{ id: old.id, fence: 2, attempt: 1, node_id: "n2" }])
    expect(yield* finish(old, succeeded())).toBe(false)
    expect(yield* heartbeat([old])).toEqual([{ id: old.id, fence: 1 }])
    const progress = {
      current_movement: "x", current_activity: null, last_backend_id: null, context_used_tokens: 0, context_limit_tokens: 0, prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, llm_calls: 0, tool_calls: 0,
    }
    const append = Journal.use((journal) => journal.append({ job_id: old.id, task_id: old.task_id, fence: old.fence, attempt: 1, seq: 1, entries: [], events: [], comments: [], progress }))
    expect(yield* Effect.flip(append)).toMatchObject({ _tag: "LeaseLost", job_id: old.id, fence: 1 })
    expect(yield* jobOf(old.id)).toMatchObject({ status: "running", node_id: "n2", current_movement: null })
  })))

  it("frees the task's lock", () => withStore(Effect.gen(function*() {
    const job = yield* Effect.andThen(submit(), claimOne)
    yield* expire(job.id)
    yield* rescue
    expect((yield* claimOne).fence).toBe(2)
  })))

  it("wakes who claims", () => withStore(Effect.gen(function*() {
    const job = yield* Effect.andThen(submit(), claimOne)
    yield* expire(job.id)
    const wake = yield* Wake
    yield* wake.next
    yield* rescue
    yield* wake.next
    expect((yield* claimOne).id).toBe(job.id)
  })))

  it("takes a thousand at a time and leaves none behind", () => withStore(Effect.gen(function*() {
    yield* Effect.all(Array.from({ length: 1100 }, () => submit()), { concurrency: "unbounded" })
    yield* claim(Array.from({ length: 1100 }, () => slot()), "n1", -1)
    expect(yield* rescue).toHaveLength(1000)
    expect(yield* rescue).toHaveLength(100)
    expect(yield* JobStore.use((jobs) => jobs.counts())).toMatchObject({ queued: 1100, running: 0 })
  })))

  it("loses nothing when its reply is lost", () => withLostReplies(Effect.gen(function*() {
    const job = yield* Effect.andThen(submit(), claimOne)
    yield* expire(job.id).pipe(Effect.ignoreCause)
    yield* rescue
    expect(yield* jobOf(job.id)).toMatchObject({ status: "queued", attempt: 1 })
    expect((yield* auditOf(job.id)).filter(({ action }) => action === "job.rescued")).toHaveLength(1)
  })))
})

describe("a node that starts again", () => {
  it("frees its own leases at once and leaves those of the others", () => withStore(Effect.gen(function*() {
    yield* Effect.all([submit(), submit()])
    const [mine] = yield* claim([slot("w1")], "n1")
    const [other] = yield* claim([slot("w1")], "n2")
    expect(yield* JobStore.use((jobs) => jobs.rescueNode("n1"))).toEqual([mine?.id])
    expect(yield* jobOf(mine?.id ?? "")).toMatchObject({ status: "queued", attempt: 1 })
    expect((yield* auditOf(mine?.id ?? "")).at(-1)).toMatchObject({ action: "job.rescued", actor: "node:n1" })
    expect((yield* jobOf(other?.id ?? "")).status).toBe("running")
  })))

  it("both kinds of rescue in one batch answer each its own", () => withStore(Effect.gen(function*() {
    yield* Effect.all([submit(), submit()])
    const [mine] = yield* claim([slot("w1")], "n1")
    const [other] = yield* claim([slot("w1")], "n2")
    yield* expire(other?.id ?? "")
    const found = yield* Effect.all([rescue, JobStore.use((jobs) => jobs.rescueNode("n1"))], { concurrency: "unbounded" })
    expect(found).toEqual([[other?.id], [mine?.id]])
    expect(rescueWrite.plan([null, "n1"], false).statements).toHaveLength(2)
  })))
})
