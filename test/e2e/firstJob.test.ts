// The main job on the real product: a task goes in by JSON, by an upload, by curl and by the command line, a model plays the
// piece over a socket, and the result, the file, the events, the journal and the metrics come out.
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { execFile, spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Page } from "../../src/cli/shapes.ts"
import { endNodes, probePiece, runCli, startNode } from "../support/node.ts"
import type { Node } from "../support/node.ts"
import { builtInScenarios } from "../support/scenarios.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"
import type { Script, ScriptedLlm } from "../support/scriptedLlm.ts"

let llm: ScriptedLlm
let node: Node
beforeAll(async () => {
  llm = startScriptedLlm({ scenarios: { slow_sum: slowly } })
  node = await startNode({ llm: llm.url })
  await node.putPiece("probe", probePiece())
})
afterAll(async () => {
  await endNodes()
  llm.close()
})

const NOTES = { "notes.txt": "alpha\nbeta\n" }
const SUMMARY = "one\ntwo\nthree\n"
/** Slow enough that a client which comes at once sees it being written. */
const slowly: Script = (context) => ({ ...(sumScript(context) as object), delay_ms: 25 })
const sumScript: Script = (context) => builtInScenarios["sum"]?.(context) ?? ""
const sum = (extra: object = {}) => ({ instruction: "SCENARIO:sum", piece: "probe", ...extra })
const requestsOf = (run: string) => llm.requests.filter((request) => request.run === run)

describe("a task with a file", () => {
  it("is played to its end: the file is read, the summary written, the transition's output is the result", async () => {
    const made = await node.submit(sum({ instruction: "SCENARIO:sum RUN:first" }), NOTES)
    expect(made.files.input.map((file) => file.path)).toEqual(["input/notes.txt"])
    const task = await node.until(made.id, ["succeeded", "failed", "cancelled"])
    expect(task).toMatchObject({ status: "succeeded", result: "three lines written" })
    expect(task.files.output).toMatchObject([{ path: "output/summary.md", bytes: SUMMARY.length }])
    const file = await node.call("GET", `/api/tasks/${task.id}/files/output/summary.md`)
    expect(file).toMatchObject({ status: 200, text: SUMMARY })
    expect(await node.call("GET", `/api/tasks/${task.id}/files/output/summary.md`, undefined, { range: "bytes=4-6" })).toMatchObject({ status: 206, text: "two" })
    expect(JSON.stringify(requestsOf("first").at(1)?.messages.at(-1))).toContain("beta")
  })

  it("tells its run as events, a journal, usage and a readable log", async () => {
    const { id } = await node.submit(sum({ instruction: "SCENARIO:slow_sum" }), NOTES)
    const events = await node.events(id, (event) => event.event === "done")
    const kinds = events.map((event) => event.event)
    for (const kind of ["status", "movement_start", "text", "tool_use_delta", "tool_use", "tool_result", "llm_call", "context", "movement_complete", "done"]) expect(kinds).toContain(kind)
    expect(events.every((event) => typeof event.data["job_id"] === "string" && typeof event.data["at"] === "string")).toBe(true)
    const task = await node.task(id)
    const job = task.job ?? expect.fail("no job")
    expect(job).toMatchObject({ status: "succeeded", worker_id: "w1", attempt: 1, usage: { llm_calls: 3, tool_calls: 3 } })
    const turns = (await node.call("GET", `/api/jobs/${job.id}/turns`)).json as Page<{ readonly kind: string }>
    expect(turns.items.filter((entry) => entry.kind === "answer")).toHaveLength(3)
    const audit = (await node.call("GET", `/api/jobs/${job.id}/audit`)).json as Page<unknown>
    expect(audit.items.length).toBeGreaterThan(1)
    const log = await node.call("GET", `/api/tasks/${id}/files/logs/activity.log`)
    expect(log.text).toContain("Read")
  })

  it("replays exactly what came after an id, durable events only", async () => {
    const { id } = await node.submit(sum(), NOTES)
    await node.until(id, ["succeeded"])
    const all = await node.events(id, (event) => event.event === "done")
    expect(all.map((event) => event.event)).not.toContain("text")
    const middle = all[Math.floor(all.length / 2)] ?? expect.fail("no events")
    const rest = await node.events(id, (event) => event.event === "done", middle.id)
    expect(rest.map((event) => event.id)).toEqual(all.slice(all.indexOf(middle) + 1).map((event) => event.id))
  })

  it("gives each prompt as an extension of the one before", async () => {
    const { id } = await node.submit(sum({ instruction: "SCENARIO:sum RUN:prefix" }), NOTES)
    await node.until(id, ["succeeded"])
    const prompts = requestsOf("prefix").map((request) => request.messages.map((message) => JSON.stringify(message)))
    expect(prompts).toHaveLength(3)
    expect(prompts[1]?.slice(0, prompts[0]?.length)).toEqual(prompts[0])
    expect(prompts[2]?.slice(0, prompts[1]?.length)).toEqual(prompts[1])
  })
})

