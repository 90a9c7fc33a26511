// The life of a job on the real product: cancel, hand-back at shutdown, a killed node, a dead endpoint, many at once.
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Page, Task } from "../../src/cli/shapes.ts"
import { endNodes, eventually, probePiece, startNode } from "../support/node.ts"
import type { Node, NodeOptions } from "../support/node.ts"
import { complete } from "../support/scenarios.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"
import type { ScriptedLlm } from "../support/scriptedLlm.ts"

let llm: ScriptedLlm
beforeEach(() => { llm = startScriptedLlm() })
afterEach(async () => {
  await endNodes()
  llm.close()
})

const start = async (options: NodeOptions = {}): Promise<Node> => {
  const node = await startNode({ llm: llm.url, ...options })
  await node.putPiece("probe", probePiece())
  return node
}
const submit = (node: Node, scenario: string): Promise<Task> => node.submit({ instruction: `SCENARIO:${scenario}`, piece: "probe" }, { "notes.txt": "alpha\n" })

describe("cancel", () => {
  it.each(["slow", "hang", "silent"])("reaches the request of a model that is busy (%s) within a second", async (scenario) => {
    const node = await start()
    const { id } = await submit(node, scenario)
    const request = await llm.request(1)
    const asked = performance.now()
    expect((await node.call("POST", `/api/tasks/${id}/cancel`)).status).toBe(202)
    await llm.abort(request, 2_000)
    const task = await node.until(id, ["cancelled"])
    expect(performance.now() - asked).toBeLessThan(1_000)
    expect(task.job).toMatchObject({ abort_reason: "cancelled" })
    expect((await node.call("POST", `/api/tasks/${id}/cancel`)).status).toBe(409)
    expect((await node.events(id, (event) => event.event === "done")).at(-1)?.data).toMatchObject({ status: "cancelled" })
    await eventually(async () => ((await node.call("GET", "/api/workers")).json as Page<{ inflight: number }>).items[0]?.inflight === 0 || null, () => "the worker's slot was not freed")
  })

  it("takes a job out of the queue", async () => {
    const node = await start({ config: { workers: [{ id: "w1", endpoint: llm.url, model: "scripted-1", max_concurrency: 1 }] } })
    await submit(node, "slow")
    await llm.request(1)
    const waiting = await submit(node, "complete")
    expect((await node.call("POST", `/api/tasks/${waiting.id}/cancel`)).status).toBe(202)
    expect(await node.task(waiting.id)).toMatchObject({ status: "cancelled" })
    expect(llm.requests).toHaveLength(1)
  })
})

describe("retry by hand", () => {
  it("makes a new job of the same task", async () => {
    const node = await start()
    const first = await submit(node, "abort")
    const failed = await node.until(first.id, ["failed"])
    expect((await node.call("POST", `/api/tasks/${first.id}/retry`)).status).toBe(202)
    const again = await eventually(async () => {
      const task = await node.task(first.id)
      return task.job?.id !== failed.job?.id && task.status === "failed" ? task : null
    }, () => "no new job ended")
    expect(again.job).toMatchObject({ continued_from_job_id: failed.job?.id, attempt: 1 })
    expect((await node.call("POST", `/api/tasks/${first.id}/resume`)).status).toBe(409)
  })
})

