// One attempt: what it reads, how it ends and what it leaves behind.
import OpenAI from "openai"
import { afterAll, expect, test } from "vitest"
import { attempt, publicUrl, sdkFetch } from "../../src/llm/attempt.ts"
import { MAX_ANSWER_CHARS } from "../../src/llm/answer.ts"
import { type Answer, startScriptedLlm } from "../support/scriptedLlm.ts"

const llm = startScriptedLlm()
afterAll(() => llm.close())
let scripts = 0

const run = (answer: Answer, timeout_ms = 5_000, signal: AbortSignal = new AbortController().signal) => {
  const name = `attempt-${scripts++}`
  llm.define(name, () => answer)
  return attempt({
    sdk: new OpenAI({ apiKey: "k", baseURL: llm.url, maxRetries: 0, organization: null, project: null, logLevel: "off", fetch: sdkFetch }),
    request: { endpoint: { worker_id: "w", url: llm.url, api_key: "k", model: "m" }, messages: [{ role: "user", content: `SCENARIO:${name}` }], tools: [], tool_choice: "auto", max_tokens: null, timeout_ms, idle_timeout_ms: 5_000 },
    llamacpp: false, deadline: performance.now() + timeout_ms, connect_ms: 1_000, signal, onDelta: () => {},
  })
}
const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`

test("a failure is a value that says whether tokens had come and how long to wait", async () => {
  expect(await run({ status: 429, headers: { "retry-after": "3" } })).toMatchObject({ _tag: "Failure", retry_after_ms: 3_000, tokens: false, error: { reason: "overloaded" } })
  expect(await run({ body: event({ choices: [{ delta: { content: "a" } }] }) })).toMatchObject({ _tag: "Failure", tokens: true, error: { reason: "cut" } })
})

test("what an error body says survives also where it has no `error`", async () => {
  expect(await run({ status: 400, body: JSON.stringify({ message: "flat words" }), headers: { "content-type": "application/json" } })).toMatchObject({ error: { reason: "status", detail: "flat words" } })
})

test("a stream under a wrong content type is read as one", async () => {
  const body = `${event({ choices: [{ delta: { content: "plain" }, finish_reason: "stop" }] })}data: [DONE]\n\n`
  expect(await run({ body, headers: { "content-type": "text/plain" } })).toMatchObject({ _tag: "Answered", answer: { text: "plain" } })
})

test("what comes after [DONE] is not part of the answer, and is not waited for", async () => {
  const done = `${event({ choices: [{ delta: { content: "a" }, finish_reason: "stop" }] })}data: [DONE]\n\n${event({ choices: [{ delta: { content: "b" } }] })}`
  expect(await run({ body: done })).toMatchObject({ _tag: "Answered", answer: { text: "a" } })
})

test("an endless answer stops at its limit", async () => {
  const chunk = event({ choices: [{ delta: { content: "x".repeat(1024 * 1024) } }] })
  expect(await run({ body: chunk.repeat(MAX_ANSWER_CHARS / (1024 * 1024) + 2) })).toMatchObject({ _tag: "Failure", error: { reason: "status", detail: expect.stringContaining("limit") } })
})

test("a signal that was given up before the call sends nothing that lasts", async () => {
  const left = new AbortController()
  left.abort()
  expect(await run({ fault: "hang" }, 5_000, left.signal)).toMatchObject({ _tag: "Failure" })
})

test("addresses are shown without what must stay secret", () => {
  expect([publicUrl("http://user:pw@h:1/v1"), publicUrl("http://h/v1/"), publicUrl("not a url//u:p@x")]).toEqual(["http://h:1/v1", "http://h/v1", "not a url//x"])
})
