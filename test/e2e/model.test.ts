// The real product against a model that misbehaves on a socket: what a run does with every kind of wrong answer, and that
// each ends with its reason.
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Task } from "../../src/cli/shapes.ts"
import { endNodes, probePiece, startNode } from "../support/node.ts"
import type { Node } from "../support/node.ts"
import { complete } from "../support/scenarios.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"
import type { ScriptedLlm, SeenRequest } from "../support/scriptedLlm.ts"

const RETRIES = 1
const MAX_ATTEMPTS = 2
const ENDED = ["succeeded", "failed", "cancelled"]

let llm: ScriptedLlm
let node: Node
let runs = 0

beforeAll(async () => {
  llm = startScriptedLlm()
  node = await startNode({
    llm: llm.url,
    config: { llm: { retries: RETRIES, idle_timeout_seconds: 0.4, timeout_minutes: 1 }, retry: { max_attempts: MAX_ATTEMPTS, backoff_seconds: [0.05] } },
  })
  await node.putPiece("probe", probePiece())
})
afterAll(async () => {
  await endNodes()
  llm.close()
})

/** Plays a scenario; the requests are those of this task alone. */
const play = async (scenario: string, statuses: ReadonlyArray<string> = ENDED): Promise<{ readonly task: Task; readonly requests: ReadonlyArray<SeenRequest> }> => {
  const run = `run-${++runs}`
  const made = await node.submit({ instruction: `SCENARIO:${scenario} RUN:${run}`, piece: "probe" }, { "notes.txt": "alpha\n" })
  const task = await node.until(made.id, statuses, 15_000)
  return { task, requests: llm.requests.filter((request) => request.run === run) }
}
const lastMessage = (request: SeenRequest | undefined): string => JSON.stringify(request?.messages.at(-1) ?? null)
const failed = (abort_reason: string, summary: RegExp, attempt: number) => ({ status: "failed", job: { abort_reason, attempt, error_summary: expect.stringMatching(summary) as string } })

describe("answers of the model", () => {
  it("arguments that lack a brace are mended", async () => {
    const { task, requests } = await play("malformed")
    expect(task).toMatchObject({ status: "succeeded", result: "recovered" })
    expect(lastMessage(requests[1])).toContain("alpha")
  })

  it("arguments that nothing can mend go back with the schema", async () => {
    const { task, requests } = await play("hopeless")
    expect(task).toMatchObject({ status: "succeeded", result: "recovered" })
    expect(lastMessage(requests[1])).toContain("path")
  })

  it("an unknown tool's result lists the tools there are", async () => {
    const { task, requests } = await play("unknown_tool")
    expect(task).toMatchObject({ status: "succeeded", result: "recovered" })
    for (const name of ["NoSuchTool", "Read", "Write"]) expect(lastMessage(requests[1])).toContain(name)
  })

  it("a failed call voids the transition beside it", async () => {
    expect((await play("mixed")).task).toMatchObject({ status: "succeeded", result: "after the failure" })
  })

  it.each(["empty", "text_only"])("an answer without calls (%s) is nudged twice, then the job ends with the reason", async (scenario) => {
    const { task, requests } = await play(scenario)
    expect(task).toMatchObject(failed("no_transition", /./, 1))
    expect(requests).toHaveLength(3)
    expect(requests[2]?.messages.filter((message) => message.role === "user").length).toBeGreaterThan(requests[0]?.messages.filter((message) => message.role === "user").length ?? 0)
  })

  it("the same call over and over is pointed out, then ends the job", async () => {
    const { task, requests } = await play("loop")
    expect(task).toMatchObject(failed("loop", /Read/, 1))
    expect(requests).toHaveLength(5)
  })

  it("a model that says that it cannot be done ends the job with that", async () => {
    expect((await play("abort")).task).toMatchObject({ status: "failed", job: { abort_reason: "abort" } })
  })

  it("a question parks the job and holds no worker", async () => {
    const { task } = await play("ask", ["waiting_human"])
    expect(task.job).toMatchObject({ wait_reason: "question" })
    const comments = await node.call("GET", `/api/tasks/${task.id}/comments`)
    expect(comments.text).toContain("Which colour?")
    expect((await node.call("GET", "/api/workers")).json).toMatchObject({ items: [{ inflight: 0 }] })
    expect((await node.call("POST", `/api/tasks/${task.id}/cancel`)).status).toBe(202)
  })

  it("reasoning and prompt progress are streamed, and reasoning is not sent back", async () => {
    llm.define("thinker", ({ step }) => (step === 0
      ? { progress: [0, 512, 1024].map((processed) => ({ processed, total: 1024, time_ms: 1, cache: 0 })), reasoning: "secret thought", calls: [["Ls", {}]], delay_ms: 30 }
      : complete("thought")))
    const { id } = await node.submit({ instruction: "SCENARIO:thinker RUN:thinker", piece: "probe" })
    const events = await node.events(id, (event) => event.event === "done")
    expect(events.map((event) => event.event)).toEqual(expect.arrayContaining(["reasoning", "prompt_progress"]) as Array<string>)
    const second = llm.requests.find((request) => request.run === "thinker" && request.step === 1)
    expect(JSON.stringify(second?.messages)).not.toContain("secret thought")
  })
})

