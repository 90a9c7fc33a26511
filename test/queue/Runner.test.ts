// What becomes of a run, whichever way it ends: retries, give-backs, faults, cancel, shutdown. On a whole node with a real
// database file and the scripted model, except where the fault is one that no model can make.
import { Effect } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { StoreError } from "../../src/job/errors.ts"
import { type PlayJob, Runner } from "../../src/queue/Runner.ts"
import { Workers } from "../../src/queue/Workers.ts"
import { refusedUrl } from "../support/badEndpoints.ts"
import { eventually, pieceText, type Queue, startQueue, temporaryDir, worker } from "../support/queue.ts"
import { complete, failFirst } from "../support/scenarios.ts"
import { type ScriptedLlm, type ScriptedLlmOptions, startScriptedLlm } from "../support/scriptedLlm.ts"

const scripted = (options: ScriptedLlmOptions = {}): ScriptedLlm => {
  const llm = startScriptedLlm(options)
  onTestFinished(() => llm.close())
  return llm
}
const POLLING = { queue: { poll_seconds: 0.05 } }
const bodies = async (queue: Queue, of: Parameters<Queue["comments"]>[0], kind = "event") => (await queue.comments(of)).filter((comment) => comment.kind === kind).map(({ body }) => body)
const state = (queue: Queue) => queue.run(Workers.use((workers) => Effect.succeed(workers.records()[0])))
/** The slot is given back right behind the commit of the run's end. */
const idle = (queue: Queue) => eventually(async () => ((await state(queue))?.inflight === 0 ? true : null), () => queue.logs)
const drain = (queue: Queue, grace_ms: number) => queue.run(Runner.use((runner) => runner.drain(grace_ms)))

describe("a run that fails where another may succeed", () => {
  it("is tried again after the backoff, with a comment for each failed attempt, until one succeeds", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url, settings: { ...POLLING, retry: { backoff_seconds: [0.1] } } })
    const task = await queue.submit("error500_twice")
    const waiting = await queue.when(task, (job) => job.status === "retry")
    expect(waiting).toMatchObject({ attempt: 1, wait_reason: "backoff", worker_id: null, error_summary: expect.stringContaining("scripted failure") })
    expect(waiting.next_retry_at).not.toBeNull()
    const done = await queue.until(task, "succeeded")
    expect(done).toMatchObject({ attempt: 3, result: "third try", next_retry_at: null })
    const said = await bodies(queue, task)
    expect(said).toHaveLength(2)
    expect(said[0]).toMatch(/^Attempt 1 of 3 failed\. .*scripted failure[\s\S]*next attempt starts at .* UTC\.$/)
    expect(said[1]).toMatch(/^Attempt 2 of 3 failed\./)
    const [first, second, third] = llm.requests
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(95)
    expect((third?.at ?? 0) - (second?.at ?? 0)).toBeGreaterThanOrEqual(95)
  })

  it("fails for good after its last attempt, with the endpoint's own message", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url, settings: { ...POLLING, retry: { backoff_seconds: [0.01] } } })
    const task = await queue.submit("error500", { max_attempts: 2 })
    expect(await queue.until(task, "failed")).toMatchObject({ attempt: 2, abort_reason: "llm_error", error_summary: expect.stringContaining("scripted failure"), next_retry_at: null })
    expect((await bodies(queue, task)).at(-1)).toMatch(/^Attempt 2 of 2 failed, it was the last\. .*scripted failure/)
    expect(llm.requests).toHaveLength(2)
    await idle(queue)
    expect((await queue.audit(task)).at(-1)).toMatchObject({ action: "job.failed", detail: { movements: 1, abort_reason: "llm_error", context_actions: 0 } })
  })

  it("starts its next attempt anew and not from the failed one's journal", async () => {
    const llm = scripted({ scenarios: { late: ({ step, nth }) => (nth === 1 ? { status: 503, message: "later" } : step === 0 ? { calls: [["Ls", { path: "input" }]] } : complete("in the end")) } })
    const queue = await startQueue({ llm: llm.url, settings: { ...POLLING, retry: { backoff_seconds: [0.01] } } })
    const task = await queue.submit("late")
    expect(await queue.until(task, "succeeded")).toMatchObject({ attempt: 2 })
    expect(llm.requests.map(({ step }) => step)).toEqual([0, 1, 0, 1])
    const entries = await queue.journal(task)
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, k) => k + 1))
    expect(new Set(entries.map(({ attempt }) => attempt))).toEqual(new Set([1, 2]))
  })

  it("ends at once where no other attempt can help", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url, settings: POLLING })
    const task = await queue.submit("error400")
    expect(await queue.until(task, "failed", "retry")).toMatchObject({ status: "failed", attempt: 1, abort_reason: "llm_error", error_summary: expect.stringContaining("scripted bad request") })
    expect(await bodies(queue, task)).toEqual([expect.stringMatching(/^The job failed\. Reason: llm_error\. .*scripted bad request/)])
  })
})

