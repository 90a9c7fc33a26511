// The model client against a scripted server over real sockets: what a call gives, how it fails, and how it stops.
import { Cause, Effect, Exit, Fiber, References } from "effect"
import { afterAll, expect, test } from "vitest"
import type { EphemeralEvent } from "../../src/job/event.ts"
import { type ChatAnswer, type ChatRequest, LlmClient, type LlmError, type LlmLimits, pauseMs } from "../../src/llm/LlmClient.ts"
import { deafEndpoint, refusedUrl } from "../support/badEndpoints.ts"
import { complete, failFirst } from "../support/scenarios.ts"
import { type Answer, type Script, startScriptedLlm } from "../support/scriptedLlm.ts"

const llm = startScriptedLlm()
afterAll(() => llm.close())

const FAST: Partial<LlmLimits> = { retry_pause_ms: 1 }
let scripts = 0

/** A scenario of its own for one test; the text that chooses it. */
const scenario = (script: Script | Answer): string => {
  const name = `own-${scripts++}`
  llm.define(name, typeof script === "function" ? script : () => script)
  return `SCENARIO:${name}`
}

const ask = (text: string, extra: Partial<ChatRequest> = {}): ChatRequest => ({
  endpoint: { worker_id: "w", url: llm.url, api_key: null, model: "scripted-1" },
  messages: [{ role: "user", content: text }],
  tools: [{ type: "function", function: { name: "Read", description: "reads", parameters: { type: "object" } } }],
  tool_choice: "auto", max_tokens: null, timeout_ms: 5_000, idle_timeout_ms: 5_000, ...extra,
})

interface Heard {
  readonly events: Array<EphemeralEvent>
  readonly restarts: Array<string>
}

const chat = (request: ChatRequest, heard: Heard = { events: [], restarts: [] }, limits: Partial<LlmLimits> = FAST): Effect.Effect<ChatAnswer, LlmError> =>
  LlmClient.use((client) => client.chat(request, (event) => heard.events.push(event), (why) => heard.restarts.push(why))).pipe(Effect.provide(LlmClient.layer(limits)), Effect.provideService(References.MinimumLogLevel, "None"))
const answer = (request: ChatRequest, heard?: Heard, limits?: Partial<LlmLimits>): Promise<ChatAnswer> => Effect.runPromise(chat(request, heard, limits))
const failure = (request: ChatRequest, limits?: Partial<LlmLimits>, heard?: Heard): Promise<LlmError> => Effect.runPromise(Effect.flip(chat(request, heard, limits)))

test("text comes as deltas and as a whole, with usage and times", async () => {
  const heard: Heard = { events: [], restarts: [] }
  const got = await answer(ask(scenario({ content: "one two three four five", usage: { prompt_tokens: 40, completion_tokens: 9, cached_tokens: 30 } })), heard)
  expect(got).toMatchObject({ text: "one two three four five", finish_reason: "stop", calls: [], usage: { prompt_tokens: 40, completion_tokens: 9, cached_tokens: 30 }, model: "scripted-1", backend_id: null })
  expect(heard.events.map((e) => (e.event === "text" ? e.data.text : "?")).join("")).toBe(got.text)
  expect(got.ttft_ms).not.toBeNull()
  expect(got.duration_ms).toBeGreaterThanOrEqual(0)
})

test("reasoning, prompt progress, tool-call deltas and the backend's name arrive as they come", async () => {
  const heard: Heard = { events: [], restarts: [] }
  const progress = [{ processed: 10, total: 20, time_ms: 3, cache: 5 }]
  const got = await answer(ask(scenario({ progress, reasoning: "let me see", calls: [["Read", { path: "input/a.txt" }]], headers: { "x-backend-id": "gpu-7" } })), heard)
  expect(got).toMatchObject({ reasoning: "let me see", backend_id: "gpu-7", finish_reason: "tool_calls" })
  expect(got.calls).toEqual([{ call_id: expect.stringMatching(/^call_/), name: "Read", arguments: '{"path":"input/a.txt"}' }])
  expect(heard.events[0]).toEqual({ event: "prompt_progress", data: progress[0] })
  const chunks = heard.events.filter((e) => e.event === "tool_use_delta")
  expect(chunks.map((e) => e.data.chunk).join("")).toBe('{"path":"input/a.txt"}')
  expect(new Set(chunks.map((e) => e.data.call_id))).toEqual(new Set([got.calls[0]?.call_id]))
})