describe("other ways in", () => {
  it("the same idempotency key gives the same task, by multipart and by JSON", async () => {
    const form = new FormData()
    form.set("task", JSON.stringify(sum()))
    form.append("files", new Blob(["x"]), "notes.txt")
    const first = await node.call("POST", "/api/tasks", form, { "idempotency-key": "k-1" })
    const again = await node.call("POST", "/api/tasks", { instruction: "another" }, { "idempotency-key": "k-1" })
    expect([first.status, again.status]).toEqual([201, 200])
    expect((again.json as { id: number }).id).toBe((first.json as { id: number }).id)
  })

  it("curl", async (ctx) => {
    if (spawnSync("curl", ["--version"]).status !== 0) ctx.skip("curl is not installed")
    const curl = (...args: ReadonlyArray<string>) => promisify(execFile)("curl", ["-sS", "--noproxy", "*", ...args])
    writeFileSync(join(node.dir, "notes.txt"), NOTES["notes.txt"])
    const made = JSON.parse((await curl("-F", `task=${JSON.stringify(sum())}`, "-F", `files=@${join(node.dir, "notes.txt")}`, `${node.base}/api/tasks`)).stdout) as { id: number }
    const stream = await curl("-N", "--max-time", "10", `${node.base}/api/tasks/${made.id}/events`)
    expect(stream.stdout).toContain("event: done")
    expect((await curl(`${node.base}/api/tasks/${made.id}/files/output/summary.md`)).stdout).toBe(SUMMARY)
  })

  it("the command line", async () => {
    writeFileSync(join(node.dir, "notes.txt"), NOTES["notes.txt"])
    const ran = await runCli(node, ["task", "SCENARIO:sum", "--piece", "probe", "--file", "notes.txt"]).done
    expect(ran).toMatchObject({ code: 0, stderr: "" })
    for (const part of ["movement work", "  Reading.", 'tool Read(path: "input/notes.txt")', "tool Read ok, ", 'tool Write(path: "output/summary.md", content: "one', "context ", "succeeded", "result:\nthree lines written", "output/summary.md"]) expect(ran.stdout).toContain(part)
  })
})

describe("what a node tells of itself", () => {
  it("health, readiness, workers, nodes, pieces, configuration, document", async () => {
    for (const path of ["/healthz", "/readyz", "/openapi.json", "/api/workers", "/api/nodes", "/api/pieces", "/api/config"]) expect(await node.call("GET", path), path).toMatchObject({ status: 200 })
    expect((await node.call("GET", "/api/workers")).json).toMatchObject({ items: [{ id: "w1", healthy: true, models: ["scripted-1"] }] })
  })

  it("metrics of what ran", async () => {
    const { id } = await node.submit(sum(), NOTES)
    await node.until(id, ["succeeded"])
    const { text } = await node.call("GET", "/metrics")
    for (const line of [/^jobs_total\{[^}]*status="succeeded"[^}]*\} [1-9]/m, /^llm_calls_total\{[^}]*worker_id="w1"[^}]*\} [1-9]/m, /^tool_calls_total\{[^}]*tool_name="Read"[^}]*\} [1-9]/m]) expect(text).toMatch(line)
  })
})

describe("who may call", () => {
  it.each([["a foreign page", { origin: "https://evil.example" }], ["a foreign host", { host: "evil.example" }], ["a page of another port", { origin: "http://127.0.0.1:1" }]])("%s is refused, and nothing is submitted", async (_who, headers) => {
    const before = ((await node.call("GET", "/api/tasks?limit=1")).json as Page<{ id: number }>).items[0]?.id
    const answer = await node.call("POST", "/api/tasks", { instruction: "steal" }, headers)
    expect(answer.status).toBe(403)
    expect(answer.headers.get("content-type")).toContain("application/problem+json")
    expect(((await node.call("GET", "/api/tasks?limit=1")).json as Page<{ id: number }>).items[0]?.id).toBe(before)
  })
})

describe("bad requests", () => {
  it("every wrong field is named", async () => {
    const answer = await node.call("POST", "/api/tasks", { instruction: 7, priority: "urgent", nonsense: true })
    expect(answer.status).toBe(422)
    expect((answer.json as { errors: Array<{ path: string }> }).errors.map((error) => error.path).sort()).toEqual(["instruction", "nonsense", "priority"])
  })

  it("an unknown piece is refused with the names of those that exist", async () => {
    const answer = await node.call("POST", "/api/tasks", { instruction: "x", piece: "generl" })
    expect(answer.status).toBe(422)
    expect(answer.text).toContain("general")
  })

  it("a path outside the workspace is 400, an unknown task 404, no JSON 400, too much 413", async () => {
    const { id } = await node.submit(sum(), NOTES)
    expect((await node.call("GET", `/api/tasks/${id}/files/${encodeURIComponent("../../../etc/passwd")}`)).status).toBe(400)
    expect((await node.call("GET", "/api/tasks/999999")).status).toBe(404)
    expect((await node.call("POST", "/api/tasks", "{", { "content-type": "application/json" })).status).toBe(400)
    const small = await startNode({ llm: llm.url, config: { http: { max_body_bytes: 2000 } } })
    expect((await small.call("POST", "/api/tasks", { instruction: "x".repeat(5000) })).status).toBe(413)
    expect(await small.stop()).toBe(0)
  })
})

it("the workspace lies in the data folder, as plain files", async () => {
  const { id } = await node.submit(sum(), { "plain name.txt": "content" })
  const listed = await node.call("GET", `/api/tasks/${id}/files`)
  expect(listed.text).toContain("input/plain name.txt")
  const found = spawnSync("find", [join(node.dir, "data"), "-name", "plain name.txt"], { encoding: "utf8" }).stdout.trim()
  expect(readFileSync(found, "utf8")).toBe("content")
})
