// One attempt at one chat completion: a plain async loop that never rejects for an expected reason; `LlmClient.ts` decides
// about another attempt. The SDK makes the request (address, headers, encoding, abort); the body is read here, because
// the SDK's reader costs twice the memory and CPU a stream and prints to the console (figures in `sse.ts`).
import type OpenAI from "openai"
import type { EphemeralEvent } from "../job/event.ts"
import { AnswerFold, type FoldedAnswer, MAX_ANSWER_CHARS } from "./answer.ts"
import { type AttemptFailure, type FailureContext, HttpFailure, parseBody, plainFailure, socketFailure, statusFailure, streamFailure } from "./failure.ts"
import type { ChatRequest } from "./LlmClient.ts"
import { canConnect } from "./reach.ts"
import { requestBody } from "./requestBody.ts"
import { makeSseParser } from "./sse.ts"
import { startWatch, type Watch } from "./watch.ts"

export interface AttemptOptions {
  readonly sdk: OpenAI
  readonly request: ChatRequest
  /** The server is known to be llama.cpp. */
  readonly llamacpp: boolean
  /** By `performance.now()`. */
  readonly deadline: number
  readonly connect_ms: number
  readonly signal: AbortSignal
  readonly onDelta: (event: EphemeralEvent) => void
}

export interface Answered {
  readonly _tag: "Answered"
  readonly answer: FoldedAnswer
  readonly headers: Headers
  readonly ttft_ms: number | null
}

/** Error bodies are read up to this size; a page of HTML needs no more. */
const MAX_ERROR_BYTES = 64 * 1024
/** How long the rest of a body after [DONE] is waited for, so that the connection can be used again. */
const DRAIN_MS = 1_000

type Stopped = "timeout" | "silent" | "connect" | "too_long"

/** A fetch for the SDK: no time limit of Bun's own, and a failed status keeps its whole body (the SDK drops bodies that are not `{error}`). */
export const sdkFetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
  const response = await fetch(url, { ...init, timeout: false } as RequestInit)
  if (response.ok) return response
  throw new HttpFailure(response.status, response.headers, await readUpTo(response, MAX_ERROR_BYTES))
}

const readUpTo = async (response: Response, max: number): Promise<string> => {
  if (response.body === null) return ""
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ""
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return text + decoder.decode()
    text += decoder.decode(value, { stream: true })
    if (text.length >= max) {
      void reader.cancel().catch(() => {})
      return text
    }
  }
}

export const attempt = async (options: AttemptOptions): Promise<Answered | AttemptFailure> => {
  const { request, onDelta } = options
  const started = performance.now()
  const controller = new AbortController()
  const state: { stopped: Stopped | null; headSeen: boolean } = { stopped: null, headSeen: false }
  const stop = (why: Stopped): void => {
    state.stopped ??= why
    controller.abort()
  }
  const abort = (): void => controller.abort()
  if (options.signal.aborted) abort()
  options.signal.addEventListener("abort", abort, { once: true })
  let ttft_ms: number | null = null
  const fold = new AnswerFold((event) => {
    if (ttft_ms === null && event.event !== "prompt_progress") ttft_ms = performance.now() - started
    onDelta(event)
  })
  const context = (): FailureContext => ({ url: publicUrl(request.endpoint.url), api_key: request.endpoint.api_key, model: request.endpoint.model, tokens: fold.started })
  // Half of the time for the request itself, half for the question whether it could connect at all.
  const half = options.connect_ms / 2
  const watch = startWatch({
    deadline: options.deadline, idle_ms: request.idle_timeout_ms, connect_ms: half, onExpire: stop,
    onNoHead: () => void canConnect(request.endpoint.url, half).then((reached) => { if (!reached && !state.headSeen) stop("connect") }),
  })
  try {
    const response = await options.sdk.chat.completions.create(requestBody(request, options.llamacpp), { signal: controller.signal }).asResponse()
    state.headSeen = true
    watch.head()
    const failure = await readAnswer({ response, fold, watch, stop, context, signal: controller.signal })
    if (state.stopped !== null) return stoppedFailure(state.stopped, options, context())
    return failure ?? { _tag: "Answered", answer: fold.result(), headers: response.headers, ttft_ms }
  } catch (cause) {
    if (cause instanceof CallbackDefect) throw cause.cause
    if (state.stopped !== null) return stoppedFailure(state.stopped, options, context())
    const refused = cause instanceof Error && cause.cause instanceof HttpFailure ? cause.cause : null
    return refused === null ? socketFailure(cause, state.headSeen, context()) : statusFailure(refused, context())
  } finally {
    watch.stop()
    options.signal.removeEventListener("abort", abort)
  }
}

interface Reading {
  readonly response: Response
  readonly fold: AnswerFold
  readonly watch: Watch
  readonly stop: (why: Stopped) => void
  readonly context: () => FailureContext
  readonly signal: AbortSignal
}

