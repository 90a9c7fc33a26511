import { Effect, Schema } from "effect"
import fc from "fast-check"
import { existsSync, readdirSync, readFileSync, writeFileSync, mkdirSync, symlinkSync } from "node:fs"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { JobView, listOf, TaskView } from "../../src/http/answers.ts"
import type { Outcome } from "../../src/job/outcome.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { Registry } from "../../src/store/Registry.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { BASE, startApp, type TestApp } from "./support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

interface Task { id: number; title: string; status: string; piece: string; job: { id: string; status: string; wait_reason: string | null }; files: { input: ReadonlyArray<{ path: string; bytes: number }> }; result: string | null }
interface Problem { status: number; detail: string; errors?: ReadonlyArray<{ path: string; message: string; line?: number }> }
interface Answer { status: number; headers: Headers; body: never }
const submit = async (body: object = {}) => (await app.json("POST", "/api/tasks", { instruction: "Do it", ...body })).body as Task
const problem = (answer: Answer) => {
  expect(answer.headers.get("content-type")).toBe("application/problem+json")
  const body = answer.body as Problem
  expect(body.status).toBe(answer.status)
  return body
}
const paths = (answer: Answer) => (problem(answer).errors ?? []).map((e) => e.path).sort()
const claim = () => app.run(JobStore.use((jobs) => jobs.claim({ node_id: "n", slots: [{ worker_id: "w1", roles: ["auto"], models: null }], lease_ttl_ms: 60_000 })))
const claimOf = async (id: number) => {
  for (let i = 0; i < 1000; i++) {
    const [job] = await claim()
    if (job === undefined) throw new Error("nothing left to claim")
    if (job.task_id === id) return job
  }
  throw new Error("not claimed")
}
const finish = async (id: number, outcome: Outcome) => {
  const job = await claimOf(id)
  expect(await app.run(JobStore.use((jobs) => jobs.finish({ id: job.id, fence: job.fence, outcome, backoff_seconds: [60], movements: 1, context_actions: 0 })))).toBe(true)
  return job
}
const workspaces = () => readdirSync(join(app.settings.data_dir, "workspaces"))
const folderOf = async (id: number) => join(app.settings.data_dir, "workspaces", (await app.run(TaskStore.use((tasks) => tasks.get(id))))?.task.workspace ?? "none")

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
    const first = await submit({ idempotency_key: "key-1" })
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
    expect(readFileSync(join(await folderOf(task.id), "input/notes.txt"), "utf8")).toBe("alpha\n")
    const before = workspaces().length
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
    expect(workspaces()).toHaveLength(before)
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