describe("an endpoint that cannot be reached", () => {
  it("gives the job back with its attempt unspent, marks the worker unhealthy, and the job runs when the endpoint is back", async () => {
    const llm = startScriptedLlm()
    const { port, url } = llm
    const queue = await startQueue({ llm: url })
    await queue.until(await queue.submit("complete"), "succeeded")
    llm.close()
    const task = await queue.submit("complete")
    const back = await queue.when(task, (job) => job.give_backs === 1)
    expect(back).toMatchObject({ status: "queued", attempt: 1, error_summary: null, wait_reason: null, worker_id: null })
    await idle(queue)
    expect(await state(queue)).toMatchObject({ healthy: false, last_error: expect.stringMatching(/ECONNREFUSED|ConnectionRefused|refused/i) })
    expect(await queue.comments(task)).toEqual([])
    scripted({ port })
    expect(await queue.until(task, "succeeded")).toMatchObject({ attempt: 1, give_backs: 0, fence: 2 })
  })

  it("parks the job after so many give-backs in a row, with the reason", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("complete", { role: "nobody" })
    await eventually(async () => ((await state(queue))?.healthy === true ? true : null), () => queue.logs)
    // The ninth is behind it; the probe's server stays, the endpoint of the call goes away.
    await queue.sql("UPDATE jobs SET give_backs = 9, required_role = 'auto' WHERE id = ? RETURNING id", task.job_id)
    llm.close()
    await queue.submit("complete")
    expect(await queue.until(task, "waiting_human")).toMatchObject({ wait_reason: "give_backs", attempt: 1, give_backs: 10 })
    expect(await bodies(queue, task)).toEqual([expect.stringMatching(/^The endpoint could not be reached 10 times in a row, so the job waits\. /)])
    await idle(queue)
  })

  it("takes no job at all while its worker never answered", async () => {
    const queue = await startQueue({ llm: refusedUrl() })
    const task = await queue.submit("complete")
    await eventually(async () => (queue.logs.some((line) => line.includes("is unhealthy")) ? true : null), () => queue.logs)
    expect(await queue.job(task)).toMatchObject({ status: "queued", fence: 0, give_backs: 0 })
  })
})

describe("a fault of the program", () => {
  it("fails the attempt that it fell upon; the process and the other jobs go on", async () => {
    const llm = scripted()
    const play: PlayJob = (job) => job.task.title === "broken"
      ? Effect.sync(() => { throw new TypeError("undefined is not a function") })
      : Effect.succeed({ outcome: { _tag: "Succeeded", result: "fine" }, closing: Effect.void })
    const queue = await startQueue({ llm: llm.url, play, settings: { ...POLLING, retry: { backoff_seconds: [0.01] } } })
    const [broken, fine] = [await queue.submit("broken", { max_attempts: 2 }), await queue.submit("fine")]
    expect(await queue.until(broken, "failed")).toMatchObject({ attempt: 2, abort_reason: "worker_exception", error_summary: expect.stringContaining("undefined is not a function") })
    expect(await queue.until(fine, "succeeded")).toMatchObject({ result: "fine" })
    await idle(queue)
  })

  it("that the database refuses for good fails the attempt, and is not played again without end", async () => {
    const llm = scripted()
    let plays = 0
    const play: PlayJob = () => Effect.suspend(() => {
      plays++
      return Effect.fail(new StoreError({ reason: "constraint", detail: "CHECK constraint failed" }))
    })
    const queue = await startQueue({ llm: llm.url, play, settings: { ...POLLING, retry: { backoff_seconds: [0.01] } } })
    expect(await queue.until(await queue.submit("refused"), "failed")).toMatchObject({ attempt: 3, abort_reason: "worker_exception", error_summary: expect.stringContaining("CHECK constraint failed") })
    expect(plays).toBe(3)
  })

  it("of a tool becomes a result that the model sees, and the job goes on", async () => {
    const llm = scripted({ scenarios: { write: ({ step, messages }) => (step === 0 ? { calls: [["Read", { path: "a\0b" }]] } : complete(String(messages.at(-1)?.content))) } })
    const queue = await startQueue({ llm: llm.url })
    const job = await queue.until(await queue.submit("write"), "succeeded", "failed", "retry")
    expect(job).toMatchObject({ status: "succeeded" })
    expect(job.result).not.toBe("")
  })
})

