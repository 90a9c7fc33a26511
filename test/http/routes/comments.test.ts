import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { finish, paths, startApp, submitTo, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

describe("comments", () => {
  it("are stored and listed in order, in pages", async () => {
    const task = await submitTo(app)
    const posted = await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "first" })
    expect([posted.status, posted.body]).toMatchObject([201, { task_id: task.id, author: "user", kind: "message", body: "first", effect: "comment", injected_at: null }])
    await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "second", job_id: task.job.id })
    const page = (await app.json("GET", `/api/tasks/${task.id}/comments?limit=1`)).body as { items: ReadonlyArray<{ body: string }>; next_cursor: string }
    const rest = (await app.json("GET", `/api/tasks/${task.id}/comments?cursor=${page.next_cursor}`)).body as { items: ReadonlyArray<{ body: string; job_id: string }> }
    expect([page.items.map((c) => c.body), rest.items.map((c) => [c.body, c.job_id])]).toEqual([["first"], [["second", task.job.id]]])
  })

  it("are refused by name where they would do more than can be done yet", async () => {
    const [task, other] = [await submitTo(app), await submitTo(app)]
    const wrong = await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "x", mode: "steer", piece: "general", job_id: other.job.id })
    expect([wrong.status, paths(wrong)]).toEqual([422, ["job_id", "mode", "piece"]])
    expect(paths(await app.json("POST", `/api/tasks/${task.id}/comments`, { bdy: "x" }))).toEqual(["bdy", "body"])
    await finish(app, task.id, { _tag: "WaitingHuman", wait_reason: "question", question: "Which?", options: [], call_id: null, resume_movement: "work" })
    expect((await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "this one" })).status).toBe(409)
  })
})
