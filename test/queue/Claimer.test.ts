// Claims as a node makes them: by wake-up, by role, model and lock, filled over the workers. Polls are a minute apart.
import { Deferred, Effect, Layer } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import { loggingLayer } from "../../src/metrics/logging.ts"
import { Metrics } from "../../src/metrics/Metrics.ts"
import { Claimer } from "../../src/queue/Claimer.ts"
import { type PlayJob, Runner } from "../../src/queue/Runner.ts"
import { Workers } from "../../src/queue/Workers.ts"
import { storeLayer } from "../../src/store/layer.ts"
import { optionsFor } from "../support/database.ts"
import { eventually, pieceText, type Queue, startQueue, temporaryDir, worker } from "../support/queue.ts"
import { startScriptedLlm, type ScriptedLlm, type ScriptedLlmOptions } from "../support/scriptedLlm.ts"

const scripted = (options: ScriptedLlmOptions = {}): ScriptedLlm => {
  const llm = startScriptedLlm(options)
  onTestFinished(() => llm.close())
  return llm
}

const healthy = (queue: Queue): Promise<true> => eventually(
  async () => ((await queue.run(Workers.use((workers) => Effect.succeed(workers.records())))).filter((w) => w.enabled).every((w) => w.healthy) ? true : null), () => queue.logs)

/** Plays that end when the test says so. */
const heldPlays = () => {
  const open = Deferred.makeUnsafe<void>()
  const started: Array<{ readonly job_id: string; readonly worker_id: string }> = []
  const play: PlayJob = (job) => Effect.gen(function*() {
    started.push({ job_id: job.id, worker_id: job.worker_id })
    yield* Deferred.await(open)
    return { outcome: { _tag: "Succeeded", result: "held" }, closing: Effect.void }
  })
  return { play, started, open: () => Deferred.doneUnsafe(open, Effect.void) }
}