describe("shutdown", () => {
  it("SIGTERM ends an idle node with 0 at once, and its lock is free", async () => {
    const node = await start()
    const at = performance.now()
    expect(await node.stop()).toBe(0)
    expect(performance.now() - at).toBeLessThan(2_000)
    expect((await startNode({ llm: llm.url, dir: node.dir })).base).toMatch(/^http/)
  })

  it("finishes what ends within the grace", async () => {
    let open: () => void = () => {}
    llm.define("held", () => ({ ...complete("in time"), hold: new Promise<void>((resolve) => { open = resolve }) }))
    const node = await start()
    const { id } = await submit(node, "held")
    await llm.request(1)
    const stopping = node.stop()
    await eventually(() => (/stopping/.test(node.stdout()) ? true : null), () => node.stdout())
    open()
    expect(await stopping).toBe(0)
    const next = await startNode({ llm: llm.url, dir: node.dir })
    const task = await next.task(id)
    expect(task.job).toMatchObject({ attempt: 1 })
    expect((await next.until(id, ["succeeded"])).result).toBe("in time")
  })

  it("hands a job back with its attempt unspent, and the next start goes on from its journal", async () => {
    llm.define("two_turns", ({ step, nth }) => (step === 0 ? { calls: [["Read", { path: "input/notes.txt" }]] } : nth < 2 ? { fault: "hang" } : complete("went on")))
    const node = await start({ config: { shutdown_grace_seconds: 0.2 } })
    const { id } = await submit(node, "two_turns")
    await llm.request(2)
    const at = performance.now()
    expect(await node.stop()).toBe(0)
    expect(performance.now() - at).toBeLessThan(3_000)
    const next = await startNode({ llm: llm.url, dir: node.dir })
    const task = await next.until(id, ["succeeded", "failed"])
    expect(task).toMatchObject({ status: "succeeded", result: "went on", job: { attempt: 1 } })
    expect(llm.requests.filter((request) => request.step === 0)).toHaveLength(1)
  })

  it("two signals within a second are one, a later one ends at once", async () => {
    const node = await start({ config: { shutdown_grace_seconds: 30 } })
    await submit(node, "hang")
    await llm.request(1)
    node.child.kill("SIGTERM")
    node.child.kill("SIGTERM")
    await eventually(() => (/stopping/.test(node.stdout()) ? true : null), () => node.stdout())
    expect(node.child.exitCode).toBeNull()
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const at = performance.now()
    node.child.kill("SIGTERM")
    expect(await node.exited).not.toBe(0)
    expect(performance.now() - at).toBeLessThan(1_000)
  })

  it("a node that was killed loses nothing: its job is played to the end by the next one", async () => {
    llm.define("killed", ({ step, nth }) => (step === 0 ? { calls: [["Read", { path: "input/notes.txt" }]] } : nth < 2 ? { fault: "hang" } : complete("survived")))
    const node = await start()
    const { id } = await submit(node, "killed")
    await llm.request(2)
    await node.kill()
    const next = await startNode({ llm: llm.url, dir: node.dir })
    expect(await next.until(id, ["succeeded", "failed"])).toMatchObject({ status: "succeeded", result: "survived", job: { attempt: 1 } })
  })
})

describe("a dead endpoint", () => {
  it("puts the job back with its attempt unspent, marks the worker, and the job goes on when the endpoint is there again", async () => {
    const node = await start()
    const { port } = llm
    llm.close()
    const { id } = await submit(node, "complete")
    const job = await node.when(id, (now) => now.status === "queued" && now.worker_id === null)
    expect(job).toMatchObject({ attempt: 1 })
    const workers = await eventually(async () => {
      const { items } = (await node.call("GET", "/api/workers")).json as Page<{ healthy: boolean; last_error: string | null }>
      return items[0]?.healthy === false ? items : null
    }, () => "the worker stayed healthy")
    expect(workers[0]?.last_error).toMatch(/refused/i)
    llm = startScriptedLlm({ port })
    const task = await node.until(id, ["succeeded", "failed"], 15_000)
    expect(task).toMatchObject({ status: "succeeded", job: { attempt: 1 } })
  })

  it("a node starts without its endpoint, and says why the job waits", async () => {
    llm.close()
    const node = await start()
    expect((await node.call("GET", "/readyz")).status).toBe(200)
    const { id } = await submit(node, "complete")
    expect(await node.task(id)).toMatchObject({ status: "queued", job: { attempt: 1 } })
    expect((await node.call("POST", `/api/tasks/${id}/cancel`)).status).toBe(202)
  })
})

describe("many jobs", () => {
  it("run side by side up to the worker's limit, and all end", async () => {
    const waiting: Array<() => void> = []
    llm.define("held", () => ({ ...complete("ok"), hold: new Promise<void>((resolve) => { waiting.push(resolve) }) }))
    const node = await start({ config: { workers: [{ id: "w1", endpoint: llm.url, model: "scripted-1", max_concurrency: 3 }] } })
    const made = await Promise.all(Array.from({ length: 12 }, () => node.submit({ instruction: "SCENARIO:held", piece: "probe" })))
    for (let released = 0; released < made.length; released++) {
      await llm.until((requests) => requests.length === Math.min(made.length, released + 3))
      const tasks = ((await node.call("GET", "/api/tasks?limit=50")).json as Page<Task>).items
      expect(tasks.filter((task) => task.status === "running").length).toBeLessThanOrEqual(3)
      expect(waiting).toHaveLength(Math.min(made.length, released + 3))
      waiting[released]?.()
    }
    for (const { id } of made) expect(await node.until(id, ["succeeded", "failed"])).toMatchObject({ status: "succeeded" })
    expect(llm.requests).toHaveLength(12)
  })
})
