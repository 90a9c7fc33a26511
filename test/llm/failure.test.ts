// Failures are told apart by their type, in the words of many endpoints.
import { describe, expect, test } from "vitest"
import { classifyComplaint, complaintOf, HttpFailure, LlmError, retryAfterMs, safeDetail, socketFailure, statusFailure, streamFailure } from "../../src/llm/failure.ts"

const context = { url: "http://gpu/v1", api_key: "sk-secret", model: "qwen3:8b", tokens: false }
const status = (code: number, body: unknown, headers: Record<string, string> = {}) =>
  statusFailure(new HttpFailure(code, new Headers(headers), typeof body === "string" ? body : JSON.stringify(body)), context).error
const reason = (code: number, body: unknown) => status(code, body).reason

describe("a status", () => {
  test("a missing model, as OpenAI, Ollama, vLLM and llama.cpp's router say it", () => {
    expect(reason(404, { error: { message: "The model `x` does not exist", type: "invalid_request_error", code: "model_not_found" } })).toBe("model")
    expect(reason(404, { error: { message: 'model "qwen3:8b" not found, try pulling it first', type: "api_error" } })).toBe("model")
    expect(reason(404, { object: "error", message: "The model `x` does not exist.", type: "NotFoundError", param: "model", code: 404 })).toBe("model")
    expect(reason(400, { error: { code: 400, message: "model 'qwen3:8b' not found", type: "invalid_request_error" } })).toBe("model")
  })

  test("a missing route or a model that cannot do something is not a missing model", () => {
    expect(reason(404, { detail: "Not Found" })).toBe("status")
    expect(reason(404, { error: { code: 404, message: "File Not Found", type: "not_found_error" } })).toBe("status")
    expect(reason(400, { error: { message: "registry.ollama.ai/library/qwen3:8b does not support tools" } })).toBe("status")
  })

  test("a prompt that is too long, by code and, where there is none, by words", () => {
    expect(reason(400, { error: { message: "too long", code: "context_length_exceeded" } })).toBe("context")
    expect(reason(400, { error: { code: 400, message: "the request exceeds the available context size", type: "exceed_context_size_error", n_ctx: 4096 } })).toBe("context")
    expect(reason(400, { object: "error", message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens", type: "BadRequestError", code: 400 })).toBe("context")
    expect(reason(500, { error: { message: "the request exceeds the available context size, try increasing it" } })).toBe("context")
    expect(reason(400, { error: { message: "context must be an object" } })).toBe("status")
  })

  test("overloaded may be asked again; a spent quota may not", () => {
    expect([429, 500, 502, 503, 529, 408].map((code) => reason(code, {}))).toEqual(Array(6).fill("overloaded"))
    expect([400, 401, 403, 404, 422].map((code) => reason(code, {}))).toEqual(Array(5).fill("status"))
    expect(reason(429, { error: { message: "You exceeded your current quota", code: "insufficient_quota" } })).toBe("status")
  })

  test("the endpoint's own message, from every shape of body", () => {
    expect(status(500, { error: "plain text" }).detail).toBe("plain text")
    expect(status(400, { detail: [{ loc: ["body"], msg: "field required" }] }).detail).toContain("field required")
    expect(status(502, "<html><head><style>a{}</style></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>").detail).toBe("502 Bad Gateway nginx")
    expect(status(500, "").detail).toBe("the endpoint gave no reason")
    expect(status(503, "upstream connect error").message).toBe("LLM overloaded 503: upstream connect error")
  })

  test("no key and no flood of text in the detail", () => {
    expect(status(401, { error: { message: "bad key sk-secret!" } }).detail).toBe("bad key ***!")
    expect(safeDetail("x".repeat(5_000), null)).toHaveLength(2_001)
  })
})

test("Retry-After in seconds, milliseconds or as a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z")
  const of = (headers: Record<string, string>) => retryAfterMs(new Headers(headers), now)
  expect([of({ "retry-after": "2" }), of({ "retry-after": "0.5" }), of({ "retry-after-ms": "70", "retry-after": "9" }), of({ "retry-after": "Thu, 01 Jan 2026 00:00:05 GMT" })]).toEqual([2000, 500, 70, 5000])
  expect([of({}), of({ "retry-after": "soon" }), of({ "retry-after": "-1" }), of({ "retry-after": "Thu, 01 Jan 2015 00:00:05 GMT" })]).toEqual([null, null, null, 0])
})

describe("inside a stream", () => {
  test("the code counts; after the first token it is a broken stream", () => {
    expect(streamFailure({ error: { code: 500, message: "x" } }, context).error).toMatchObject({ reason: "overloaded", status: 500 })
    expect(streamFailure({ error: { code: 500, message: "x" } }, { ...context, tokens: true }).error.reason).toBe("cut")
    expect(streamFailure({ error: { type: "BadRequestError", message: "x" } }, context).error).toMatchObject({ reason: "status", status: 400 })
    expect(streamFailure({ error: { code: "context_length_exceeded", message: "x" } }, { ...context, tokens: true }).error.reason).toBe("context")
  })
})

describe("below HTTP", () => {
  const failed = (code: string, headSeen = false) => socketFailure(Object.assign(new Error("Connection error."), { cause: Object.assign(new TypeError("x"), { code }) }), headSeen, context).error
  test("no connection is the worker's fault, a broken one is a cut", () => {
    expect(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "CERT_HAS_EXPIRED"].map((code) => failed(code).reason)).toEqual(Array(6).fill("connect"))
    expect(["ECONNRESET", "EPIPE"].map((code) => failed(code).reason)).toEqual(["cut", "cut"])
    expect(failed("ANYTHING", true).reason).toBe("cut")
    expect(failed("ENOTFOUND").detail).toBe("no connection to http://gpu/v1 (ENOTFOUND)")
  })

  test("words never decide", () => {
    expect(socketFailure(new Error("socket hang up, connection reset, 500"), false, context).error.reason).toBe("connect")
    expect(classifyComplaint(400, complaintOf({ error: { message: "ECONNREFUSED timed out 503" } }), "m")).toBe("status")
  })
})

test("the error says reason, status and detail in one line", () => {
  expect(new LlmError({ reason: "silent", status: null, detail: "nothing came" }).message).toBe("LLM silent: nothing came")
})
