// One streamed chat completion against an OpenAI-compatible endpoint, with the limits of P16. The only importer of the
// `openai` SDK. Chunks go to a plain callback: no fiber per chunk. Interruption aborts the HTTP request.
import { Context, Schema } from "effect"
import type { Effect } from "effect"
import type { EphemeralEvent, Usage } from "../job/event.ts"
import type { JsonSchema } from "../job/piece.ts"
import type { ToolCall } from "../job/turn.ts"

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool"
  readonly content: string | null
  readonly tool_calls?: ReadonlyArray<{ readonly id: string; readonly type: "function"; readonly function: { readonly name: string; readonly arguments: string } }>
  readonly tool_call_id?: string
}

export interface ToolSpec {
  readonly type: "function"
  readonly function: { readonly name: string; readonly description: string; readonly parameters: JsonSchema }
}

export type ToolChoice = "auto" | "required" | "none" | { readonly type: "function"; readonly function: { readonly name: string } }

export interface Endpoint {
  readonly worker_id: string
  /** Base URL ending in /v1. */
  readonly url: string
  readonly api_key: string | null
  readonly model: string
}

export interface ChatRequest {
  readonly endpoint: Endpoint
  readonly messages: ReadonlyArray<ChatMessage>
  readonly tools: ReadonlyArray<ToolSpec>
  readonly tool_choice: ToolChoice
  readonly max_tokens: number | null
  readonly timeout_ms: number
  readonly idle_timeout_ms: number
}

export interface ChatAnswer {
  readonly text: string
  readonly reasoning: string
  readonly calls: ReadonlyArray<ToolCall>
  readonly finish_reason: string
  /** Null when the endpoint sent no usage figures. */
  readonly usage: Usage | null
  readonly model: string
  readonly backend_id: string | null
  readonly duration_ms: number
  readonly ttft_ms: number | null
}

/**
 * Why a call failed, after its retries in place.
 * connect: refused, DNS, unreachable, connect timeout (the worker's fault, Q10). model: the endpoint has no such model (Q21).
 * context: the prompt is too long for the endpoint. status: any other 4xx, final. overloaded: 429 or 5xx. cut: the stream broke.
 * timeout and silent: P16's limits.
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

export interface LlmClientShape {
  /** `onDelta` is called synchronously for each streamed piece; after a cut stream is asked again, `onRestart` says that its text is void. */
  readonly chat: (request: ChatRequest, onDelta: (event: EphemeralEvent) => void, onRestart?: (why: string) => void) => Effect.Effect<ChatAnswer, LlmError>
}

export class LlmClient extends Context.Service<LlmClient, LlmClientShape>()("attacca/llm/LlmClient") {}
