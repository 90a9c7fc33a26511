// The gates before a run and what a run leaves behind for people: events, comments, activity log, figures. On a whole node.
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { Workers } from "../../src/queue/Workers.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { eventually, pieceText, type Queue, startQueue, type Submitted, worker } from "../support/queue.ts"
import { complete } from "../support/scenarios.ts"
import { type ScriptedLlm, type ScriptedLlmOptions, startScriptedLlm } from "../support/scriptedLlm.ts"

const scripted = (options: ScriptedLlmOptions = {}): ScriptedLlm => {
  const llm = startScriptedLlm(options)
  onTestFinished(() => llm.close())
  return llm
}
const runningEvents = async (queue: Queue, of: Submitted) => (await queue.events(of)).filter(({ event, data }) => event === "status" && data["status"] === "running")
/** Files of a workspace, written before the submission as an upload would. */
const withFiles = (queue: Queue, workspace: string, files: Readonly<Record<string, string>>) => {
  for (const [path, text] of Object.entries(files)) {
    const at = join(queue.dir, "workspaces", workspace, path)
    mkdirSync(dirname(at), { recursive: true })
    writeFileSync(at, text)
  }
}
/** A job is counted right behind the commit of its end. */
const counted = (queue: Queue, line: string) => eventually(async () => ((await queue.metrics()).split("\n").includes(line) ? true : null), () => line, 2_000)
const WS = "0198c0de-0000-7000-8000-000000000001"

describe("the gates before a run", () => {
  it("refuse a piece that is not valid, for good and with every wrong place, before the job is announced as running", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("complete", { piece_text: "name: probe\nmovements: []\n" })
    expect(await queue.until(task, "failed", "retry")).toMatchObject({ status: "failed", attempt: 1, abort_reason: "unknown_piece", error_summary: expect.stringMatching(/the piece "probe" is not valid: .*movements/) })
    expect(await runningEvents(queue, task)).toEqual([])
    expect(llm.requests).toEqual([])
  })

  it("fail the attempt where the workspace cannot be made, and a later one runs", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url, settings: { queue: { poll_seconds: 0.05 }, retry: { backoff_seconds: [0.3] } } })
    const blocker = join(queue.dir, "workspaces", WS)
    writeFileSync(blocker, "a file where the folder should be")
    const task = await queue.submit("complete", { workspace: WS })
    expect(await queue.until(task, "retry", "failed")).toMatchObject({ status: "retry", attempt: 1, error_summary: expect.stringContaining("the workspace cannot be") })
    expect(await runningEvents(queue, task)).toEqual([])
    rmSync(blocker)
    expect(await queue.until(task, "succeeded")).toMatchObject({ attempt: 2 })
    expect((await queue.comments(task))[0]).toMatchObject({ kind: "event", body: expect.stringMatching(/^Attempt 1 of 3 failed\. Reason: worker_exception/) })
  })

  it("are not even reached by a job whose model no worker offers: it stays queued and unannounced", async () => {
    const llm = scripted({ models: ["m1"] })
    const queue = await startQueue({ llm: llm.url })
    await queue.until(await queue.submit("complete"), "succeeded")
    const task = await queue.submit("complete", { model: "m9" })
    await queue.run(Workers.use((workers) => Effect.sync(() => expect(workers.endpoint("w1", "m9")).toBeNull())))
    await queue.until(await queue.submit("complete"), "succeeded")
    expect(await queue.job(task)).toMatchObject({ status: "queued", attempt: 1, fence: 0 })
    expect(await runningEvents(queue, task)).toEqual([])
  })

  it("announce a job that is past all of them as running exactly once", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("sum", { workspace: WS })
    withFiles(queue, WS, { "input/notes.txt": "alpha\n" })
    await queue.until(task, "succeeded")
    expect((await runningEvents(queue, task)).map(({ data }) => data)).toMatchObject([{ worker_id: "w1", attempt: 1 }])
    expect((await queue.events(task)).map(({ event }) => event).filter((event) => event === "done")).toHaveLength(1)
  })
})

