// A task's events over a real database file: read on from an id, woken by commits of their own task, live ones live only.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { EventLog } from "../../src/store/EventLog.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { claimOne, eventsOf, failed, finish, sql, submit, succeeded, withStore } from "../support/database.ts"

const after = (task_id: number, id: number, limit: number) => EventLog.use((log) => log.after(task_id, id, limit))
const message = (task_id: number) => TaskStore.use((tasks) => tasks.comment({ task_id, job_id: null, author: "user", kind: "message", body: "hello", mode: null }))

const listen = (task_id: number) => Effect.gen(function*() {
  const heard = { commits: 0, live: [] as Array<unknown>, end: () => {} }
  const log = yield* EventLog
  heard.end = log.subscribe(task_id, {
    onCommit: () => { heard.commits++ },
    onEphemeral: (job_id, _at, event) => { heard.live.push([job_id, event]) },
  })
  return heard
})

describe("reading on", () => {
  it("gives the task's events after an id, in the order of their commits, up to the limit", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    const other = yield* submit()
    for (let k = 0; k < 4; k++) {
      yield* message(id)
      yield* message(other.id)
    }
    const all = yield* eventsOf(id)
    expect(all.map(({ event }) => event)).toEqual(["status", "comment", "comment", "comment", "comment"])
    expect(all.every((event) => event.task_id === id && event.job_id === job_id && event.at > 0)).toBe(true)
    expect(all.map((event) => event.id)).toEqual(all.map((event) => event.id).toSorted((a, b) => a - b))
    expect(yield* after(id, all[1]?.id ?? 0, 2)).toEqual(all.slice(2, 4))
    expect(yield* after(id, all[4]?.id ?? 0, 2)).toEqual([])
    expect(yield* after(99, 0, 10)).toEqual([])
  })))

  it("an id is given once, also after a task and its events are deleted", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    const last = (yield* eventsOf(id)).at(-1)?.id ?? 0
    yield* TaskStore.use((tasks) => tasks.remove(id, "local"))
    const next = yield* submit()
    expect((yield* eventsOf(next.id))[0]?.id).toBeGreaterThan(last)
  })))
})

describe("listeners", () => {
  it("are woken after the commit, by what was written for their task, and by nothing else", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    const other = yield* submit()
    const mine = yield* listen(id)
    const theirs = yield* listen(other.id)
    let seen = -1
    const log = yield* EventLog
    const run = Effect.runPromiseWith(yield* Effect.context())
    let reading: Promise<unknown> = Promise.resolve()
    log.subscribe(id, { onCommit: () => { reading = run(log.after(id, 0, 100)).then((events) => { seen = events.length }) }, onEphemeral: () => {} })
    yield* message(id)
    yield* Effect.promise(() => reading)
    expect([mine.commits, theirs.commits, seen]).toEqual([1, 0, 2])
    yield* message(other.id)
    expect([mine.commits, theirs.commits]).toEqual([1, 1])
    yield* JobStore.use((jobs) => jobs.heartbeat([{ id: "nobody", fence: 1 }], 1000))
    yield* Effect.ignore(message(99))
    expect([mine.commits, theirs.commits]).toEqual([1, 1])
  })))

  it("hear of every kind of move: submit, finish, rescue, cancel, retry", () => withStore(Effect.gen(function*() {
    const heard = yield* listen(1)
    const counts: Array<number> = []
    const step = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.tap(effect, () => Effect.sync(() => {
      counts.push(heard.commits)
      heard.commits = 0
    }))
    const { id, job_id } = yield* step(submit())
    yield* step(Effect.flatMap(claimOne, (job) => Effect.sync(() => { heard.commits = 0 }).pipe(Effect.andThen(finish(job, failed(true), { backoff_seconds: [0] })))))
    const job = yield* claimOne
    yield* sql("UPDATE jobs SET lease_expires_at = 1 WHERE id = ?", job_id)
    heard.commits = 0
    yield* step(JobStore.use((jobs) => jobs.rescue()))
    expect(yield* finish(job, succeeded())).toBe(false)
    expect(heard.commits).toBe(0)
    yield* step(JobStore.use((jobs) => jobs.cancel(id, "local")))
    yield* step(JobStore.use((jobs) => jobs.retry(id, "local")))
    expect(counts).toEqual([1, 1, 1, 1, 1])
  })))

  it("stop hearing when they end their subscription, each for itself", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    const first = yield* listen(id)
    const second = yield* listen(id)
    first.end()
    first.end()
    yield* message(id)
    const log = yield* EventLog
    log.emit(id, job_id, { event: "text", data: { text: "x" } })
    expect([first.commits, second.commits, first.live.length, second.live.length]).toEqual([0, 1, 0, 1])
    second.end()
    const third = yield* listen(id)
    yield* message(id)
    expect([second.commits, third.commits]).toEqual([1, 1])
  })))
})

describe("an ephemeral event", () => {
  it("goes to the live listeners of its task and is stored nowhere", () => withStore(Effect.gen(function*() {
    const { id, job_id } = yield* submit()
    const before = yield* eventsOf(id)
    const log = yield* EventLog
    log.emit(id, job_id, { event: "text", data: { text: "too early" } })
    const [mine, theirs] = [yield* listen(id), yield* listen(id + 1)]
    log.emit(id, job_id, { event: "reasoning", data: { text: "hm" } })
    expect(mine.live).toEqual([[job_id, { event: "reasoning", data: { text: "hm" } }]])
    expect([mine.commits, theirs.live.length]).toEqual([0, 0])
    expect(yield* eventsOf(id)).toEqual(before)
  })))
})
