// Leases of this node's runs: renewed by the heartbeat, given up when another run took the job, and ended for a run that
// shows no life. Leases of a second, so that an expiry would be seen.
import { Effect } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import type { PlayJob } from "../../src/queue/Runner.ts"
import { Workers } from "../../src/queue/Workers.ts"
import { eventually, type Queue, startQueue } from "../support/queue.ts"
import { complete } from "../support/scenarios.ts"
import { type ScriptedLlm, type ScriptedLlmOptions, startScriptedLlm } from "../support/scriptedLlm.ts"

const scripted = (options: ScriptedLlmOptions = {}): ScriptedLlm => {
  const llm = startScriptedLlm(options)
  onTestFinished(() => llm.close())
  return llm
}
const FAST = { lease: { ttl_seconds: 1, heartbeat_seconds: 0.05 }, queue: { poll_seconds: 0.05 } }
const idle = (queue: Queue) => eventually(async () => ((await queue.run(Workers.use((workers) => Effect.succeed(workers.records()[0]?.inflight)))) === 0 ? true : null), () => queue.logs)
const losses = async (queue: Queue) => /^lease_losses_total (\d+)$/m.exec(await queue.metrics())?.[1]

describe("the heartbeat", () => {
  it("renews the lease of a run for as long as it goes on, so that no rescue takes it", async () => {
    let open: () => void = () => {}
    const llm = scripted({ scenarios: { held: () => ({ ...complete("in the end"), hold: new Promise<void>((resolve) => { open = resolve }) }) } })
    const queue = await startQueue({ llm: llm.url, settings: FAST })
    const task = await queue.submit("held")
    await llm.request(1)
    const first = (await queue.job(task)).lease_expires_at ?? 0
    // Past the first lease and past a round of the rescuer, which comes every two seconds.
    await queue.when(task, (job) => (job.lease_expires_at ?? 0) > first + 2_500)
    open()
    expect(await queue.until(task, "succeeded")).toMatchObject({ fence: 1, attempt: 1, lease_expires_at: null, result: "in the end" })
    expect(await losses(queue)).toBe("0")
  })

  it("stops a run whose lease another run took, with its request, and counts the loss", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url, settings: FAST })
    const task = await queue.submit("hang")
    const request = await llm.request(1)
    await queue.sql("UPDATE jobs SET fence = fence + 1, node_id = 'n2', worker_id = 'w9', lease_expires_at = 9e15 WHERE id = ? RETURNING id", task.job_id)
    await llm.abort(request, 1_000)
    await idle(queue)
    expect(await queue.job(task)).toMatchObject({ status: "running", fence: 2, node_id: "n2", worker_id: "w9" })
    expect(await queue.comments(task)).toEqual([])
    expect(await losses(queue)).toBe("1")
  })

  it("ends a run without a sign of life as a failed attempt, and the next attempt runs", async () => {
    const llm = scripted()
    let plays = 0
    const play: PlayJob = () => plays++ === 0 ? Effect.never : Effect.succeed({ outcome: { _tag: "Succeeded", result: "awake" }, closing: Effect.void })
    const queue = await startQueue({ llm: llm.url, play, settings: { ...FAST, llm: { timeout_minutes: 0.15 / 60 }, retry: { backoff_seconds: [0.01] } } })
    const task = await queue.submit("silent")
    expect(await queue.until(task, "succeeded")).toMatchObject({ attempt: 2, result: "awake" })
    expect((await queue.comments(task)).filter(({ kind }) => kind === "event").map(({ body }) => body)).toEqual([expect.stringMatching(/^Attempt 1 of 3 failed\. .*no sign of life/)])
  })

  it("does not let a run that is slow to stop cost the others their leases", async () => {
    const llm = scripted()
    let open: () => void = () => {}
    const stuck = new Promise<void>((resolve) => { open = resolve })
    const play: PlayJob = (job) => job.task.title === "stuck"
      ? Effect.uninterruptible(Effect.promise(() => stuck)).pipe(Effect.as({ outcome: { _tag: "Succeeded", result: "" }, closing: Effect.void } as const))
      : Effect.never
    const queue = await startQueue({ llm: llm.url, play, settings: FAST })
    const [blocked, other] = [await queue.submit("stuck"), await queue.submit("other")]
    for (const task of [blocked, other]) await queue.until(task, "running")
    await queue.sql("UPDATE jobs SET fence = fence + 1, node_id = 'n2' WHERE id = ? RETURNING id", blocked.job_id)
    await eventually(async () => ((await losses(queue)) === "1" ? true : null), () => queue.logs)
    const before = (await queue.job(other)).lease_expires_at ?? 0
    await queue.when(other, (job) => (job.lease_expires_at ?? 0) > before + 200)
    open()
  })
})
