import { Schema } from "effect"
import fc from "fast-check"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { listOf, TaskView } from "../../../src/http/answers.ts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { claimOf, folderOf, paths, problem, startApp, submitTo, workspacesOf, type Task, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

describe("submitting a task", () => {
  it("answers 201 with the task in its published shape", async () => {
    const answer = await app.json("POST", "/api/tasks", { instruction: "Write a poem\nabout rain", role: "fast", options: { mcp_disabled: true } })
    expect(answer.status).toBe(201)
    const task = Schema.decodeUnknownSync(TaskView)(answer.body, { onExcessProperty: "error" })
    expect(task).toMatchObject({ title: "Write a poem", status: "queued", piece: "general", role: "fast", owner: "local", visibility: "private", options: { mcp_disabled: true }, files: { input: [], output: [] }, result: null })
    expect(task.job).toMatchObject({ status: "queued", attempt: 1, max_attempts: 3, wait_reason: "role" })
    expect(answer.headers.get("location")).toBe(`/api/tasks/${task.id}`)
    expect((await app.json("GET", `/api/tasks/${task.id}`)).body).toEqual(answer.body)
  })

  it("names every wrong field at once, an unknown piece with those that exist", async () => {
    const answer = await app.json("POST", "/api/tasks", { instruction: 7, priority: "urgent", nonsense: true })
    expect([answer.status, paths(answer)]).toEqual([422, ["instruction", "nonsense", "priority"]])
    const unknown = await app.json("POST", "/api/tasks", { instruction: "x", piece: "genral", schedule: { cron: "* * * * *" } })
    expect([unknown.status, paths(unknown)]).toEqual([422, ["piece", "schedule"]])
    expect(problem(unknown).errors?.find((e) => e.path === "piece")?.message).toMatch(/digest, general.*did you mean "general"/)
    expect((await app.json("POST", "/api/tasks", { instruction: "nul\0" })).status).toBe(422)
  })

  it("refuses what is not a JSON object, and bodies that are too large", async () => {
    expect((await app.json("POST", "/api/tasks", undefined, { "content-type": "application/json" })).status).toBe(400)
    expect(problem(await app.json("POST", "/api/tasks")).detail).toContain("empty")
    const text = await app.fetch("/api/tasks", { method: "POST", body: '{"instruction":"x"}' })
    expect(text.status).toBe(415)
    expect((await app.json("POST", "/api/tasks", ["x"])).status).toBe(422)
    expect((await app.json("POST", "/api/tasks", { instruction: "x".repeat(200_001) })).status).toBe(413)
  })

  it("answers the first task for the same key, from body or header, even if the rest differs", async () => {
    const first = await submitTo(app, { idempotency_key: "key-1" })
    const again = await app.json("POST", "/api/tasks", { instruction: "something else" }, { "idempotency-key": "key-1" })
    expect([again.status, (again.body as Task).id, (again.body as Task).title]).toEqual([200, first.id, "Do it"])
    expect((await app.json("POST", "/api/tasks", { instruction: "x", idempotency_key: "a" }, { "idempotency-key": "b" })).status).toBe(422)
  })

  it("with files has them in input/ before a job can be claimed, and leaves nothing when it is refused", async () => {
    const form = new FormData()
    form.append("files", new File(["alpha\n"], "notes.txt"))
    form.append("task", JSON.stringify({ instruction: "Read input/notes.txt" }))
    form.append("files", new File(["b"], "dir/b.txt"))
    const answer = await app.fetch("/api/tasks", { method: "POST", body: form, headers: { "idempotency-key": "with-files" } })
    const task = await answer.json() as Task
    expect([answer.status, task.files.input.map((f) => [f.path, f.bytes])]).toEqual([201, [["input/notes.txt", 6], ["input/b.txt", 1]]])
    expect(readFileSync(join(await folderOf(app, task.id), "input/notes.txt"), "utf8")).toBe("alpha\n")
    const before = workspacesOf(app).length
    const again = new FormData()
    again.append("task", JSON.stringify({ instruction: "other" }))
    again.append("files", new File(["x"], "x.txt"))
    const second = await app.fetch("/api/tasks", { method: "POST", body: again, headers: { "idempotency-key": "with-files" } })
    expect([second.status, ((await second.json()) as Task).files.input.length]).toEqual([200, 2])
    const wrong = new FormData()
    wrong.append("files", new File(["x"], "x.txt"))
    wrong.append("task", JSON.stringify({ instruction: "x", piece: "nope" }))
    expect((await app.fetch("/api/tasks", { method: "POST", body: wrong })).status).toBe(422)
    const large = new FormData()
    large.append("task", JSON.stringify({ instruction: "x" }))
    large.append("files", new File([new Uint8Array(300_000)], "x.bin"))
    expect((await app.fetch("/api/tasks", { method: "POST", body: large })).status).toBe(413)
    expect(workspacesOf(app)).toHaveLength(before)
  })

  it("never answers 500, whatever the body", async () => {
    const value = fc.oneof(fc.jsonValue(), fc.string({ unit: "binary" }), fc.constant("ui_priority: x"))
    const field = fc.constantFrom("instruction", "title", "piece", "role", "priority", "output_format", "ask_policy", "options", "visibility", "idempotency_key", "schedule", "output_schema", "__proto__", "constructor", "")
    const body = fc.oneof(fc.jsonValue().map((v) => JSON.stringify(v)), fc.string({ unit: "binary" }), fc.uint8Array().map((b) => new TextDecoder("latin1").decode(b)),
      fc.dictionary(field, value).map((v) => JSON.stringify({ instruction: "x", ...v })))
    await fc.assert(fc.asyncProperty(body, fc.constantFrom("/api/tasks", "/api/tasks/1/comments", "/api/pieces/x", "/api/pieces/validate"), async (text, path) => {
      const answer = await app.fetch(path, { method: path === "/api/pieces/x" ? "PUT" : "POST", body: text, headers: { "content-type": "application/json" } })
      expect(answer.status).toBeLessThan(500)
      await answer.text()
    }), { numRuns: 300 })
  })

  it("never answers 500, whatever the multipart body", async () => {
    const piece = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("--b\r\n", "--b--\r\n", "\r\n\r\n", "\r\n", 'Content-Disposition: form-data; name="task"', 'Content-Disposition: form-data; name="files"; filename="a"', '{"instruction":"x"}', "--"))
    await fc.assert(fc.asyncProperty(fc.array(piece, { maxLength: 14 }), async (pieces) => {
      const answer = await app.fetch("/api/tasks", { method: "POST", body: pieces.join(""), headers: { "content-type": "multipart/form-data; boundary=b" } })
      expect(answer.status).toBeLessThan(500)
      await answer.text()
    }), { numRuns: 200 })
  })
})