describe("the prompt", () => {
  it("goes without what is optional and cannot be read, with a warning, and the job runs", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    withFiles(queue, WS, { "input/kept.txt": "kept" })
    // From here on comments can be written but not read.
    await queue.sql("ALTER TABLE comments RENAME COLUMN injected_at TO elsewhere")
    const task = await queue.submit("complete", { workspace: WS })
    expect(await queue.until(task, "succeeded", "retry", "failed")).toMatchObject({ status: "succeeded", attempt: 1 })
    expect(JSON.stringify(llm.requests[0]?.messages)).toContain("input/kept.txt")
    expect(queue.logs.some((line) => line.includes("comments left out of the prompt") && line.includes('"level":"warn"') && line.includes(task.job_id))).toBe(true)
  })

  it("holds the person's comments however many of a run's own came before them", async () => {
    const llm = scripted()
    const queue = await startQueue({ llm: llm.url })
    const task = await queue.submit("complete", { role: "nobody" })
    const post = (author: "user" | "system", kind: "message" | "progress", body: string) =>
      queue.run(TaskStore.use((tasks) => tasks.comment({ task_id: task.id, job_id: null, author, kind, body, mode: null })))
    await Promise.all(Array.from({ length: 250 }, (_, n) => post("system", "progress", `{"n":${n}}`)))
    await post("user", "message", "Write it in French.")
    await queue.sql("UPDATE jobs SET required_role = 'auto' WHERE id = ? RETURNING id", task.job_id)
    await queue.submit("complete")
    await queue.until(task, "succeeded")
    expect(JSON.stringify(llm.requests.map(({ messages }) => messages))).toContain("Write it in French.")
  })
})

describe("a question to the person", () => {
  it("parks the job with the question as a comment and an event, and frees the slot", async () => {
    const llm = scripted()
    const queue = await startQueue({ workers: [worker({ endpoint: llm.url, max_concurrency: 1 })] })
    const task = await queue.submit("ask")
    expect(await queue.until(task, "waiting_human")).toMatchObject({ wait_reason: "question", resume_movement: "work", ask_count: 1, attempt: 1, lease_expires_at: null })
    expect((await queue.comments(task)).filter(({ kind }) => kind === "ask")).toMatchObject([{ author: "agent", body: "Which colour?" }])
    expect((await queue.events(task)).filter(({ event }) => event === "ask").map(({ data }) => data)).toMatchObject([{ question: "Which colour?" }])
    expect(await queue.until(await queue.submit("complete"), "succeeded")).toMatchObject({ result: "done" })
    await counted(queue, 'jobs_total{piece="other",status="waiting_human",profile="auto"} 1')
  })
})