describe("failures of the endpoint", () => {
  it("a 500 is retried in place, then the attempt, then the job fails with the endpoint's words", async () => {
    const { task, requests } = await play("error500")
    expect(task).toMatchObject(failed("llm_error", /scripted failure/, MAX_ATTEMPTS))
    expect(requests).toHaveLength((RETRIES + 1) * MAX_ATTEMPTS)
    const comments = await node.call("GET", `/api/tasks/${task.id}/comments`)
    expect(comments.text).toContain("scripted failure")
  })

  it("a second attempt succeeds after a first that failed", async () => {
    expect((await play("error500_twice")).task).toMatchObject({ status: "succeeded", result: "third try", job: { attempt: 2 } })
  })

  it("a 429 waits as long as Retry-After says, within the attempt", async () => {
    const { task, requests } = await play("error429_once")
    expect(task).toMatchObject({ status: "succeeded", result: "waited", job: { attempt: 1 } })
    expect((requests[1]?.at ?? 0) - (requests[0]?.at ?? 0)).toBeGreaterThanOrEqual(950)
  })

  it.each([["error400", /scripted bad request/], ["error401", /scripted: wrong key/]])("%s is final at once", async (scenario, words) => {
    const { task, requests } = await play(scenario)
    expect(task).toMatchObject(failed("llm_error", words, 1))
    expect(requests).toHaveLength(1)
  })

  it("a prompt that is too long for the endpoint ends with that reason", async () => {
    expect((await play("too_long")).task).toMatchObject({ status: "failed", job: { abort_reason: "context" } })
  })

  it.each(["stall", "silent"])("a stream that falls silent (%s) fails the attempt", async (scenario) => {
    expect((await play(scenario)).task).toMatchObject(failed("llm_error", /silent|silence/i, MAX_ATTEMPTS))
  })

  it("a stream that is cut once is asked again, and its text is void", async () => {
    const { task, requests } = await play("cut_once")
    expect(task).toMatchObject({ status: "succeeded", result: "second try", job: { attempt: 1 } })
    expect(requests).toHaveLength(2)
    expect(requests[1]?.messages).toEqual(requests[0]?.messages)
  })

  it.each(["cut", "cut_json", "cut_before"])("a stream that is always cut (%s) fails the job", async (scenario) => {
    expect((await play(scenario)).task).toMatchObject(failed("llm_error", /./, MAX_ATTEMPTS))
  })

  it("a connection that is reset is the worker's fault: the attempt is unspent", async () => {
    llm.define("reset_once", ({ nth }) => (nth < 1 ? { fault: "reset" } : complete("after the reset")))
    const { task } = await play("reset_once")
    expect(task).toMatchObject({ status: "succeeded", result: "after the reset", job: { attempt: 1 } })
  })

  it("a model that the endpoint does not have leaves the job in the queue with that reason", async () => {
    const { id } = await node.submit({ instruction: "SCENARIO:no_model", piece: "probe" })
    const job = await node.when(id, (now) => now.status === "queued" && now.wait_reason !== null)
    expect(job).toMatchObject({ wait_reason: "model", attempt: 1 })
    expect((await node.call("POST", `/api/tasks/${id}/cancel`)).status).toBe(202)
  })
})
