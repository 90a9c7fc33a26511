import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { exitCodeOf, followTask } from "../../src/cli/follow.ts"
import type { FollowOptions } from "../../src/cli/follow.ts"
import { outputTo } from "../../src/cli/output.ts"
import { fakeTask, JOB, memorySink, startFakeApi } from "../support/fakeApi.ts"
import type { FakeApi } from "../support/fakeApi.ts"

let api: FakeApi
let sink: ReturnType<typeof memorySink>
beforeEach(() => {
  api = startFakeApi()
  sink = memorySink()
})
afterEach(() => api.stop())

const follow = (options: Partial<FollowOptions> = {}) => followTask({ base: api.base, task_id: 1, out: outputTo(sink, { env: {} }), ...options })
const end = (status: string, fields: Record<string, unknown> = {}, job: Record<string, unknown> = {}): void => {
  api.task = fakeTask({ status, ...fields }, { status, finished_at: "2026-01-01T00:00:03.000Z", ...job })
}

describe("following a task", () => {
  it("ends with the result, the figures and the output files", async () => {
    const following = follow()
    await api.streams(1)
    api.push("status", { status: "running", worker_id: "w1" })
    end("succeeded", { result: "three lines", files: { input: [], output: [{ path: "output/a b.md", bytes: 14 }] } })
    api.push("done", { status: "succeeded", result: "three lines" })
    expect(await following).toMatchObject({ status: "succeeded", exit_code: 0, left: false })
    expect(sink.text()).toContain("task 1 succeeded (2.0 s, 2 model calls, 1 tool calls, 120 tokens)\nresult:\nthree lines\noutput files:\n")
    expect(sink.text()).toContain(`  output/a b.md       14 B  ${api.base}/api/tasks/1/files/output/a%20b.md`)
  })

  it.each([["failed", 1], ["cancelled", 1]])("answers the exit code of a task that has %s", async (status, code) => {
    end(status, {}, { abort_reason: "loop", error_summary: "the same call five times" })
    api.push("done", { status })
    expect((await follow()).exit_code).toBe(code)
    expect(sink.text()).toContain(`task 1 ${status} (loop)`)
    expect(sink.text()).toContain("the same call five times")
  })

  it("ends with 3 at a question, and says how to answer", async () => {
    end("waiting_human", {}, { wait_reason: "question" })
    api.push("ask", { question: "Which colour?" })
    api.push("status", { status: "waiting_human" })
    expect(await follow()).toMatchObject({ status: "waiting_human", exit_code: 3 })
    expect(sink.text()).toContain("question: Which colour?")
    expect(sink.text()).toContain('answer: bun run task answer 1 "…"')
  })

  it("is not stopped by a question that was answered since", async () => {
    api.push("status", { status: "waiting_human" })
    api.push("status", { status: "running" })
    const following = follow()
    await api.streams(1)
    end("succeeded")
    api.push("done", { status: "succeeded" })
    expect((await following).exit_code).toBe(0)
  })

  it("shows nothing of the task's earlier jobs, and does not end at their end", async () => {
    end("running", {}, { id: "job-2", status: "running" })
    api.push("movement_start", { movement: "earlier" })
    api.push("done", { status: "failed" })
    api.push("status", { status: "running" }, { job_id: "job-2" })
    const following = follow({ job_id: "job-2" })
    await api.streams(1)
    api.push("movement_start", { movement: "later" }, { job_id: "job-2" })
    end("succeeded", {}, { id: "job-2" })
    api.push("done", { status: "succeeded" }, { job_id: "job-2" })
    expect((await following).exit_code).toBe(0)
    expect(sink.text()).not.toContain("earlier")
    expect(sink.text()).toContain("later")
  })

  it("tells of its own job's end also when another job of the task has begun", async () => {
    end("running", {}, { id: "job-2", status: "running" })
    api.on(`GET /api/jobs/${JOB}`, () => ({ json: { ...fakeTask({}, { status: "failed", abort_reason: "budget", finished_at: "2026-01-01T00:00:03.000Z" }).job } }))
    api.push("done", { status: "failed", result: null })
    expect(await follow({ job_id: JOB })).toMatchObject({ status: "failed", exit_code: 1 })
    expect(sink.text()).toContain("task 1 failed (budget)")
  })

  it("shows only what is new after `since`", async () => {
    api.push("movement_start", { movement: "seen" }, { at: "2026-01-01T00:00:01.000Z" })
    api.push("movement_start", { movement: "new" }, { at: "2026-01-01T00:00:09.000Z" })
    end("succeeded")
    api.push("done", { status: "succeeded" }, { at: "2026-01-01T00:00:10.000Z" })
    await follow({ since: "2026-01-01T00:00:05.000Z" })
    expect(sink.text()).not.toContain("seen")
    expect(sink.text()).toContain("new")
  })

  it("goes on over a lost connection and says so once", async () => {
    const following = follow()
    await api.streams(1)
    api.push("movement_start", { movement: "work" })
    await vi.waitUntil(() => sink.text().includes("work"))
    api.drop()
    await api.streams(2)
    end("succeeded")
    api.push("done", { status: "succeeded" })
    expect((await following).exit_code).toBe(0)
    expect(sink.text().match(/connection to the node lost/g)).toHaveLength(1)
    expect(sink.text()).toContain("connected again")
    expect(sink.text().match(/movement work/g)).toHaveLength(1)
  })

  it("says why a job does not start", async () => {
    api.task = fakeTask({}, { status: "queued" })
    api.workers = [{ id: "w1", enabled: true, healthy: false, claims: true, roles: ["auto"], inflight: 0, max_concurrency: 1, last_error: "connection refused" }]
    api.push("status", { status: "queued" })
    const stop = new AbortController()
    const following = follow({ signal: stop.signal })
    await vi.waitUntil(() => sink.text().includes("waiting:"), 5_000)
    stop.abort()
    expect(await following).toMatchObject({ left: true })
    expect(sink.text()).toContain("waiting: no healthy worker (w1: connection refused)")
  })

  it("shows the task's notice", async () => {
    end("succeeded", { notice: "digest is played in place of general" })
    api.push("done", { status: "succeeded" })
    await follow()
    expect(sink.text()).toMatch(/^digest is played in place of general\n/)
  })

  it("rejects for an unknown task and for a node that is not there", async () => {
    await expect(followTask({ base: api.base, task_id: 9, out: outputTo(sink) })).rejects.toMatchObject({ exit_code: 1 })
    await api.stop()
    await expect(follow()).rejects.toMatchObject({ exit_code: 4 })
  })
})

it("every status has an exit code", () => {
  expect(["succeeded", "failed", "cancelled", "waiting_human"].map(exitCodeOf)).toEqual([0, 1, 1, 3])
})
