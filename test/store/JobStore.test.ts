// Reading jobs, and what the queue asks the store: when the next retry is due, and how much waits.
import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import { JobStore } from "../../src/store/JobStore.ts"
import { JOB_FIELDS } from "../../src/store/records.ts"
import { Wake } from "../../src/store/Wake.ts"
import { claimOne, failed, finish, jobOf, submit, succeeded, withStore } from "../support/database.ts"

const nextDue = JobStore.use((jobs) => jobs.nextDue())
const counts = JobStore.use((jobs) => jobs.counts())

describe("reading", () => {
  it("gives the record's fields and nothing else, the same by every way", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit({ model: "big" })
    const job = yield* jobOf(job_id)
    expect(Object.keys(job).sort()).toEqual([...JOB_FIELDS].sort())
    expect(job).toMatchObject({ id: job_id, task_id: id, kind: "agent", status: "queued", required_model: "big", attempt: 1, max_attempts: 3, fence: 0, started_at: null })
    expect(yield* JobStore.use((jobs) => jobs.listByTask(id))).toEqual([job])
  })))

  it("answers null for an unknown job and nothing for an unknown task", () => withStore(Effect.gen(function*() {
    expect(yield* JobStore.use((jobs) => jobs.get("nobody"))).toBeNull()
    expect(yield* JobStore.use((jobs) => jobs.listByTask(5))).toEqual([])
  })))

  it("lists a task's jobs in the order of their making", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    const order = [job_id]
    for (let k = 0; k < 3; k++) {
      yield* finish(yield* claimOne, succeeded())
      order.push((yield* JobStore.use((jobs) => jobs.retry(id, "local"))).id)
    }
    expect((yield* JobStore.use((jobs) => jobs.listByTask(id))).map((job) => job.id)).toEqual(order)
  })))
})

describe("the queue's figures", () => {
  it("nextDue is the earliest retry, beside the database's present", () => withStore(Effect.gen(function*() {
    expect((yield* nextDue).due_at).toBeNull()
    yield* submit()
    yield* finish(yield* claimOne, failed(true), { backoff_seconds: [300] })
    const { job_id } = yield* submit()
    yield* finish(yield* claimOne, failed(true), { backoff_seconds: [60] })
    const { due_at, now } = yield* nextDue
    expect(due_at).toBe((yield* jobOf(job_id)).next_retry_at)
    expect((due_at ?? 0) - now).toBeGreaterThan(50_000)
    expect(Math.abs(now - Date.now())).toBeLessThan(2_000)
  })))

  it("counts what waits and runs, and since when the oldest waits", () => withStore(Effect.gen(function*() {
    expect(yield* counts).toMatchObject({ queued: 0, running: 0, oldest_queued_at: null })
    yield* submit()
    const { job_id } = yield* submit()
    yield* submit()
    yield* claimOne
    expect(yield* counts).toMatchObject({ queued: 2, running: 1, oldest_queued_at: (yield* jobOf(job_id)).created_at })
  })))
})

describe("waking", () => {
  const woken = Effect.gen(function*() {
    const wake = yield* Wake
    const waiting = yield* Effect.forkChild(wake.next, { startImmediately: true })
    const woken = waiting.pollUnsafe() !== undefined
    yield* Fiber.interrupt(waiting)
    return woken
  })

  it("follows a move that may let something be claimed, and no other", () => withStore(Effect.gen(function*() {
    yield* submit()
    yield* woken
    const job = yield* claimOne
    expect(yield* woken).toBe(false)
    yield* finish({ id: job.id, fence: 7 }, succeeded())
    expect(yield* woken).toBe(false)
    yield* finish(job, succeeded())
    expect(yield* woken).toBe(true)
    expect(yield* woken).toBe(false)
  })))
})