describe("cancel", () => {
  it("stops a streaming model within a second, says what was done, and frees the slot for the next job", async () => {
    const llm = scripted({ scenarios: { busy: ({ step }) => (step === 0 ? { calls: [["Ls", { path: "input" }]] } : { content: "word ".repeat(400), chunk_chars: 5, delay_ms: 50 }) } })
    const queue = await startQueue({ workers: [worker({ endpoint: llm.url, max_concurrency: 1 })] })
    const task = await queue.submit("busy")
    const request = await llm.request(2)
    await llm.until(() => request.chunks > 0)
    const next = await queue.submit("complete")
    const at = performance.now()
    await queue.cancel(task)
    await llm.abort(request)
    expect((request.aborted_at ?? Infinity) - at).toBeLessThan(1_000)
    expect(await queue.job(task)).toMatchObject({ status: "cancelled", abort_reason: "cancelled", lease_expires_at: null })
    expect(await bodies(queue, task)).toEqual(["Cancelled by local. Done so far: 1 LLM calls, 1 tool calls, last in movement work."])
    expect(await queue.until(next, "succeeded")).toMatchObject({ result: "done" })
    const events = await queue.events(task)
    expect(events.at(-1)).toMatchObject({ event: "done", data: { status: "cancelled" } })
    expect(llm.requests.filter(({ scenario }) => scenario === "busy")).toHaveLength(2)
  })

  it("is counted once in the metrics", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("hang")
    await llm.request(1)
    await queue.cancel(task)
    expect(await queue.metrics()).toMatch(/^jobs_total\{piece="other",status="cancelled",profile="auto"\} 1$/m)
  })

  it("that reaches a run only through the database stops it at its next write, which changes nothing", async () => {
    let open: () => void = () => {}
    const llm = scripted({ scenarios: { held: () => ({ calls: [["Write", { path: "output/a.txt", content: "a" }]], hold: new Promise<void>((resolve) => { open = resolve }) }) } })
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("held")
    await llm.request(1)
    await queue.sql("UPDATE jobs SET status = 'cancelled', finished_at = 1, lease_expires_at = NULL WHERE id = ? RETURNING id", task.job_id)
    const before = await queue.journal(task)
    open()
    await idle(queue)
    expect(await queue.journal(task)).toEqual(before)
    expect(await queue.job(task)).toMatchObject({ status: "cancelled", result: null, llm_calls: 0 })
    expect(llm.requests).toHaveLength(1)
  })
})

describe("a lease that another run took", () => {
  it("stops the run at its next write and changes nothing", async () => {
    let open: () => void = () => {}
    const llm = scripted({ scenarios: { held: () => ({ ...complete("too late"), hold: new Promise<void>((resolve) => { open = resolve }) }) } })
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("held")
    await llm.request(1)
    const before = await queue.journal(task)
    await queue.sql("UPDATE jobs SET fence = fence + 1, node_id = 'n2', worker_id = 'w9' WHERE id = ? RETURNING id", task.job_id)
    open()
    await idle(queue)
    expect(await queue.job(task)).toMatchObject({ status: "running", fence: 2, node_id: "n2", worker_id: "w9", result: null })
    expect(await queue.journal(task)).toEqual(before)
    expect(await bodies(queue, task)).toEqual([])
    expect((await queue.events(task)).filter(({ event }) => event === "done")).toEqual([])
  })
})