describe("tasks", () => {
  it("are listed newest first in pages", async () => {
    const ids = [await submitTo(app), await submitTo(app), await submitTo(app)].map((t) => t.id)
    const first = await app.json("GET", "/api/tasks?limit=2")
    const page = Schema.decodeUnknownSync(listOf(TaskView))(first.body, { onExcessProperty: "error" })
    expect(page.items.map((t) => t.id)).toEqual([ids[2], ids[1]])
    const second = (await app.json("GET", `/api/tasks?limit=1&cursor=${page.next_cursor}`)).body as { items: ReadonlyArray<Task> }
    expect(second.items.map((t) => t.id)).toEqual([ids[0]])
    expect(((await app.json("GET", "/api/tasks?status=succeeded")).body as { items: ReadonlyArray<Task> }).items.every((t) => t.status === "succeeded")).toBe(true)
  })

  it.each([["limit=0"], ["limit=201"], ["limit=x"], ["cursor=abc"], ["status=done"], ["lmit=1"], ["limit=1&limit=2"]])("refuse the query ?%s by name", async (query) => {
    const answer = await app.json("GET", `/api/tasks?${query}`)
    expect([answer.status, paths(answer)[0]]).toEqual([422, query.split("=")[0]])
  })

  it("are deleted with their workspace, but not while they run", async () => {
    const task = await submitTo(app)
    const folder = await folderOf(app, task.id)
    await app.fetch(`/api/tasks/${task.id}/files/input/a.txt`, { method: "PUT", body: "x" })
    expect(existsSync(folder)).toBe(true)
    await claimOf(app, task.id)
    expect((await app.json("DELETE", `/api/tasks/${task.id}`)).status).toBe(409)
    await app.json("POST", `/api/tasks/${task.id}/cancel`)
    expect((await app.fetch(`/api/tasks/${task.id}`, { method: "DELETE" })).status).toBe(204)
    expect((await app.json("GET", `/api/tasks/${task.id}`)).status).toBe(404)
    expect(existsSync(folder)).toBe(false)
  })
})
