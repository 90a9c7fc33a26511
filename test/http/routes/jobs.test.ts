import { Schema } from "effect"
import { JobView } from "../../../src/http/answers.ts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { finish, startApp, submitTo, type Task, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

describe("jobs", () => {
  it("show a finished job with its result, its journal and its audit log", async () => {
    const task = await submitTo(app)
    const job = await finish(app, task.id, { _tag: "Succeeded", result: "all done" })
    const shown = (await app.json("GET", `/api/tasks/${task.id}`)).body as Task
    expect(shown).toMatchObject({ status: "succeeded", result: "all done", job: { id: job.id, worker_id: "w1", attempt: 1 } })
    Schema.decodeUnknownSync(JobView)((await app.json("GET", `/api/jobs/${job.id}`)).body, { onExcessProperty: "error" })
    expect((await app.json("GET", `/api/jobs/${job.id}/turns`)).body).toEqual({ items: [], next_cursor: null })
    const audit = (await app.json("GET", `/api/jobs/${job.id}/audit`)).body as { items: ReadonlyArray<{ action: string; actor: string; at: string }> }
    expect(audit.items.map((e) => e.action)).toEqual(["task.submitted", "job.claimed", "job.succeeded"])
    expect(((await app.json("GET", `/api/tasks/${task.id}/jobs`)).body as { items: ReadonlyArray<object> }).items).toHaveLength(1)
  })
})
