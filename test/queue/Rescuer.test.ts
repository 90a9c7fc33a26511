// Jobs whose holder is gone: put back when their lease has run out, and at once when the holder was this very node.
import { describe, expect, it, onTestFinished } from "vitest"
import { type ScriptedLlm, type ScriptedLlmOptions, startScriptedLlm } from "../support/scriptedLlm.ts"
import { eventually, startQueue, type Submitted, type Queue, temporaryDir } from "../support/queue.ts"
import { complete } from "../support/scenarios.ts"

const scripted = (options: ScriptedLlmOptions = {}): ScriptedLlm => {
  const llm = startScriptedLlm(options)
  onTestFinished(() => llm.close())
  return llm
}

/** As a process leaves it that died in the middle of a run, `ago` after its lease was renewed. */
const leftRunning = (queue: Queue, task: Submitted, node_id: string, expires_in_ms: number) =>
  queue.sql(`UPDATE jobs SET status = 'running', node_id = ?, worker_id = 'w1', fence = fence + 1, started_at = coalesce(started_at, created_at), lease_expires_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?, required_role = 'auto',
    moved_by = 'node:' || ?, move = 'job.claimed', move_detail = '{}' WHERE id = ? RETURNING id`, node_id, expires_in_ms, node_id, task.job_id)

describe("a lease that ran out", () => {
  it("is put back by any node, and the job goes on with its attempt unspent", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("complete", { role: "nobody" })
    await leftRunning(queue, task, "vanished", -1)
    expect(await queue.until(task, "succeeded")).toMatchObject({ attempt: 1, fence: 2, node_id: "n1" })
    expect((await queue.audit(task)).map(({ action }) => action)).toContain("job.rescued")
    expect(queue.logs.some((line) => line.includes("lease ran out") && line.includes(task.job_id))).toBe(true)
    expect((await queue.comments(task)).filter(({ kind }) => kind === "event")).toEqual([])
  })
})

describe("a node that starts again", () => {
  it("frees what its earlier process still held at once, and goes on from the journal", async () => {
    const llm = scripted({ scenarios: { two: ({ step, nth }) => (step === 0 ? { calls: [["Ls", { path: "input" }]] } : nth === 1 ? { fault: "hang" } : complete("went on")) } })
    const dir = temporaryDir()
    const first = await startQueue({ llm: llm.url, dir })
    const task = await first.submit("two")
    await llm.request(2)
    await first.stop()
    // In order it was handed back; a process that was killed leaves the row as it was while it ran.
    const looking = await startQueue({ dir, workers: [] })
    await leftRunning(looking, task, "n1", 60_000)
    await looking.stop()

    const second = await startQueue({ llm: llm.url, dir })
    expect(await second.until(task, "succeeded")).toMatchObject({ attempt: 1, result: "went on" })
    expect(llm.requests.map(({ step }) => step)).toEqual([0, 1, 1])
    expect(second.logs.some((line) => line.includes("1 jobs of an earlier process"))).toBe(true)
  })

  it("leaves alone what another node holds", async () => {
    const llm = scripted()
    const dir = temporaryDir()
    const first = await startQueue({ llm: llm.url, dir })
    const task = await first.submit("complete", { role: "nobody" })
    await leftRunning(first, task, "n2", 60_000)
    await first.stop()
    const second = await startQueue({ llm: llm.url, dir })
    await second.until(await second.submit("complete"), "succeeded")
    await eventually(async () => ((await second.job(task)).status === "running" ? true : null), () => second.logs)
    expect(await second.job(task)).toMatchObject({ node_id: "n2", fence: 1 })
  })
})