describe("shutdown", () => {
  const twoTurns = { two_turns: ({ step }: { readonly step: number }) => (step < 2 ? { calls: [["Ls", { path: step === 0 ? "input" : "output" }]] as const, wait_ms: 30 } : complete("went on")) }

  it("hands a run back at its next turn; the next start goes on from the journal and asks nothing twice", async () => {
    const llm = scripted({ scenarios: twoTurns })
    const dir = temporaryDir()
    const first = await startQueue({ llm: llm.url, dir })
    const task = await first.submit("two_turns")
    await llm.request(2)
    await drain(first, 5_000)
    expect(await first.job(task)).toMatchObject({ status: "queued", attempt: 1, give_backs: 0, llm_calls: 2, worker_id: null })
    const late = await first.submit("complete")
    await first.stop()
    expect(llm.requests.filter(({ aborted }) => aborted)).toEqual([])

    const second = await startQueue({ llm: llm.url, dir })
    expect(await second.until(task, "succeeded")).toMatchObject({ attempt: 1, fence: 2, result: "went on", llm_calls: 3 })
    expect(await second.until(late, "succeeded")).toMatchObject({ fence: 1 })
    expect(llm.requests.filter(({ scenario }) => scenario === "two_turns").map(({ step }) => step)).toEqual([0, 1, 2])
    const running = (await second.events(task)).filter(({ event, data }) => event === "status" && data["status"] === "running")
    expect(running).toHaveLength(2)
    expect(await bodies(second, task)).toEqual([])
  })

  it("interrupts what outlasts the grace and hands it back too", async () => {
    const llm = scripted({ scenarios: { stuck: failFirst(1, { fault: "hang" }, () => complete("second start")) } })
    const dir = temporaryDir()
    const first = await startQueue({ llm: llm.url, dir })
    const task = await first.submit("stuck")
    const request = await llm.request(1)
    await drain(first, 50)
    await llm.abort(request)
    expect(await first.job(task)).toMatchObject({ status: "queued", attempt: 1, lease_expires_at: null })
    await first.stop()
    expect(await (await startQueue({ llm: llm.url, dir })).until(task, "succeeded")).toMatchObject({ attempt: 1, result: "second start" })
  })

  it("hands back what runs when the node's scope simply closes", async () => {
    const llm = scripted({ scenarios: { stuck: failFirst(1, { fault: "stall" }, () => complete("second start")) } })
    const dir = temporaryDir()
    const first = await startQueue({ llm: llm.url, dir })
    const task = await first.submit("stuck")
    const request = await llm.request(1)
    await first.stop()
    await llm.abort(request)
    const second = await startQueue({ llm: llm.url, dir, workers: [worker({ endpoint: llm.url, roles: ["nobody"] })] })
    expect(await second.job(task)).toMatchObject({ status: "queued", attempt: 1, fence: 1, node_id: null })
    expect((await second.audit(task)).at(-1)).toMatchObject({ action: "job.given_back", detail: { cause: "shutdown" } })
  })
})

describe("a model that the endpoint turns out not to have", () => {
  it("gives the job back with the reason, and the worker is not asked again for it", async () => {
    const llm = scripted({ models: [], scenarios: { missing: () => ({ status: 404, message: "The model `m9` does not exist", code: "model_not_found" }) } })
    const queue = await startQueue({ llm: llm.url, settings: POLLING })
    const task = await queue.submit("missing", { model: "m9", piece_text: pieceText("model: m9\n") })
    expect(await queue.when(task, (job) => job.wait_reason === "model")).toMatchObject({ status: "queued", attempt: 1, required_model: "m9" })
    for (let n = 0; n < 3; n++) await queue.until(await queue.submit("complete"), "succeeded")
    expect(llm.requests.filter(({ scenario }) => scenario === "missing")).toHaveLength(1)
    expect(await queue.job(task)).toMatchObject({ status: "queued", wait_reason: "model", fence: 1 })
  })
})
