// Two nodes on one real sqld primary: claims never collide, the whole life of a job works, and a primary that goes away
// for a moment costs time and nothing else.
import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { JobStore } from "../../src/store/JobStore.ts"
import { Journal } from "../../src/store/Journal.ts"
import { Registry } from "../../src/store/Registry.ts"
import { openRemote } from "../../src/store/remoteConnection.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { auditOf, claim, claimOne, commentsOf, eventsOf, failed, finish, jobOf, openStore, slot, sql, submit, succeeded } from "../support/database.ts"
import { startPrimary, type Primary } from "../support/primary.ts"

const JOBS = 200
const together = { concurrency: "unbounded" } as const

let primary: Primary
beforeAll(async () => { primary = await startPrimary() })
afterAll(() => primary.stop())

const node = () => {
  const store = openStore(primary.url)
  onTestFinished(() => store.dispose())
  return store
}

describe("two nodes on one primary", () => {
  it("may start together on an empty database", async () => {
    const [a, b] = [node(), node()]
    const found = await Promise.all([a.runPromise(submit()), b.runPromise(submit())])
    expect(found.map(({ id }) => id).sort()).toEqual([1, 2])
    await a.runPromise(Effect.gen(function*() {
      for (const { id } of found) yield* TaskStore.use((tasks) => tasks.remove(id, "local"))
    }))
  })

  it("never run one fence twice, and leave no job behind", async () => {
    const nodes = [node(), node()]
    await nodes[0]?.runPromise(Effect.all(Array.from({ length: JOBS }, () => submit()), together))
    const drain = (node_id: string) => Effect.gen(function*() {
      const taken: Array<{ readonly id: string; readonly fence: number }> = []
      for (;;) {
        const jobs = yield* claim([slot("w1"), slot("w1"), slot("w2")], node_id)
        if (jobs.length === 0) return taken
        taken.push(...jobs.map(({ id, fence }) => ({ id, fence })))
        const kept = yield* Effect.all(jobs.map((job) => finish(job, succeeded(node_id))), together)
        expect(kept).toEqual(jobs.map(() => true))
      }
    })
    const taken = (await Promise.all(nodes.map((store, k) => store.runPromise(drain(`n${k}`))))).flat()
    expect(taken).toHaveLength(JOBS)
    expect(new Set(taken.map(({ id, fence }) => `${id}/${fence}`)).size).toBe(JOBS)
    expect(await nodes[1]?.runPromise(JobStore.use((jobs) => jobs.counts()))).toMatchObject({ queued: 0, running: 0 })
  })

  it("see one another: what one submits the other runs, cancels and rescues", async () => {
    const [a, b] = [node(), node()]
    const { id, job_id } = await a.runPromise(submit({ idempotency_key: "k" }))
    expect(await b.runPromise(submit({ idempotency_key: "k" }))).toMatchObject({ id, job_id, created: false })
    const job = await b.runPromise(claimOne)
    await a.runPromise(sql("UPDATE jobs SET lease_expires_at = 1 WHERE id = ?", job_id))
    expect(await a.runPromise(JobStore.use((jobs) => jobs.rescue()))).toEqual([job_id])
    expect(await b.runPromise(finish(job, succeeded()))).toBe(false)
    expect(await b.runPromise(JobStore.use((jobs) => jobs.heartbeat([{ id: job_id, fence: 1 }], 1000)))).toEqual([{ id: job_id, fence: 1 }])
    const again = await a.runPromise(claimOne)
    expect(again).toMatchObject({ id: job_id, fence: 2, attempt: 1 })
    expect(await b.runPromise(JobStore.use((jobs) => jobs.cancel(id, "ana")))).toMatchObject({ status: "cancelled" })
    expect(await a.runPromise(finish(again, succeeded()))).toBe(false)
  })
})

