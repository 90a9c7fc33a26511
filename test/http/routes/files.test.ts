import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { folderOf, problem, startApp, submitTo, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

describe("files", () => {
  it("are uploaded into input/, listed, read in part and replaced", async () => {
    const task = await submitTo(app)
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
    const task = await submitTo(app)
    const folder = await folderOf(app, task.id)
    mkdirSync(join(folder, "input"), { recursive: true })
    symlinkSync("/etc/passwd", join(folder, "link"))
    execFileSync("mkfifo", [join(folder, "fifo")])
    const answer = await app.json("GET", `/api/tasks/${task.id}/files/${path}`)
    expect([answer.status, problem(answer).status]).toEqual([400, 400])
  })

  it("that are refused are written to the audit log", async () => {
    const task = await submitTo(app)
    await app.json("GET", `/api/tasks/${task.id}/files/${encodeURIComponent("../../../etc/passwd")}`)
    const upload = await app.fetch(`/api/tasks/${task.id}/files/input/${encodeURIComponent("../../../evil")}`, { method: "PUT", body: "x" })
    expect(upload.status).toBe(400)
    expect(existsSync(join(app.settings.data_dir, "..", "evil"))).toBe(false)
    const rows = await app.auditActions(task.id)
    expect(rows).toEqual(["task.submitted", "file.refused", "file.refused"])
  })

  it("named like a page are saved and sandboxed", async () => {
    const task = await submitTo(app)
    const folder = await folderOf(app, task.id)
    mkdirSync(join(folder, "output"), { recursive: true })
    writeFileSync(join(folder, "output", "x.html"), "<script>alert(1)</script>")
    const answer = await app.fetch(`/api/tasks/${task.id}/files/output/x.html`)
    expect([answer.headers.get("content-disposition"), answer.headers.get("content-security-policy")]).toEqual([expect.stringMatching(/^attachment/), expect.stringMatching(/^sandbox/)])
    await answer.text()
  })
})
