// The one error of an LLM call. Its reason decides what becomes of the run (Q9, Q10, Q21); `failure.ts` finds it.
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
