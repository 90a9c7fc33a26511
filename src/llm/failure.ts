// Why an LLM call failed, told apart by type (Q9, Q10, Q21): error codes of the socket layer, HTTP status, and the error
// object of the endpoint. Pure. Only for prompts that are too long, which several servers report by words alone, the
// message is looked at, and only in an answer that is an error already. Never contains the API key (S2).
import { Schema } from "effect"

/**
 * Why a call failed, after its retries in place.
 * connect: refused, DNS, unreachable, connect timeout (the worker's fault, Q10). model: the endpoint has no such model (Q21).
 * context: the prompt is too long for the endpoint. status: any other 4xx, or an answer that is no chat answer; final.
 * overloaded: 429 or 5xx. cut: the stream broke. timeout and silent: P16's limits.
 */
export class LlmError extends Schema.TaggedError<LlmError>()("LlmError", {
  reason: Schema.Literals(["connect", "model", "context", "status", "overloaded", "cut", "timeout", "silent"]),
  status: Schema.NullOr(Schema.Int),
  detail: Schema.String,
}) {
  override get message() {
    return `LLM ${this.reason}${this.status === null ? "" : ` ${this.status}`}: ${this.detail}`
  }
}

/** One attempt's failure. `tokens`: something of the answer had been streamed already. */
export interface AttemptFailure {
  readonly _tag: "Failure"
  readonly error: LlmError
  readonly retry_after_ms: number | null
  readonly tokens: boolean
}

/** What an endpoint says in an error body, whichever of the usual shapes it has. */
export interface EndpointComplaint {
  readonly message: string
  readonly type: string | null
  readonly code: string | number | null
  readonly param: string | null
}

/** An HTTP answer that is not 2xx, thrown through the SDK so that its whole body reaches us. */
export class HttpFailure extends Error {
  constructor(readonly status: number, readonly headers: Headers, readonly body: string) {
    super(`HTTP ${status}`)
  }
}

const MAX_DETAIL_CHARS = 2_000
const CONTEXT_CODES = new Set(["context_length_exceeded", "exceed_context_size_error", "context_window_exceeded", "string_above_max_length"])
const CONTEXT_WORDS = /maximum context length|maximum model length|context (length|size|window)[^.]{0,60}exceed|exceed[^.]{0,60}context (length|size|window)|prompt is too long|longer than the (model'?s )?(maximum )?context/i
/** The connection had been made; what broke is the exchange on it. */
const CUT_CODES = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "ERR_STREAM_PREMATURE_CLOSE", "ConnectionClosed", "UND_ERR_SOCKET"])

const record = (value: unknown): Readonly<Record<string, unknown>> | null => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null)
const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)