it("the whole life of a job stands on a primary as it does in a file", () => node().runPromise(Effect.gen(function*() {
  const { id, job_id } = yield* submit({ title: "T", options: { mcp_disabled: true } })
  const first = yield* claimOne
  const progress = {
    current_movement: "work", current_activity: null, last_backend_id: null, context_used_tokens: 1, context_limit_tokens: 2, prompt_tokens: 3, completion_tokens: 4, cached_tokens: 5, llm_calls: 1, tool_calls: 0,
  }
  const append = (seq: number) => Journal.use((journal) => journal.append({
    job_id, task_id: id, fence: first.fence, attempt: 1, seq, entries: [{ kind: "note", movement: "work", text: "é\0'\"", comment_ids: [] }], events: [{ event: "movement_start", data: { movement: "work" } }], comments: ["step"], progress,
  }))
  yield* append(1)
  yield* finish(first, failed(true), { backoff_seconds: [0] })
  expect(yield* Effect.flip(append(2))).toMatchObject({ _tag: "LeaseLost" })
  const second = yield* claimOne
  expect(second).toMatchObject({ id: job_id, attempt: 2, fence: 2, llm_calls: 1, piece_text: "name: general\n", task: { title: "T", options: { mcp_disabled: true } } })
  yield* finish(second, succeeded("the result"))
  expect(yield* jobOf(job_id)).toMatchObject({ status: "succeeded", result: "the result", attempt: 2 })
  expect((yield* eventsOf(id)).map(({ event, data }) => [event, data["status"] ?? null])).toEqual([["status", "queued"], ["movement_start", null], ["comment", null], ["status", "retry"], ["status", "succeeded"], ["done", "succeeded"]])
  expect((yield* commentsOf(id)).map(({ kind }) => kind)).toEqual(["progress", "event", "result"])
  expect((yield* auditOf(job_id)).map(({ action }) => action)).toEqual(["task.submitted", "job.claimed", "job.retry_scheduled", "job.claimed", "job.succeeded"])
  const again = yield* JobStore.use((jobs) => jobs.retry(id, "ana"))
  expect(again).toMatchObject({ status: "queued", continued_from_job_id: job_id })
  expect(yield* Effect.flip(JobStore.use((jobs) => jobs.retry(id, "ana")))).toMatchObject({ _tag: "Conflict" })
  expect((yield* TaskStore.use((tasks) => tasks.list({ limit: 1, cursor: null, status: "queued" }))).items).toMatchObject([{ task: { id }, job: { id: again.id } }])
  yield* Registry.use((registry) => registry.publish({ id: "n1", url: "u", version: "v" }, []))
  expect(yield* Registry.use((registry) => registry.nodes(10_000))).toMatchObject([{ id: "n1", healthy: true }])
  yield* TaskStore.use((tasks) => tasks.remove(id, "ana"))
  expect(yield* TaskStore.use((tasks) => tasks.get(id))).toBeNull()
})))

describe("a primary's failures", () => {
  it("a batch is all or nothing, and a refused row is told as such", async () => {
    const connection = openRemote(primary.url, null)
    const refused = connection.batch([{ sql: "INSERT INTO pieces VALUES ('o', 'half', 't', 1)", args: [] }, { sql: "UPDATE tasks SET priority = 'x' WHERE 1", args: [] }, { sql: "INSERT INTO pieces VALUES ('o', 'half', 't', 1)", args: [] }])
    await expect(refused).rejects.toMatchObject({ _tag: "StoreError", reason: "constraint" })
    expect(await connection.read({ sql: "SELECT count(*) FROM pieces WHERE name = ?", args: ["half"] })).toEqual([[0]])
    connection.close()
  })

  it("an address that is none is refused at once", () => {
    expect(() => openRemote("http://[broken", null)).toThrow()
  })

  it("nobody at the address is unreachable, by name", async () => {
    const connection = openRemote("http://127.0.0.1:1", null)
    await expect(connection.read({ sql: "SELECT 1", args: [] })).rejects.toMatchObject({ _tag: "StoreError", reason: "unreachable", detail: expect.stringContaining("http://127.0.0.1:1") })
    connection.close()
  })
})
