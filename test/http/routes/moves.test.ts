import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { claimOf, startApp, submitTo, type Task, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

describe("moves of a job by a person", () => {
  it("are cancelled once, stopping the run, and retried as a new job", async () => {
    const task = await submitTo(app)
    const job = await claimOf(app, task.id)
    const cancelled = await app.json("POST", `/api/tasks/${task.id}/cancel`)
    expect([cancelled.status, (cancelled.body as Task).status]).toEqual([202, "cancelled"])
    expect(app.interrupted).toContain(job.id)
    expect((await app.json("POST", `/api/tasks/${task.id}/cancel`)).status).toBe(409)
    const retried = await app.json("POST", `/api/tasks/${task.id}/retry`)
    expect([retried.status, (retried.body as Task).job]).toMatchObject([202, { status: "queued", continued_from_job_id: job.id }])
    expect((await app.json("POST", `/api/tasks/${task.id}/retry`)).status).toBe(409)
    expect((await app.json("POST", `/api/tasks/${task.id}/resume`)).status).toBe(409)
    expect((await app.json("POST", "/api/tasks/999999/cancel")).status).toBe(404)
  })
})