describe("what a run leaves behind", () => {
  const plan = { plan: ({ step }: { readonly step: number }) => step === 0
    ? { content: "Let me see.", calls: [["Read", { path: "input/notes.txt" }], ["Read", { path: "input/notes.txt" }]] as const }
    : step === 2 ? { calls: [["CreateChecklist", { name: "plan", items: ["one", "two"] }]] as const }
      : step === 3 ? { calls: [["Write", { path: "output/big.txt", content: "x".repeat(20_000) }], ["Read", { path: "input/none.txt" }]] as const }
        : complete("all done") }
  const played = async () => {
    const llm = scripted({ scenarios: plan })
    const queue = await startQueue({ llm: llm.url })
    withFiles(queue, WS, { "input/notes.txt": "alpha\nbeta\n" })
    const task = await queue.submit("plan", { workspace: WS })
    const job = await queue.until(task, "succeeded", "failed", "retry")
    expect(job).toMatchObject({ status: "succeeded" })
    return { queue, task, job }
  }

  it("are progress comments of the published shapes, in order, what is cut saying so", async () => {
    const { queue, task } = await played()
    const comments = await queue.comments(task)
    const progress = comments.filter(({ kind }) => kind === "progress")
    expect(progress.every(({ author, job_id }) => author === "system" && job_id === task.job_id)).toBe(true)
    const bodies = progress.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
    expect(bodies.map((body) => [body["type"], body["name"] ?? body["movement"]])).toEqual([
      ["tool_call", "Read"], ["tool_call", "Read"], ["tool_call", "CreateChecklist"], ["checklist", "plan"], ["tool_call", "Write"], ["tool_call", "Read"], ["tool_call", "transition"], ["movement", "work"],
    ])
    expect(Object.keys(bodies[0] ?? {}).sort()).toEqual(["args", "cache_hit", "call_id", "duration_ms", "is_error", "movement", "name", "result", "type"])
    expect(bodies[0]).toMatchObject({ movement: "work", args: '{"path":"input/notes.txt"}', is_error: false })
    expect(String(bodies[4]?.["args"])).toMatch(/… \(\d+ more bytes\)$/)
    expect(bodies[5]).toMatchObject({ is_error: true })
    expect(bodies[3]).toMatchObject({ items: [{ text: "one", done: false }, { text: "two", done: false }] })
    expect(bodies.at(-1)).toMatchObject({ tools: { Read: 3, CreateChecklist: 1, Write: 1, transition: 1 }, summary: "all done" })
    expect(comments.at(-1)).toMatchObject({ kind: "result", author: "agent", body: "all done" })
  })

  it("is an activity log that a person can read, each line with time, worker and role", async () => {
    const { queue, task } = await played()
    // The last line follows the commit that ended the job.
    const lines = await eventually(async () => {
      const text = await queue.activity(task)
      return text.includes("→ COMPLETE") ? text.trimEnd().split("\n") : null
    }, () => queue.activity(task))
    expect(lines.every((line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z \[w1\/auto\] /.test(line))).toBe(true)
    const said = lines.map((line) => line.slice(line.indexOf("] ") + 2))
    expect(said[0]).toBe("status running")
    expect(said).toContain("movement work")
    expect(said.some((line) => /^llm call \d+\.\d\d s, \d+ prompt \(0 cached\) \+ \d+ tokens, scripted-1: Let me see\.$/.test(line))).toBe(true)
    expect(said.some((line) => line.startsWith("tool Read ok in") && line.includes("alpha"))).toBe(true)
    expect(said.some((line) => line.startsWith("tool Read failed in"))).toBe(true)
    expect(said.some((line) => /^movement work → COMPLETE after .*: all done$/.test(line))).toBe(true)
  })

  it("are the metrics of the job, its calls and its tools, and the figures on its row", async () => {
    const { queue, job } = await played()
    for (const line of [
      'jobs_total{piece="other",status="succeeded",profile="auto"} 1', 'llm_calls_total{worker_id="w1",backend_id="",model="scripted-1"} 4',
      'tool_calls_total{tool_name="Write",success="true"} 1', 'tool_calls_total{tool_name="Read",success="true"} 2', 'tool_calls_total{tool_name="Read",success="false"} 1', "claims_total 1",
    ]) await counted(queue, line)
    expect(job).toMatchObject({ llm_calls: 4, tool_calls: 6, current_movement: "work", current_activity: null })
    expect(job.prompt_tokens).toBeGreaterThan(0)
  })
})

describe("the model of a direct worker", () => {
  it("is the piece's where it is offered, else the configured one, else the first offered, which the log tells", async () => {
    const llm = scripted({ models: ["m1", "m2"] })
    const queue = await startQueue({ workers: [worker({ endpoint: llm.url, model: "gone" })] })
    await queue.until(await queue.submit("complete"), "succeeded")
    await queue.until(await queue.submit("complete", { model: "m2", piece_text: pieceText("model: m2\n") }), "succeeded")
    expect(llm.requests.map(({ body }) => body["model"])).toEqual(["m1", "m2"])
    expect(queue.logs.some((line) => line.includes("the model gone is not offered; using m1"))).toBe(true)
  })
})
