// One streamed chat completion against an OpenAI-compatible endpoint, with the limits of P16. The only importer of the
// `openai` SDK. Chunks go to a plain callback: no fiber per chunk. Interruption aborts the HTTP request.
import type OpenAI from "openai"
import { Context, Effect, Layer } from "effect"
import type { EphemeralEvent, Usage } from "../job/event.ts"
import type { JsonSchema } from "../job/piece.ts"
import type { ToolCall } from "../job/turn.ts"
import { attempt, type Answered, sdkFetch } from "./attempt.ts"
import { type AttemptFailure, LlmError } from "./failure.ts"
import type { ServerKind } from "./probe.ts"

export { LlmError }

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
  /** "" names none: the endpoint has one model only. */
  readonly model: string
  /** What the probe found; a llama.cpp server is asked for its prompt progress, which counts as life (P16). */
  readonly server?: ServerKind
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

export interface LlmClientShape {
  /** `onDelta` is called synchronously for each streamed piece; after a cut stream is asked again, `onRestart` says that its text is void. */
  readonly chat: (request: ChatRequest, onDelta: (event: EphemeralEvent) => void, onRestart?: (why: string) => void) => Effect.Effect<ChatAnswer, LlmError>
}

export interface LlmLimits {
  /** For making a connection. */
  readonly connect_timeout_ms: number
  /** Attempts in place after the first one (P16). */
  readonly retries: number
  /** Pause before the first retry in place; doubles each time, with jitter, unless the endpoint says how long. */
  readonly retry_pause_ms: number
}

export const DEFAULT_LIMITS: LlmLimits = { connect_timeout_ms: 10_000, retries: 3, retry_pause_ms: 500 }
const MAX_RETRY_PAUSE_MS = 10_000
/** Clients kept; one is small, but endpoints of reloaded settings must not pile up. */
const MAX_CLIENTS = 256
/** The SDK takes 40 to 80 ms to load: not before the node is ready, not in the first job either. */
const WARM_AFTER_MS = 1_000
/** Response headers that name the physical server behind a gateway, first match wins. */
export const BACKEND_HEADERS = ["x-backend-id", "x-litellm-model-id"] as const
const MAX_BACKEND_CHARS = 128
/** The longest that a timer can run. */
const MAX_TIMER_MS = 2_147_483_647

interface Client {
  readonly sdk: OpenAI
  /** Learned from its answers, for callers that did not probe. */
  llamacpp: boolean
}

export class LlmClient extends Context.Service<LlmClient, LlmClientShape>()("attacca/llm/LlmClient") {
  static readonly layer = (limits: Partial<LlmLimits> = {}) => Layer.effect(LlmClient, Effect.gen(function*() {
    const clients = makeClients()
    // A package that cannot be loaded is reported by the first call.
    const warm = setTimeout(() => void clients.load().catch(() => {}), WARM_AFTER_MS)
    warm.unref()
    yield* Effect.addFinalizer(() => Effect.sync(() => clearTimeout(warm)))
    const settled = { ...DEFAULT_LIMITS, ...limits }
    return LlmClient.of({ chat: (request, onDelta, onRestart) => chat({ clients, limits: settled, request, onDelta, onRestart: onRestart ?? (() => {}) }) })
  }))
}

interface Clients {
  readonly load: () => Promise<typeof OpenAI>
  readonly of: (endpoint: Endpoint) => Promise<Client>
}