describe("a claim", () => {
  it("follows a submission by wake-up, long before the next poll", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    await healthy(queue)
    const at = performance.now()
    const task = await queue.submit("complete")
    const request = await llm.request(1)
    expect(request.at - at).toBeLessThan(1_000)
    expect(await queue.until(task, "succeeded")).toMatchObject({ result: "done", attempt: 1, fence: 1, worker_id: "w1", node_id: "n1" })
  })

  it("waits for the first probe of the worker, and then comes without a poll", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("complete")
    expect(await queue.until(task, "succeeded")).toMatchObject({ result: "done" })
  })

  it("takes the next job as soon as a slot is free", async () => {
    const llm = scripted()
    const queue = await startQueue({ workers: [worker({ endpoint: llm.url, max_concurrency: 1 })] })
    const tasks = await Promise.all(Array.from({ length: 6 }, () => queue.submit("complete")))
    for (const task of tasks) await queue.until(task, "succeeded")
    expect(llm.stats().peak_active).toBe(1)
  })

  it("finds by its poll what nobody announced", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url, settings: { queue: { poll_seconds: 0.05 } } })
    const task = await queue.submit("complete", { role: "nobody" })
    await healthy(queue)
    await queue.sql("UPDATE jobs SET required_role = 'auto' WHERE id = ? RETURNING id", task.job_id)
    expect((await queue.until(task, "succeeded")).status).toBe("succeeded")
  })

  it("leaves a job whose role nobody serves in the queue while others run", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const left = await queue.submit("complete", { role: "reflection" })
    await queue.until(await queue.submit("complete"), "succeeded")
    expect(await queue.job(left)).toMatchObject({ status: "queued", attempt: 1, fence: 0 })
  })

  it("gives a job that names a model to the worker that offers it, and none to a worker that does not", async () => {
    const [small, big] = [scripted({ models: ["small"] }), scripted({ models: ["big"] })]
    const queue = await startQueue({ workers: [worker({ id: "a", endpoint: small.url, max_concurrency: 8 }), worker({ id: "b", endpoint: big.url, max_concurrency: 1 })] })
    await healthy(queue)
    const tasks = await Promise.all(Array.from({ length: 3 }, () => queue.submit("complete", { model: "big", piece_text: pieceText("model: big\n") })))
    const missing = await queue.submit("complete", { model: "huge" })
    for (const task of tasks) expect(await queue.until(task, "succeeded")).toMatchObject({ worker_id: "b" })
    expect(big.requests.every((request) => request.body["model"] === "big")).toBe(true)
    expect(small.requests).toEqual([])
    expect(await queue.job(missing)).toMatchObject({ status: "queued", fence: 0 })
  })

  it("fills the worker with most free slots first", async () => {
    const llm = scripted()
    const held = heldPlays()
    const queue = await startQueue({ play: held.play, workers: [worker({ id: "narrow", endpoint: llm.url, max_concurrency: 1 }), worker({ id: "wide", endpoint: llm.url, max_concurrency: 3 })] })
    await healthy(queue)
    const tasks: Array<Awaited<ReturnType<Queue["submit"]>>> = []
    for (const n of [1, 2, 3, 4]) {
      tasks.push(await queue.submit("held"))
      await eventually(() => (held.started.length === n ? true : null), () => held.started)
    }
    expect(held.started.map(({ worker_id }) => worker_id)).toEqual(["wide", "wide", "narrow", "wide"])
    held.open()
    for (const task of tasks) await queue.until(task, "succeeded")
  })

  it("leaves workers that are disabled or serve as endpoint only alone", async () => {
    const [off, eyes, llm] = [scripted(), scripted(), scripted()]
    const queue = await startQueue({ workers: [
      worker({ id: "off", endpoint: off.url, enabled: false, max_concurrency: 9 }), worker({ id: "eyes", endpoint: eyes.url, claims: false, max_concurrency: 9 }), worker({ endpoint: llm.url }),
    ] })
    for (const task of [await queue.submit("complete"), await queue.submit("complete")]) expect(await queue.until(task, "succeeded")).toMatchObject({ worker_id: "w1" })
    expect([off.requests.length, eyes.requests.length]).toEqual([0, 0])
  })

  it("runs one job of a task at a time: a second one waits in the queue until the first has ended", async () => {
    const llm = scripted()
    const held = heldPlays()
    const queue = await startQueue({ play: held.play, llm: llm.url })
    const first = await queue.submit("held")
    await queue.until(first, "running")
    await queue.sql(`INSERT INTO jobs (id, task_id, kind, status, piece, piece_hash, required_role, lock_key, queue_key, max_attempts, created_at, moved_at, moved_by, move, move_detail)
      SELECT 'second', task_id, kind, 'queued', piece, piece_hash, required_role, lock_key, queue_key + 1, max_attempts, created_at + 1, moved_at, moved_by, 'job.created', '{}' FROM jobs WHERE id = ? RETURNING id`, first.job_id)
    const second = { ...first, job_id: "second" }
    const other = await queue.submit("held")
    await queue.until(other, "running")
    expect(await queue.job(second)).toMatchObject({ status: "queued", fence: 0 })
    held.open()
    await queue.until(first, "succeeded")
    await queue.until(second, "succeeded")
    expect(held.started.map(({ job_id }) => job_id)).toEqual([first.job_id, other.job_id, "second"])
  })

  it("goes on after a round that broke, and says so", async () => {
    const logs: Array<string> = []
    let rounds = 0
    const breaking = Layer.succeed(Workers, {
      slots: () => {
        if (rounds++ === 0) throw new Error("no slots can be counted")
        return []
      },
    } as unknown as (typeof Workers)["Service"])
    const dir = temporaryDir()
    const layer = Claimer.layer({ node_id: "n1", lease_ttl_ms: 1_000, poll_ms: 10 }).pipe(
      Layer.provideMerge(Runner.layer({ play: heldPlays().play, backoff_seconds: [] })),
      Layer.provideMerge(Layer.mergeAll(breaking, Metrics.layer({ pieces: new Set(), toolLabel: (name) => name }), storeLayer(optionsFor(`file:${dir}/attacca.db`)), LlmClient.layer({ connect_timeout_ms: 1_000, retries: 0 }))),
      Layer.provideMerge(loggingLayer({ level: "info", format: "text", node_id: "n1", secrets: [], write: (line) => logs.push(line) })),
    )
    await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      yield* Layer.build(layer)
      yield* Effect.promise(() => eventually(() => (rounds > 2 ? true : null), () => logs))
    })))
    expect(logs.filter((line) => line.includes("claim broke") && line.includes("no slots can be counted"))).toHaveLength(1)
  })
})