describe("tasks and jobs", () => {
  it("are listed newest first in pages", async () => {
    const ids = [await submit(), await submit(), await submit()].map((t) => t.id)
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

  it.each([["/api/tasks/999999"], ["/api/tasks/abc"], ["/api/tasks/0"], ["/api/tasks/1.5"], ["/api/tasks/99999999999999999999"], ["/api/jobs/nope"], ["/api/jobs/nope/turns"], ["/api/tasks/999999/events"], ["/api/tasks/999999/files"], ["/api/pieces/nope"], ["/nope"], ["/api"]])("answer 404 for %s", async (path) => {
    const answer = await app.json("GET", path)
    expect([answer.status, problem(answer).status]).toEqual([404, 404])
  })

  it("answer 405 with what is allowed", async () => {
    const answer = await app.json("PUT", "/api/tasks/1")
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, DELETE"])
    expect((await app.json("DELETE", "/api/config")).status).toBe(405)
  })

  it("show a finished job with its result, its journal and its audit log", async () => {
    const task = await submit()
    const job = await finish(task.id, { _tag: "Succeeded", result: "all done" })
    const shown = (await app.json("GET", `/api/tasks/${task.id}`)).body as Task
    expect(shown).toMatchObject({ status: "succeeded", result: "all done", job: { id: job.id, worker_id: "w1", attempt: 1 } })
    Schema.decodeUnknownSync(JobView)((await app.json("GET", `/api/jobs/${job.id}`)).body, { onExcessProperty: "error" })
    expect((await app.json("GET", `/api/jobs/${job.id}/turns`)).body).toEqual({ items: [], next_cursor: null })
    const audit = (await app.json("GET", `/api/jobs/${job.id}/audit`)).body as { items: ReadonlyArray<{ action: string; actor: string; at: string }> }
    expect(audit.items.map((e) => e.action)).toEqual(["task.submitted", "job.claimed", "job.succeeded"])
    expect(((await app.json("GET", `/api/tasks/${task.id}/jobs`)).body as { items: ReadonlyArray<object> }).items).toHaveLength(1)
  })

  it("are cancelled once, stopping the run, and retried as a new job", async () => {
    const task = await submit()
    const job = await claimOf(task.id)
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

  it("are deleted with their workspace, but not while they run", async () => {
    const task = await submit()
    const folder = await folderOf(task.id)
    await app.fetch(`/api/tasks/${task.id}/files/input/a.txt`, { method: "PUT", body: "x" })
    expect(existsSync(folder)).toBe(true)
    await claimOf(task.id)
    expect((await app.json("DELETE", `/api/tasks/${task.id}`)).status).toBe(409)
    await app.json("POST", `/api/tasks/${task.id}/cancel`)
    expect((await app.fetch(`/api/tasks/${task.id}`, { method: "DELETE" })).status).toBe(204)
    expect((await app.json("GET", `/api/tasks/${task.id}`)).status).toBe(404)
    expect(existsSync(folder)).toBe(false)
  })
})

describe("comments", () => {
  it("are stored and listed in order, in pages", async () => {
    const task = await submit()
    const posted = await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "first" })
    expect([posted.status, posted.body]).toMatchObject([201, { task_id: task.id, author: "user", kind: "message", body: "first", effect: "comment", injected_at: null }])
    await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "second", job_id: task.job.id })
    const page = (await app.json("GET", `/api/tasks/${task.id}/comments?limit=1`)).body as { items: ReadonlyArray<{ body: string }>; next_cursor: string }
    const rest = (await app.json("GET", `/api/tasks/${task.id}/comments?cursor=${page.next_cursor}`)).body as { items: ReadonlyArray<{ body: string; job_id: string }> }
    expect([page.items.map((c) => c.body), rest.items.map((c) => [c.body, c.job_id])]).toEqual([["first"], [["second", task.job.id]]])
  })

  it("are refused by name where they would do more than can be done yet", async () => {
    const [task, other] = [await submit(), await submit()]
    const wrong = await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "x", mode: "steer", piece: "general", job_id: other.job.id })
    expect([wrong.status, paths(wrong)]).toEqual([422, ["job_id", "mode", "piece"]])
    expect(paths(await app.json("POST", `/api/tasks/${task.id}/comments`, { bdy: "x" }))).toEqual(["bdy", "body"])
    await finish(task.id, { _tag: "WaitingHuman", wait_reason: "question", question: "Which?", options: [], call_id: null, resume_movement: "work" })
    expect((await app.json("POST", `/api/tasks/${task.id}/comments`, { body: "this one" })).status).toBe(409)
  })
})

describe("files", () => {
  it("are uploaded into input/, listed, read in part and replaced", async () => {
    const task = await submit()
    const put = (path: string, body: string) => app.fetch(`/api/tasks/${task.id}/files/${path}`, { method: "PUT", body })
    expect((await put("input/a%20b.txt", "hello")).status).toBe(201)
    expect((await put("input/a b.txt", "hello again")).status).toBe(200)
    expect((await put("input/dir%2Fc.txt", "x")).status).toBe(201)
    const list = (await app.json("GET", `/api/tasks/${task.id}/files`)).body as { items: ReadonlyArray<{ path: string }> }
    expect(list.items.map((f) => f.path)).toEqual(["input/a b.txt", "input/c.txt"])
    const read = await app.fetch(`/api/tasks/${task.id}/files/input%2Fa%20b.txt`, { headers: { range: "bytes=0-4" } })
    expect([read.status, await read.text(), read.headers.get("x-content-type-options")]).toEqual([206, "hello", "nosniff"])
    const head = await app.fetch(`/api/tasks/${task.id}/files/input/a%20b.txt`, { method: "HEAD" })
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "11", ""])
    expect((await app.fetch(`/api/tasks/${task.id}/files/input/a%20b.txt`, { headers: { range: "bytes=99-" } })).status).toBe(416)
    expect((await app.json("GET", `/api/tasks/${task.id}/files/output/none.md`)).status).toBe(404)
    expect((await put("output/x.txt", "x")).status).toBe(400)
    expect((await put("input/big", "x".repeat(200_001))).status).toBe(413)
  })

  it.each([
    ["..%2F..%2Fattacca.db"], ["%2Fetc%2Fpasswd"], ["input%2F..%2F..%2F..%2Fetc%2Fpasswd"], ["link"], ["fifo"], ["a%00b"], ["input"], ["%zz"], ["output%2F%ff"],
  ])("outside the workspace or not plain are 400: %s", async (path) => {
    const task = await submit()
    const folder = await folderOf(task.id)
    mkdirSync(join(folder, "input"), { recursive: true })
    symlinkSync("/etc/passwd", join(folder, "link"))
    execFileSync("mkfifo", [join(folder, "fifo")])
    const answer = await app.json("GET", `/api/tasks/${task.id}/files/${path}`)
    expect([answer.status, problem(answer).status]).toEqual([400, 400])
  })

  it("that are refused are written to the audit log", async () => {
    const task = await submit()
    await app.json("GET", `/api/tasks/${task.id}/files/${encodeURIComponent("../../../etc/passwd")}`)
    const upload = await app.fetch(`/api/tasks/${task.id}/files/input/${encodeURIComponent("../../../evil")}`, { method: "PUT", body: "x" })
    expect(upload.status).toBe(400)
    expect(existsSync(join(app.settings.data_dir, "..", "evil"))).toBe(false)
    const rows = await app.auditActions(task.id)
    expect(rows).toEqual(["task.submitted", "file.refused", "file.refused"])
  })

  it("named like a page are saved and sandboxed", async () => {
    const task = await submit()
    const folder = await folderOf(task.id)
    mkdirSync(join(folder, "output"), { recursive: true })
    writeFileSync(join(folder, "output", "x.html"), "<script>alert(1)</script>")
    const answer = await app.fetch(`/api/tasks/${task.id}/files/output/x.html`)
    expect([answer.headers.get("content-disposition"), answer.headers.get("content-security-policy")]).toEqual([expect.stringMatching(/^attachment/), expect.stringMatching(/^sandbox/)])
    await answer.text()
  })
})