test("an empty answer is an answer without text or calls", async () => {
  expect(await answer(ask(scenario({})))).toMatchObject({ text: "", calls: [], finish_reason: "stop" })
})

test("a server that answers in one piece instead of a stream is understood", async () => {
  const body = JSON.stringify({ model: "m", choices: [{ message: { role: "assistant", content: "whole" }, finish_reason: "stop" }], usage: { prompt_tokens: 3, completion_tokens: 1 } })
  expect(await answer(ask(scenario({ body, headers: { "content-type": "application/json" } })))).toMatchObject({ text: "whole", usage: { prompt_tokens: 3, cached_tokens: 0 } })
})

test("no tools means no tool fields, and no key means no Authorization header", async () => {
  const before = llm.requests.length
  await answer(ask(scenario({ content: "x" }), { tools: [], max_tokens: 7 }))
  const seen = llm.requests[before]
  expect(Object.keys(seen?.body ?? {}).sort()).toEqual(["max_tokens", "messages", "model", "stream", "stream_options"])
  expect(seen?.headers["authorization"]).toBeUndefined()
})

test("prompt progress is asked for once the server is known to be llama.cpp", async () => {
  const before = llm.requests.length
  const text = scenario({ content: "x", headers: { server: "llama.cpp" } })
  await Effect.runPromise(LlmClient.use((client) => Effect.all([client.chat(ask(text), () => {}), client.chat(ask(text), () => {})])).pipe(Effect.provide(LlmClient.layer(FAST))))
  expect(llm.requests.slice(before).map((r) => r.body["return_progress"])).toEqual([undefined, true])
  await answer(ask(scenario({ content: "x" }), { endpoint: { worker_id: "w", url: llm.url, api_key: null, model: "m", server: "llamacpp" } }))
  expect(llm.requests.at(-1)?.body["return_progress"]).toBe(true)
})

test("the key is sent, and never shows in an error even if the endpoint repeats it", async () => {
  const key = "sk-very-secret-1234"
  const endpoint = { worker_id: "w", url: llm.url, api_key: key, model: "scripted-1" }
  const error = await failure(ask(scenario({ status: 401, message: `Incorrect API key provided: ${key}` }), { endpoint }))
  expect(error).toMatchObject({ reason: "status", status: 401 })
  expect(llm.requests.at(-1)?.headers["authorization"]).toBe(`Bearer ${key}`)
  expect(JSON.stringify(error) + error.message + String(error.stack)).not.toContain(key)
})

test("overloaded endpoints are asked again in place, three times at most", async () => {
  const before = llm.requests.length
  expect((await answer(ask(scenario(failFirst(3, { status: 503 }, () => "at last"))))).text).toBe("at last")
  expect(llm.requests.length - before).toBe(4)
  const error = await failure(ask(scenario({ status: 500, message: "broken" })))
  expect(error).toMatchObject({ reason: "overloaded", status: 500, detail: "broken" })
  expect(llm.requests.length - before).toBe(8)
})

test("Retry-After is honoured, and not waited for when the call would be over by then", async () => {
  const at = performance.now()
  expect((await answer(ask(scenario(failFirst(1, { status: 429, headers: { "retry-after-ms": "120" } }, () => "ok"))))).text).toBe("ok")
  expect(performance.now() - at).toBeGreaterThanOrEqual(119)
  const again = performance.now()
  expect(await failure(ask(scenario({ status: 429, headers: { "retry-after": "3600" } })))).toMatchObject({ reason: "overloaded", status: 429 })
  expect(performance.now() - again).toBeLessThan(4_000)
})

test("pauses between retries grow, are jittered and bounded", () => {
  expect([pauseMs(0, 500, 0), pauseMs(0, 500, 1), pauseMs(2, 500, 1), pauseMs(30, 500, 1)]).toEqual([250, 500, 2000, 10_000])
})

