import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { commandLine } from "../support/commandLine.ts"
import { fakeTask, startFakeApi } from "../support/fakeApi.ts"
import type { FakeApi } from "../support/fakeApi.ts"

let api: FakeApi
beforeEach(() => { api = startFakeApi() })
afterEach(() => api.stop())

const run = (argv: ReadonlyArray<string>, stdin = "") => commandLine(["task", ...argv], { base: api.base, stdin })
const posts = () => api.calls.filter((call) => call.method === "POST").map((call) => [call.path, call.json])
const ends = (status: string, job: Record<string, unknown> = {}): void => {
  api.task = fakeTask({ status }, { status, finished_at: "2026-01-01T00:00:03.000Z", ...job })
}

describe("list", () => {
  it("shows the newest tasks, one line each", async () => {
    api.on("GET /api/tasks", () => ({ json: { items: [fakeTask({ id: 12, title: "a\u001b[31m title" }, { status: "running" }), fakeTask({ id: 3, title: "b" }, { status: "succeeded" })], next_cursor: null } }))
    const ran = await run(["list"])
    expect(ran.code).toBe(0)
    expect(ran.stdout.split("\n")[0]).toMatch(/^12 {2}running {4}.* ago {2}general {2}a␛\[31m title$/)
    expect(ran.stdout.split("\n")[1]).toMatch(/^ 3 {2}succeeded/)
    expect(api.calls[0]?.path).toBe("/api/tasks?limit=20")
  })

  it("takes a number, a status and --json", async () => {
    api.on("GET /api/tasks", () => ({ json: { items: [], next_cursor: null } }))
    const ran = await run(["list", "5", "--status", "failed", "--json"])
    expect(JSON.parse(ran.stdout)).toEqual({ items: [], next_cursor: null })
    expect(api.calls[0]?.path).toBe("/api/tasks?limit=5&status=failed")
    expect((await run(["list"])).stdout).toContain("no tasks yet")
    expect(await run(["list", "0"])).toMatchObject({ code: 2 })
    expect((await run(["list", "--status", "done"])).stderr).toContain("--status must be one of queued")
  })
})

describe("show", () => {
  it("tells a running task", async () => {
    api.task = fakeTask({}, { current_movement: "work", current_activity: "Read input/a.txt", context: { used_tokens: 4096, limit_tokens: 8192 } })
    const { stdout, code } = await run(["show", "1"])
    expect(code).toBe(0)
    for (const part of ["task 1: a title", "movement:    work: Read input/a.txt", "4,096 of 8,192 tokens (50 %)", "status:      running"]) expect(stdout).toContain(part)
  })

  it("ends with 0 for a failed task too, and shows its reason", async () => {
    ends("failed", { abort_reason: "budget", error_summary: "out of turns" })
    expect(await run(["show", "1"])).toMatchObject({ code: 0, stdout: expect.stringContaining("out of turns") as string })
  })

  it("shows the open question of a waiting task", async () => {
    ends("waiting_human", { wait_reason: "question" })
    api.on("GET /api/tasks/1/comments", () => ({ json: { items: [{ kind: "ask", body: "old?" }, { kind: "ask", body: "Which colour?" }, { kind: "message", body: "no" }], next_cursor: null } }))
    expect((await run(["show", "1"])).stdout).toContain("question:    Which colour?")
  })

  it("--follow goes on until the end, with the task's own exit code", async () => {
    ends("failed", { abort_reason: "budget" })
    api.push("movement_start", { movement: "work" })
    api.push("done", { status: "failed" })
    expect(await run(["show", "1", "--follow"])).toMatchObject({ code: 1, stdout: expect.stringContaining("movement work") as string })
  })

  it("an unknown task is a failure, further words are a mistake", async () => {
    expect(await run(["show", "99"])).toMatchObject({ code: 1, stderr: "attacca: no /api/tasks/99\n" })
    expect(await run(["show", "1", "apples"])).toMatchObject({ code: 2, stderr: expect.stringContaining("put them in quotes") as string })
  })
})

describe("answer and say", () => {
  it("answers a question and follows the task on from there", async () => {
    api.on("POST /api/tasks/1/comments", () => ({ status: 201, json: { id: 5, effect: "answer", created_at: "2026-01-01T00:00:05.000Z" } }))
    let asked = 0
    api.on("GET /api/tasks/1", () => ({ json: asked++ === 0 ? fakeTask({ status: "waiting_human" }, { status: "waiting_human" }) : fakeTask({ status: "succeeded" }, { status: "succeeded", finished_at: "2026-01-01T00:00:09.000Z" }) }))
    api.push("ask", { question: "Which colour?" }, { at: "2026-01-01T00:00:04.000Z" })
    api.push("done", { status: "succeeded" }, { at: "2026-01-01T00:00:09.000Z" })
    const ran = await run(["answer", "1", "dark", "red"])
    expect(posts()).toEqual([["/api/tasks/1/comments", { body: "dark red" }]])
    expect(ran.code).toBe(0)
    expect(ran.stdout).not.toContain("Which colour?")
  })

  it("does not post an answer to a task that asks nothing", async () => {
    expect(await run(["answer", "1", "x"])).toMatchObject({ code: 1, stderr: expect.stringContaining("task 1 asks nothing: it is running") as string })
    expect(posts()).toEqual([])
  })

  it("says what a comment does, and passes its mode on", async () => {
    api.on("POST /api/tasks/1/comments", () => ({ status: 201, json: { id: 5, effect: "interjection", created_at: "2026-01-01T00:00:05.000Z" } }))
    const ran = await run(["say", "1", "--mode", "interrupt", "-"], "stop that\n")
    expect(ran).toMatchObject({ code: 0, stdout: "the running job gets it at its next step\n" })
    expect(posts()).toEqual([["/api/tasks/1/comments", { body: "stop that\n", mode: "interrupt" }]])
  })

  it("needs a text", async () => {
    expect(await run(["say", "1"])).toMatchObject({ code: 2, stderr: expect.stringContaining("say needs a text") as string })
  })
})

describe("cancel, retry, resume", () => {
  it("cancels, and tells why it cannot", async () => {
    api.on("POST /api/tasks/1/cancel", () => ({ status: 202, json: fakeTask({ status: "cancelled" }) }))
    expect(await run(["cancel", "1"])).toMatchObject({ code: 0, stdout: "task 1 is cancelled\n" })
    api.on("POST /api/tasks/1/cancel", () => ({ status: 409, json: { detail: "a job that is succeeded cannot become cancelled" } }))
    expect(await run(["cancel", "1"])).toMatchObject({ code: 1, stderr: "attacca: a job that is succeeded cannot become cancelled\n" })
  })

  it("retry follows the new job and shows nothing of the old one", async () => {
    ends("failed", { id: "old" })
    api.push("movement_start", { movement: "old" }, { job_id: "old" })
    api.push("done", { status: "failed" }, { job_id: "old" })
    api.on("POST /api/tasks/1/retry", () => {
      ends("succeeded", { id: "new" })
      api.push("movement_start", { movement: "fresh" }, { job_id: "new" })
      api.push("done", { status: "succeeded" }, { job_id: "new" })
      return { status: 202, json: fakeTask({ status: "queued" }, { id: "new", status: "queued" }) }
    })
    const ran = await run(["retry", "1"])
    expect(ran.code).toBe(0)
    expect(ran.stdout).toContain("fresh")
    expect(ran.stdout).not.toContain("old")
  })

  it("--detach and --json answer at once", async () => {
    api.on("POST /api/tasks/1/resume", () => ({ status: 202, json: fakeTask({ status: "queued" }) }))
    expect(await run(["resume", "1", "-d"])).toMatchObject({ code: 0, stdout: "task 1 is queued\n" })
    expect(JSON.parse((await run(["resume", "1", "-d", "--json"])).stdout)).toMatchObject({ status: "queued" })
  })
})