const YAML = (name: string, more = "") => `name: ${name}\ndescription: a test\n${more}initial_movement: a\nmovements:\n  - name: a\n    instruction: do it\n    rules:\n      - next: COMPLETE\n`
const yaml = (method: string, path: string, text: string) => app.fetch(path, { method, body: text, headers: { "content-type": "text/yaml" } })

describe("pieces", () => {
  it("are written, read word for word, played and deleted as one's own copy", async () => {
    const text = `# mine\n${YAML("mine", "model: big\n")}`
    expect((await yaml("PUT", "/api/pieces/mine", text)).status).toBe(201)
    expect((await yaml("PUT", "/api/pieces/mine", text)).status).toBe(200)
    expect((await app.json("GET", "/api/pieces/mine")).body).toMatchObject({ name: "mine", origin: "owner", valid: true, model: "big", description: "a test", yaml: text })
    expect(await (await app.fetch("/api/pieces/mine", { headers: { accept: "text/yaml" } })).text()).toBe(text)
    const task = await submit({ piece: "mine" })
    expect(task.job).toMatchObject({ piece: "mine", required_model: "big" })
    expect(((await app.json("GET", "/api/pieces")).body as { items: ReadonlyArray<{ name: string }> }).items.map((p) => p.name)).toEqual(expect.arrayContaining(["digest", "general", "mine"]))
    expect((await app.fetch("/api/pieces/mine", { method: "DELETE" })).status).toBe(204)
    expect((await app.json("DELETE", "/api/pieces/mine")).status).toBe(404)
    expect((await app.json("DELETE", "/api/pieces/general")).status).toBe(409)
  })

  it("are checked with line and column, as YAML or JSON", async () => {
    const wrong = YAML("x").replace("instruction", "instrction")
    const put = await yaml("PUT", "/api/pieces/x", wrong)
    const body = await put.json() as Problem
    expect([put.status, body.errors?.[0]]).toMatchObject([422, { line: 6, message: expect.stringContaining('did you mean "instruction"') as string }])
    const validated = await (await yaml("POST", "/api/pieces/validate", wrong)).json()
    expect(validated).toMatchObject({ valid: false, errors: [{ line: 6 }], warnings: [] })
    expect((await app.json("POST", "/api/pieces/validate", { name: "x", movements: [{ name: "a", instruction: "x", rules: [{ next: "COMPLETE" }] }] })).body).toMatchObject({ valid: true, errors: [] })
    expect((await app.fetch("/api/pieces/validate", { method: "POST", body: "x" })).status).toBe(415)
  })
})