test("a cut or a reset before the first token is asked again without a word", async () => {
  for (const fault of ["cut_before", "reset"] as const) {
    const heard: Heard = { events: [], restarts: [] }
    expect((await answer(ask(scenario(failFirst(2, { fault }, () => "whole"))), heard)).text).toBe("whole")
    expect(heard.restarts).toEqual([])
  }
  expect(await failure(ask(scenario({ fault: "cut_before" })))).toMatchObject({ reason: "cut", status: null })
})

test("a stream cut after its first token is asked again once and its text is void", async () => {
  for (const fault of ["cut", "cut_json"] as const) {
    let cut = (): void => {}
    const cutStream: Script = () => ({ fault, hold: new Promise<void>((resolve) => { cut = resolve }) })
    const run = (script: Script): [Promise<unknown>, Heard] => {
      const heard: Heard = { events: [], restarts: [] }
      const client = LlmClient.use((c) => c.chat(ask(scenario(script)), (event) => { heard.events.push(event); cut() }, (why) => heard.restarts.push(why)))
      return [Effect.runPromise(Effect.result(client).pipe(Effect.provide(LlmClient.layer(FAST)))), heard]
    }
    const [good, heard] = run(failFirst(1, cutStream, () => "the whole answer"))
    expect(await good).toMatchObject({ _tag: "Success", success: { text: "the whole answer" } })
    expect(heard.restarts).toEqual([expect.stringMatching(/middle of the answer/)])
    const before = llm.requests.length
    const [bad] = run(cutStream)
    expect(await bad).toMatchObject({ _tag: "Failure", failure: { reason: "cut" } })
    expect(llm.requests.length - before).toBe(2)
  }
})

test("a body that ends cleanly in the middle of an answer is a cut too", async () => {
  const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
  const half = event({ choices: [{ delta: { content: "half" } }] })
  expect((await failure(ask(scenario({ body: half })))).detail).toMatch(/without a finish reason/)
  expect((await failure(ask(scenario({ body: `${half}data: {"choi` })))).detail).toMatch(/middle of an event/)
  expect((await failure(ask(scenario({ body: `${half}data: nonsense\n\n` })))).detail).toMatch(/not JSON/)
  expect((await failure(ask(scenario({ body: "" })))).reason).toBe("cut")
  expect((await answer(ask(scenario({ body: event({ choices: [{ delta: { content: "no done" }, finish_reason: "stop" }] }) })))).text).toBe("no done")
  expect((await answer(ask(scenario({ content: "no finish", finish: null })))).finish_reason).toBe("stop")
})

test("an error inside the stream is told by its code", async () => {
  const streamed = (code: string | number): Promise<LlmError> => failure(ask(scenario({ stream_error: { message: "no", code } })))
  expect(await streamed(500)).toMatchObject({ reason: "overloaded", detail: "no" })
  expect(await streamed("context_length_exceeded")).toMatchObject({ reason: "context" })
  expect(await streamed(400)).toMatchObject({ reason: "status", status: 400 })
  expect(await failure(ask(scenario({ content: "some text", stream_error: { message: "died", code: 500 } })))).toMatchObject({ reason: "cut", detail: "died" })
})

test("a web page in place of an answer says what is wrong with the address", async () => {
  const error = await failure(ask(scenario({ body: "<html><body>hello</body></html>", headers: { "content-type": "text/html" } })))
  expect(error).toMatchObject({ reason: "status", status: 200 })
  expect(error.detail).toMatch(/text\/html.*\/v1/)
})

test("final refusals are final: one request each", async () => {
  const before = llm.requests.length
  expect(await failure(ask("SCENARIO:error400"))).toMatchObject({ reason: "status", status: 400, detail: "scripted bad request" })
  expect(await failure(ask(scenario({ status: 404, message: "The model `scripted-1` does not exist", code: "model_not_found" })))).toMatchObject({ reason: "model", status: 404 })
  expect(await failure(ask("SCENARIO:too_long"))).toMatchObject({ reason: "context", status: 400 })
  expect(llm.requests.length - before).toBe(3)
})