/** One SDK client for each address and key, least recently used ones dropped. */
const makeClients = (): Clients => {
  let sdk: Promise<typeof OpenAI> | null = null
  const clients = new Map<string, Client>()
  const load = (): Promise<typeof OpenAI> => (sdk ??= import("openai").then((module) => module.default))
  return {
    load,
    of: async ({ url, api_key }) => {
      const key = `${url}\n${api_key ?? ""}`
      const Sdk = await load()
      const known = clients.get(key)
      if (known !== undefined) {
        clients.delete(key)
        clients.set(key, known)
        return known
      }
      const client: Client = {
        llamacpp: false,
        sdk: new Sdk({
          baseURL: url.replace(/\/+$/, ""), apiKey: api_key ?? "none", organization: null, project: null, maxRetries: 0, logLevel: "off", fetch: sdkFetch,
          // The limits of a call are ours; the SDK's own must never end one first.
          timeout: MAX_TIMER_MS, ...(api_key === null ? { defaultHeaders: { Authorization: null } } : {}),
        }),
      }
      clients.set(key, client)
      if (clients.size > MAX_CLIENTS) for (const oldest of clients.keys()) { clients.delete(oldest); break }
      return client
    },
  }
}

interface Call {
  readonly clients: Clients
  readonly limits: LlmLimits
  readonly request: ChatRequest
  readonly onDelta: (event: EphemeralEvent) => void
  readonly onRestart: (why: string) => void
}

const chat = Effect.fnUntraced(function*(call: Call) {
  const { request, limits } = call
  const started = performance.now()
  const deadline = started + request.timeout_ms
  let retries = limits.retries
  let restarts = 1
  for (;;) {
    const result = yield* once(call, deadline)
    if (result._tag === "Answered") return answerOf(result, request, performance.now() - started)
    const { error, tokens } = result
    if (error.reason === "cut" && tokens && restarts > 0) {
      restarts--
      call.onRestart(error.detail)
      continue
    }
    if (retries === 0 || tokens || (error.reason !== "overloaded" && error.reason !== "cut")) return yield* error
    const pause = result.retry_after_ms ?? pauseMs(limits.retries - retries, limits.retry_pause_ms, Math.random())
    if (performance.now() + pause >= deadline) return yield* error
    retries--
    yield* Effect.logInfo(`asking ${request.endpoint.worker_id} again in ${Math.round(pause)} ms: ${error.message}`)
    yield* Effect.sleep(pause)
  }
})

/** `random` in [0, 1): half of the pause is fixed, half is jitter. */
export const pauseMs = (retry: number, base_ms: number, random: number): number => Math.min(MAX_RETRY_PAUSE_MS, base_ms * 2 ** retry) * (0.5 + random / 2)

/** Interruption aborts the HTTP request at once; a defect in a listener stays a defect. */
const once = (call: Call, deadline: number): Effect.Effect<Answered | AttemptFailure> => Effect.callback((resume, signal) => {
  const run = async (): Promise<Answered | AttemptFailure> => {
    const client = await call.clients.of(call.request.endpoint)
    const result = await attempt({ sdk: client.sdk, request: call.request, llamacpp: client.llamacpp || call.request.endpoint.server === "llamacpp", deadline, connect_ms: call.limits.connect_timeout_ms, signal, onDelta: (event) => { if (!signal.aborted) call.onDelta(event) } })
    if (result._tag === "Answered") client.llamacpp ||= /llama\.cpp/i.test(result.headers.get("server") ?? "")
    return result
  }
  run().then((result) => resume(Effect.succeed(result)), (defect: unknown) => resume(Effect.die(defect)))
})

const answerOf = ({ answer, headers, ttft_ms }: Answered, request: ChatRequest, duration_ms: number): ChatAnswer => ({
  text: answer.text, reasoning: answer.reasoning, calls: answer.calls, finish_reason: answer.finish_reason, usage: answer.usage,
  model: answer.model ?? request.endpoint.model, backend_id: backendOf(headers), duration_ms: Math.round(duration_ms), ttft_ms: ttft_ms === null ? null : Math.round(ttft_ms),
})

const backendOf = (headers: Headers): string | null => {
  for (const name of BACKEND_HEADERS) {
    const value = headers.get(name)?.trim()
    if (value) return value.slice(0, MAX_BACKEND_CHARS)
  }
  return null
}