/** A failure of a subscriber's callback: a bug of ours that must not look like a failed stream. */
class CallbackDefect extends Error {}

const readAnswer = async (reading: Reading): Promise<AttemptFailure | null> => {
  const { response, fold, context } = reading
  const type = (response.headers.get("content-type") ?? "").toLowerCase()
  if (response.body === null) return plainFailure("cut", "the endpoint answered without a body", context(), response.status)
  if (type.includes("text/event-stream")) return await readStream(reading, response.body.getReader())
  const body = await readUpTo(response, MAX_ANSWER_CHARS)
  const value = parseBody(body)
  if (typeof value === "object" && value !== null && "choices" in value) {
    fold.push(value)
    return null
  }
  if (typeof value === "object" && value !== null && ("error" in value || "message" in value)) return streamFailure(value, context())
  // A stream under a wrong type, as some proxies send it.
  if (/^\s*(data|event|:)/.test(body)) {
    const result = feed(reading)
    result.parser.push(`${body}\n\n`)
    return result.ending()
  }
  if (body === "") return plainFailure("cut", "the endpoint answered with an empty body", context(), response.status)
  return plainFailure("status", `the endpoint answered with ${type === "" ? "no content type" : type} instead of an event stream; its URL should be the base of an OpenAI-compatible API and usually ends in /v1`, context(), response.status)
}

/** Connects parser and fold; `ending` says what the end of the body means. */
const feed = (reading: Reading) => {
  const { fold, context } = reading
  let failure: AttemptFailure | null = null
  let doneSeen = false
  let events = 0
  const parser = makeSseParser((data, event) => {
    if (failure !== null || doneSeen) return
    if (data === "[DONE]") {
      doneSeen = true
      return
    }
    if (data === "") return
    events++
    const value = parseBody(data)
    if (typeof value === "string") failure = plainFailure("cut", "the endpoint sent an event that is not JSON", context())
    else if (event === "error" || isError(value)) failure = streamFailure(value, context())
    else {
      try {
        fold.push(value)
      } catch (cause) {
        throw new CallbackDefect("a listener failed", { cause })
      }
    }
  })
  return {
    parser,
    failed: () => failure,
    done: () => doneSeen,
    ending: (): AttemptFailure | null => {
      if (failure !== null) return failure
      if (doneSeen || fold.finished) return null
      if (events === 0) return plainFailure("cut", "the endpoint ended its answer before it began", context())
      return plainFailure("cut", parser.partial() ? "the answer ended in the middle of an event" : "the answer ended without a finish reason or [DONE]", context())
    },
  }
}

const isError = (value: unknown): boolean => typeof value === "object" && value !== null && "error" in value && value.error !== null && value.error !== undefined

const readStream = async (reading: Reading, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<AttemptFailure | null> => {
  const { fold, watch, signal } = reading
  const { parser, failed, done, ending } = feed(reading)
  const decoder = new TextDecoder()
  const cancel = (): void => void reader.cancel().catch(() => {})
  signal.addEventListener("abort", cancel, { once: true })
  try {
    for (;;) {
      const { value, done: over } = await reader.read()
      if (over || signal.aborted) break
      watch.alive()
      parser.push(decoder.decode(value, { stream: true }))
      if (done()) {
        void drain(reader)
        break
      }
      if (failed() !== null) {
        cancel()
        break
      }
      if (parser.overflown() || fold.chars > MAX_ANSWER_CHARS) {
        reading.stop("too_long")
        break
      }
    }
  } finally {
    signal.removeEventListener("abort", cancel)
  }
  return ending()
}

/** Reads what follows [DONE] so that the connection goes back to the pool; gives up soon. */
const drain = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> => {
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), DRAIN_MS)
  try {
    while (!(await reader.read()).done);
  } catch {
    // The answer is complete; how its connection ends does not matter.
  } finally {
    clearTimeout(timer)
  }
}

const stoppedFailure = (why: Stopped, options: AttemptOptions, context: FailureContext): AttemptFailure => {
  const { request } = options
  switch (why) {
    case "timeout":
      return plainFailure("timeout", `no whole answer within ${request.timeout_ms} ms`, context)
    case "silent":
      return plainFailure("silent", `nothing came from ${context.url} for ${request.idle_timeout_ms} ms`, context)
    case "connect":
      return plainFailure("connect", `no connection to ${context.url} within ${options.connect_ms} ms`, context)
    case "too_long":
      return plainFailure("status", `the answer passed the limit of ${MAX_ANSWER_CHARS} characters`, context)
  }
}

/** The address without a user name or password in it (S2). */
export const publicUrl = (url: string): string => {
  try {
    const parsed = new URL(url)
    parsed.username = ""
    parsed.password = ""
    return parsed.toString().replace(/\/$/, "")
  } catch {
    return url.replace(/\/\/[^/@]*@/, "//")
  }
}
