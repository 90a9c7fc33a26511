// The command line as a process of its own: what only a real process shows. The commands are tested in test/cli.
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fakeTask, startFakeApi } from "./support/fakeApi.ts"
import type { FakeApi } from "./support/fakeApi.ts"

const CLI = join(import.meta.dirname, "..", "src", "cli.ts")
let api: FakeApi
beforeEach(() => { api = startFakeApi() })
afterEach(() => api.stop())

const start = (argv: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [CLI, ...argv], { env: { PATH: process.env["PATH"], ATTACCA_URL: api.base, NO_COLOR: "1", HTTP_PROXY: "http://127.0.0.1:9/" }, stdio: ["pipe", "pipe", "pipe"] })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (chunk: Buffer) => { stdout += chunk.toString() })
  child.stderr.on("data", (chunk: Buffer) => { stderr += chunk.toString() })
  const done = new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })))
  return { child, done, stdout: () => stdout }
}

it("ends with the exit code of the command, and prints failures on the error stream", async () => {
  api.task = fakeTask({ status: "failed" }, { status: "failed", finished_at: "2026-01-01T00:00:03.000Z" })
  expect(await start(["task", "show", "1"]).done).toMatchObject({ code: 0, stderr: "" })
  expect(await start(["task", "show", "2"]).done).toMatchObject({ code: 1, stdout: "", stderr: "attacca: no /api/tasks/2\n" })
  expect(await start([]).done).toMatchObject({ code: 2, stdout: "" })
})

it("reads the instruction from its standard input, past a proxy that is set", async () => {
  api.on("POST /api/tasks", () => ({ status: 201, json: fakeTask() }))
  const line = start(["task", "-", "--detach"])
  line.child.stdin.end("from a pipe")
  expect((await line.done).code).toBe(0)
  expect(JSON.parse(String(api.calls[0]?.form?.get("task")))).toEqual({ instruction: "from a pipe" })
})

it("an interrupt leaves the task running", async () => {
  api.on("POST /api/tasks", () => ({ status: 201, json: fakeTask() }))
  const line = start(["task", "x"])
  line.child.stdin.end()
  await api.streams(1)
  api.push("movement_start", { movement: "work" })
  await vi.waitUntil(() => line.stdout().includes("movement work"))
  line.child.kill("SIGINT")
  expect(await line.done).toMatchObject({ code: 130, stdout: expect.stringContaining("task 1 goes on") as string })
})

it("a reader that leaves early is no failure", async () => {
  api.on("GET /api/tasks", () => ({ json: { items: Array.from({ length: 200 }, (_, id) => fakeTask({ id, title: "x".repeat(5000) })), next_cursor: null } }))
  const child = spawn("sh", ["-c", `"$0" "$1" task list 200 --json | head -n 1`, process.execPath, CLI], { env: { PATH: process.env["PATH"], ATTACCA_URL: api.base }, stdio: ["ignore", "pipe", "pipe"] })
  let text = ""
  child.stdout.on("data", (chunk: Buffer) => { text += chunk.toString() })
  child.stderr.on("data", (chunk: Buffer) => { text += `stderr: ${chunk.toString()}` })
  await new Promise((resolve) => child.on("close", resolve))
  expect(text).toBe("{\n")
})

it("a slow reader gets everything", async () => {
  api.on("GET /api/tasks", () => ({ json: { items: Array.from({ length: 200 }, (_, id) => fakeTask({ id, title: "x".repeat(10_000) })), next_cursor: null } }))
  const line = start(["task", "list", "200", "--json"])
  line.child.stdout.pause()
  setTimeout(() => line.child.stdout.resume(), 200)
  const { stdout } = await line.done
  expect((JSON.parse(stdout) as { items: Array<unknown> }).items).toHaveLength(200)
})