/** Shapes: `{error: {…}}` (OpenAI), `{error: "…"}` (Ollama), `{message, code}` (older vLLM), `{detail}` (FastAPI), plain text, HTML. */
export const complaintOf = (body: unknown): EndpointComplaint => {
  const outer = record(body)
  if (outer === null) {
    const words = typeof body === "string" ? body.replace(/<(style|script)[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim() : ""
    return { message: words.slice(0, 300), type: null, code: null, param: null }
  }
  const error = record(outer["error"]) ?? outer
  const detail = outer["detail"] === undefined ? null : text(outer["detail"]) ?? JSON.stringify(outer["detail"])
  const code = error["code"]
  return {
    message: text(error["message"]) ?? text(outer["error"]) ?? detail ?? JSON.stringify(body),
    type: text(error["type"]),
    code: typeof code === "string" || typeof code === "number" ? code : null,
    param: text(error["param"]),
  }
}

export const parseBody = (body: string): unknown => {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return body
  }
}

/** Removes the key, should an endpoint repeat it, and bounds the length. */
export const safeDetail = (detail: string, api_key: string | null): string => {
  const clean = api_key !== null && api_key.length >= 4 ? detail.replaceAll(api_key, "***") : detail
  return clean.length <= MAX_DETAIL_CHARS ? clean : `${clean.slice(0, MAX_DETAIL_CHARS)}…`
}

const isModelMissing = (status: number, said: EndpointComplaint, model: string): boolean => {
  if (said.code === "model_not_found" || said.type === "model_not_found") return true
  if (status !== 404 && status !== 400) return false
  if (status === 404 && said.param === "model") return true
  const names = model !== "" && said.message.includes(model)
  return names && (status === 404 || /\bnot (be )?found\b|does not exist/i.test(said.message))
}

/** `status` may come from the head or from an error object inside the stream. */
export const classifyComplaint = (status: number, said: EndpointComplaint, model: string): LlmError["reason"] => {
  if (isModelMissing(status, said, model)) return "model"
  if ((said.code !== null && CONTEXT_CODES.has(String(said.code))) || (said.type !== null && CONTEXT_CODES.has(said.type))) return "context"
  if ((status === 400 || status === 413 || status === 422 || status >= 500) && CONTEXT_WORDS.test(said.message)) return "context"
  // A spent quota comes back as 429, but no waiting helps.
  if (said.code === "insufficient_quota") return "status"
  return status === 429 || status === 408 || status >= 500 ? "overloaded" : "status"
}

/** Milliseconds from `retry-after-ms` or `Retry-After` (seconds or an HTTP date, RFC 9110), null when absent or senseless. */
export const retryAfterMs = (headers: Headers, now: number = Date.now()): number | null => {
  const exact = Number(headers.get("retry-after-ms") ?? Number.NaN)
  if (exact >= 0) return exact
  const value = headers.get("retry-after")
  if (value === null || value.trim() === "") return null
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : null
  const at = Date.parse(value)
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}

export interface FailureContext {
  readonly url: string
  readonly api_key: string | null
  readonly model: string
  readonly tokens: boolean
}

const make = (context: FailureContext, reason: LlmError["reason"], status: number | null, detail: string, retry_after_ms: number | null = null): AttemptFailure => ({
  _tag: "Failure", retry_after_ms, tokens: context.tokens, error: new LlmError({ reason, status, detail: safeDetail(detail, context.api_key) }),
})

/** A status that is not 2xx. */
export const statusFailure = (failure: HttpFailure, context: FailureContext): AttemptFailure => {
  const said = complaintOf(parseBody(failure.body))
  const reason = classifyComplaint(failure.status, said, context.model)
  return make(context, reason, failure.status, said.message === "" ? "the endpoint gave no reason" : said.message, retryAfterMs(failure.headers))
}

/** An error object inside a stream that began with 200. After the first token it is a broken stream, whatever it says. */
export const streamFailure = (body: unknown, context: FailureContext): AttemptFailure => {
  const said = complaintOf(body)
  const coded = Number(said.code)
  const status = coded >= 400 && coded <= 599 ? coded : /invalid|bad.?request/i.test(said.type ?? "") ? 400 : 500
  const reason = classifyComplaint(status, said, context.model)
  return make(context, reason === "overloaded" && context.tokens ? "cut" : reason, status, said.message)
}

export const plainFailure = (reason: LlmError["reason"], detail: string, context: FailureContext, status: number | null = null): AttemptFailure => make(context, reason, status, detail)

const codeOf = (cause: unknown): string | null => {
  for (let at: unknown = cause, depth = 0; depth < 5 && typeof at === "object" && at !== null; at = (at as { cause?: unknown }).cause, depth++) {
    const code = (at as { code?: unknown }).code
    if (typeof code === "string") return code
  }
  return null
}

/** The request or the body failed below HTTP. Whatever is not known as a break of a made connection counts as no connection. */
export const socketFailure = (cause: unknown, headSeen: boolean, context: FailureContext): AttemptFailure => {
  const code = codeOf(cause)
  if (headSeen || (code !== null && CUT_CODES.has(code))) return make(context, "cut", null, `the connection to ${context.url} broke ${context.tokens ? "in the middle of the answer" : "before the answer began"}${code === null ? "" : ` (${code})`}`)
  const words = code ?? (cause instanceof Error ? cause.message : String(cause))
  return make(context, "connect", null, `no connection to ${context.url} (${words})`)
}