test("no connection: refused, unknown host, and a connection that hangs", async () => {
  const at = (url: string): ChatRequest => ask("x", { endpoint: { worker_id: "w", url, api_key: null, model: "m" } })
  expect(await failure(at(refusedUrl()))).toMatchObject({ reason: "connect", status: null, detail: expect.stringContaining("ECONNREFUSED") })
  expect(await failure(at("http://user:hidden@no-such-host.invalid/v1"))).toMatchObject({ reason: "connect", detail: expect.not.stringContaining("hidden") })
  const deaf = await deafEndpoint()
  try {
    expect(await failure(at(deaf.url), { connect_timeout_ms: 200 })).toMatchObject({ reason: "connect", detail: expect.stringContaining("within 200 ms") })
  } finally {
    deaf.close()
  }
})

test("a server that thinks for longer than the connect timeout is not a dead one", async () => {
  expect((await answer(ask(scenario({ content: "slow start", wait_ms: 450 })), undefined, { connect_timeout_ms: 600 })).text).toBe("slow start")
})

test("silence ends a call: before the head, before the first token and after it", async () => {
  for (const fault of ["hang", "silent", "stall"] as const) {
    const before = llm.requests.length
    expect(await failure(ask(scenario({ fault }), { idle_timeout_ms: 80 }))).toMatchObject({ reason: "silent" })
    expect(llm.requests.length - before).toBe(1)
    const seen = llm.requests[before]
    expect(seen && (await llm.abort(seen)).aborted).toBe(true)
  }
})

test("prompt progress counts as life", async () => {
  const progress = Array.from({ length: 15 }, (_, i) => ({ processed: i, total: 15, time_ms: i, cache: 0 }))
  expect((await answer(ask(scenario({ progress, delay_ms: 60, content: "done" }), { idle_timeout_ms: 700 }))).text).toBe("done")
})

test("the overall timeout ends a stream that is alive", async () => {
  const at = performance.now()
  expect(await failure(ask("SCENARIO:slow", { timeout_ms: 250 }))).toMatchObject({ reason: "timeout" })
  expect(performance.now() - at).toBeLessThan(4_000)
})

test("interruption closes the connection within milliseconds, in every phase", async () => {
  for (const script of [{ fault: "hang" }, { fault: "silent" }, { content: "word ".repeat(500), delay_ms: 5 }] as ReadonlyArray<Answer>) {
    const before = llm.requests.length
    const fiber = Effect.runFork(chat(ask(scenario(script))))
    const seen = await llm.request(before + 1)
    if (script.content !== undefined) await llm.until(() => seen.chunks > 3)
    const at = performance.now()
    const exit = await Effect.runPromise(Fiber.interrupt(fiber).pipe(Effect.andThen(Fiber.await(fiber))))
    await llm.abort(seen)
    expect((seen.aborted_at ?? Infinity) - at).toBeLessThan(200)
    expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
  }
})

test("interruption during a pause before a retry sends nothing more", async () => {
  const before = llm.requests.length
  const fiber = Effect.runFork(chat(ask(scenario({ status: 503 })), undefined, { retry_pause_ms: 10_000 }))
  const seen = await llm.request(before + 1)
  await llm.until(() => seen.finished_at !== null)
  await Effect.runPromise(Fiber.interrupt(fiber))
  expect(llm.requests.length - before).toBe(1)
})

test("a listener that throws is a defect, not a broken stream", async () => {
  const exit = await Effect.runPromiseExit(LlmClient.use((client) => client.chat(ask(scenario(complete("x"))), () => { throw new Error("bug") })).pipe(Effect.provide(LlmClient.layer(FAST))))
  expect(Exit.isFailure(exit) && Cause.hasDies(exit.cause) && Cause.pretty(exit.cause)).toContain("bug")
})

test("calls one after the other share a connection", async () => {
  const own = startScriptedLlm()
  try {
    const request = ask("SCENARIO:complete", { endpoint: { worker_id: "w", url: own.url, api_key: null, model: "m" } })
    await Effect.runPromise(LlmClient.use((client) => Effect.forEach([1, 2, 3, 4, 5], () => client.chat(request, () => {}))).pipe(Effect.provide(LlmClient.layer(FAST))))
    expect([own.stats().total, own.stats().connections]).toEqual([5, 1])
  } finally {
    own.close()
  }
})