describe("the node's own routes", () => {
  it("show workers without credentials, nodes with sums, and settings without secrets", async () => {
    await app.run(Registry.use((registry) => registry.publish({ id: "n1", url: "http://x", version: "1" }, [
      { id: "w1", endpoint: "http://user:pass@h/v1", enabled: true, healthy: true, claims: true, roles: ["auto"], models: ["m"], inflight: 1, max_concurrency: 2, context_limit_tokens: 8, last_error: null },
    ])))
    const workers = await (await app.fetch("/api/workers")).text()
    expect(workers).not.toContain("pass")
    expect(JSON.parse(workers)).toMatchObject({ items: [{ id: "w1", healthy: true, inflight: 1, max_concurrency: 2, roles: ["auto"], models: ["m"], last_error: null }] })
    expect((await app.json("GET", "/api/nodes")).body).toMatchObject({ items: [{ id: "n1", healthy: true, inflight: 1, max_concurrency: 2, roles: ["auto"], models: ["m"], last_error: null }] })
    expect((await app.json("GET", "/api/config")).body).toMatchObject({ data_dir: `${app.dir}/data`, http: { max_body_bytes: 200_000 } })
  })

  it("answer health, readiness, metrics, and the published documents", async () => {
    expect((await app.json("GET", "/healthz")).body).toEqual({ status: "ok", version: "0.0.0-test" })
    expect((await app.json("GET", "/readyz")).body).toEqual({ status: "ready", node_id: null })
    expect(await (await app.fetch("/metrics")).text()).toBe("up 1\n")
    expect((await app.json("GET", "/schemas/piece.json")).body).toHaveProperty("properties")
  })

  it("take over a changed configuration, or name what is wrong and change nothing", async () => {
    const file = join(app.dir, "attacca.yaml")
    const text = readFileSync(file, "utf8")
    writeFileSync(file, `${text}workers:\n  - { id: w9, endpoint: "http://127.0.0.1:1/v1" }\nretry: { max_attempts: 7 }\n`)
    expect((await app.json("POST", "/api/config/reload")).body).toEqual({ changed: [], added: ["w9"], removed: [], restart: ["retry.max_attempts"] })
    writeFileSync(file, `${text}wrkers: []\n`)
    const wrong = await app.json("POST", "/api/config/reload")
    expect([wrong.status, problem(wrong).errors?.[0]]).toMatchObject([422, { path: "wrkers", line: expect.any(Number) as number }])
    writeFileSync(file, text)
  })
})

describe("callers", () => {
  it("of another site, host or machine are 403 on every route and leave one entry in the audit log", async () => {
    for (const route of app.app.routes) {
      const path = route.path.replace(/\{\w+\}/g, "1")
      const answer = await app.app.fetch(new Request(`${BASE}${path}`, { method: route.method, headers: { origin: "http://evil.example" } }))
      expect([path, answer.status]).toEqual([path, 403])
      expect(answer.headers.get("content-type")).toBe("application/problem+json")
    }
    expect((await app.app.fetch(new Request("http://evil.example/api/tasks"))).status).toBe(403)
    expect((await app.app.fetch(new Request(`${BASE}/api/tasks`), { address: "10.1.2.3" })).status).toBe(403)
    expect((await app.app.fetch(new Request(`${BASE}/api/tasks`), { address: "127.0.0.1" })).status).toBe(200)
    const actions = await app.auditActions(null)
    expect(actions.filter((a) => a === "origin.refused")).toHaveLength(2)
    expect(actions.filter((a) => a === "host.refused")).toHaveLength(1)
  })

  it("get headers that keep answers from being framed or guessed", async () => {
    const answer = await app.fetch("/api/tasks")
    expect([answer.headers.get("x-content-type-options"), answer.headers.get("content-security-policy"), answer.headers.get("cache-control")]).toEqual(["nosniff", "default-src 'none'; frame-ancestors 'none'", "no-store"])
    expect(answer.headers.has("access-control-allow-origin")).toBe(false)
  })
})

describe("a fault inside", () => {
  it("is a plain 500 that tells nothing, and the next request is served", async () => {
    const broken = await startApp({ ports: { metrics: () => Promise.reject(new Error("secret inside")) } })
    const answer = await broken.fetch("/metrics")
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining("secret")])
    expect((await broken.fetch("/healthz")).status).toBe(200)
    await broken.stop()
    expect((await broken.fetch("/api/tasks")).status).toBeGreaterThanOrEqual(500)
  })

  it("that readiness can tell is 503", async () => {
    const waiting = await startApp({ ports: { node: { id: "n1", registered: () => false } } })
    expect((await waiting.fetch("/readyz")).status).toBe(503)
    await Effect.runPromise(Effect.void)
    await waiting.stop()
  })
})
