// The scripted model of every test and bench: an OpenAI-compatible server on a real socket whose answers are a function
// of the conversation. A message that holds `SCENARIO:name` chooses the script (the last one in the request counts),
// `RUN:id` groups requests for `/stats`. Faults are part of an answer: see `Answer`. Every chat request is recorded and
// can be awaited. As a process of its own for benches: `bun test/support/scriptedLlm.ts --port N`.
import { listenRaw } from "./rawHttp.ts"
import type { RawReply, RawRequest } from "./rawHttp.ts"
import { builtInScenarios } from "./scenarios.ts"
import { playAnswer } from "./scriptedWire.ts"

export interface ScriptedMessage {
  readonly role: string
  readonly content: unknown
  readonly tool_calls?: ReadonlyArray<{ readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }>
  readonly tool_call_id?: string
}

/** `[tool, arguments]`, or with an id and wire peculiarities. Arguments that are text are sent as they are (malformed too). */
export type ScriptedCall =
  | readonly [name: string, args: string | object]
  | { readonly name: string; readonly arguments: string | object; readonly id?: string }

export interface ScriptedUsage {
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
  readonly cached_tokens?: number
}

/** What a script answers. Only text: `"text"`. Order on the wire: wait, status or head, progress, reasoning, content, calls, end. */
export interface Answer {
  readonly content?: string
  readonly reasoning?: string
  readonly calls?: ReadonlyArray<ScriptedCall>
  /** How calls are sent: in small deltas (default), each whole in one delta, whole and without `index`, or with arguments as an object. */
  readonly calls_as?: "deltas" | "whole" | "no_index" | "object"
  /** Default `tool_calls` or `stop`; null leaves it out. */
  readonly finish?: string | null
  /** Default: estimated from the sizes; null sends none. */
  readonly usage?: ScriptedUsage | null
  readonly model?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Characters of text in one chunk (12). */
  readonly chunk_chars?: number
  /** Pause before each chunk of text, reasoning or arguments. */
  readonly delay_ms?: number
  /** Pause before the head of the answer. */
  readonly wait_ms?: number
  /** llama.cpp's prompt progress, sent first, `delay_ms` apart. */
  readonly progress?: ReadonlyArray<{ readonly processed: number; readonly total: number; readonly time_ms: number; readonly cache: number }>
  /** After the first chunk the answer waits for this promise, then goes on; with a cut it is waited for before the cut. */
  readonly hold?: Promise<unknown>
  /** An HTTP error instead of an answer: `{"error":{message,type,code}}`, or `body` as it is. */
  readonly status?: number
  readonly message?: string
  readonly code?: string
  /** The whole body, word for word (an HTML page, a foreign stream); `status` 200 and `headers` apply. */
  readonly body?: string
  /** A JSON error as an event of the stream, after the content. */
  readonly stream_error?: { readonly message: string; readonly code?: string | number; readonly type?: string }
  /**
   * hang: no byte ever. reset: connection reset before the head. silent: the head, then nothing. stall: the first chunk, then
   * nothing. cut_before: the head, then the connection closes. cut: closes after half the content. cut_json: closes in the middle of a JSON event.
   */
  readonly fault?: "hang" | "reset" | "silent" | "stall" | "cut_before" | "cut" | "cut_json"
}

export interface ScriptContext {
  /** Tool messages in the conversation. */
  readonly step: number
  /** Earlier requests of the same scenario and RUN, from 0: for scripts that fail first. */
  readonly nth: number
  /** All requests before this one. */
  readonly index: number
  readonly messages: ReadonlyArray<ScriptedMessage>
  readonly tools: ReadonlyArray<string>
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  /** The text of the last user message. */
  readonly last_user: string
}
export type Script = (context: ScriptContext) => Answer | string | Promise<Answer | string>

/** A recorded chat request; `aborted_at`, `finished_at` and `chunks` change while it is served. Times by `performance.now()`. */
export interface SeenRequest {
  readonly index: number
  readonly at: number
  readonly scenario: string
  readonly run: string | null
  readonly step: number
  readonly messages: ReadonlyArray<ScriptedMessage>
  /** Names of the tools offered. */
  readonly tools: ReadonlyArray<string>
  readonly tool_choice: unknown
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  /** The client left before the answer's end. */
  aborted: boolean
  aborted_at: number | null
  finished_at: number | null
  chunks: number
}

export interface ScriptedLlmOptions {
  readonly port?: number
  readonly scenarios?: Readonly<Record<string, Script>>
  /** Ids in `/v1/models` (["scripted-1"]); extra fields by `routes`. */
  readonly models?: ReadonlyArray<string>
  /** Answers of other paths, by "GET /api/tags": JSON with 200, or a status. They go before the built-in ones. */
  readonly routes?: Readonly<Record<string, { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly json?: unknown; readonly text?: string }>>
  /** Requests kept in `requests` (10,000); older ones are forgotten. */
  readonly keep?: number
  /** Every request must carry this bearer key, else 401. */
  readonly api_key?: string
}

export interface ScriptedLlm {
  /** Ends in /v1. */
  readonly url: string
  readonly port: number
  readonly requests: ReadonlyArray<SeenRequest>
  /** Adds or replaces a script. */
  readonly define: (name: string, script: Script) => void
  /** The n-th chat request, counted from 1, as soon as it has come. Rejects after `timeout_ms` (5,000) with what was seen. */
  readonly request: (n: number, timeout_ms?: number) => Promise<SeenRequest>
  /** Resolves when the client has left this request. */
  readonly abort: (request: SeenRequest, timeout_ms?: number) => Promise<SeenRequest>
  /** Resolves when the condition holds; it is asked after every request, chunk, end and abort. */
  readonly until: (condition: (requests: ReadonlyArray<SeenRequest>) => boolean, timeout_ms?: number) => Promise<void>
  readonly stats: () => ScriptedStats
  readonly close: () => void
}

export interface ScriptedStats {
  readonly total: number
  readonly active: number
  readonly peak_active: number
  readonly connections: number
  /** Requests by RUN id: how many, and when the first and the last came (milliseconds since the epoch, with fractions). */
  readonly runs: Readonly<Record<string, { readonly n: number; readonly first: number; readonly last: number }>>
}

const JSON_HEAD = { "content-type": "application/json" }

export const startScriptedLlm = (options: ScriptedLlmOptions = {}): ScriptedLlm => {
  const scripts = new Map<string, Script>([...Object.entries(builtInScenarios), ...Object.entries(options.scenarios ?? {})])
  const models = options.models ?? ["scripted-1"]
  const keep = options.keep ?? 10_000
  const requests: Array<SeenRequest> = []
  const live = new Map<RawReply, SeenRequest>()
  const runs: Record<string, { n: number; first: number; last: number }> = {}
  const seenByKey = new Map<string, number>()
  const watchers = new Set<() => void>()
  let total = 0
  let peak = 0
  const changed = (): void => {
    for (const check of [...watchers]) check()
  }

  const chat = (request: RawRequest, reply: RawReply): void => {
    const body = JSON.parse(request.body) as Record<string, unknown> & { messages: Array<ScriptedMessage>; tools?: Array<{ function: { name: string } }> }
    const scenario = lastTag(request.body, "SCENARIO:") ?? "default"
    const run = lastTag(request.body, "RUN:")
    const key = `${scenario}\n${run ?? ""}`
    const nth = seenByKey.get(key) ?? 0
    seenByKey.set(key, nth + 1)
    if (run !== null) {
      const now = performance.timeOrigin + performance.now()
      runs[run] = { n: (runs[run]?.n ?? 0) + 1, first: runs[run]?.first ?? now, last: now }
    }
    const seen: SeenRequest = {
      index: total++, at: performance.now(), scenario, run,
      step: body.messages.reduce((n, m) => (m.role === "tool" ? n + 1 : n), 0),
      messages: body.messages, tools: (body.tools ?? []).map((tool) => tool.function.name), tool_choice: body.tool_choice,
      body, headers: request.headers, aborted: false, aborted_at: null, finished_at: null, chunks: 0,
    }
    if (keep > 0) {
      if (requests.length >= keep) requests.shift()
      requests.push(seen)
    }
    live.set(reply, seen)
    peak = Math.max(peak, live.size)
    changed()
    const done = (): void => {
      seen.finished_at = performance.now()
      live.delete(reply)
      changed()
    }
    const script = scripts.get(scenario) ?? scripts.get("default")
    if (script === undefined) {
      reply.send(400, JSON_HEAD, JSON.stringify({ error: { message: `no scenario ${scenario}` } }))
      return done()
    }
    const context: ScriptContext = {
      step: seen.step, nth, index: seen.index, messages: seen.messages, tools: seen.tools, body, headers: seen.headers,
      get last_user() {
        const last = body.messages.findLast((m) => m.role === "user")
        return typeof last?.content === "string" ? last.content : JSON.stringify(last?.content ?? "")
      },
    }
    const play = (out: Answer | string): void => playAnswer(typeof out === "string" ? { content: out } : out, { seen, reply, request, models, changed, done })
    const out = script(context)
    if (out instanceof Promise) void out.then(play, (cause: unknown) => { reply.send(500, JSON_HEAD, JSON.stringify({ error: { message: String(cause) } })); done() })
    else play(out)
  }

  const stats = (): ScriptedStats => ({ total, active: live.size, peak_active: peak, connections: server.connections(), runs })
  const server = listenRaw({
    onAbort: (reply) => {
      const seen = live.get(reply)
      if (seen === undefined) return
      live.delete(reply)
      seen.aborted = true
      seen.aborted_at = performance.now()
      changed()
    },
    onRequest: (request, reply) => {
      const route = options.routes?.[`${request.method} ${request.path}`]
      if (route !== undefined) return reply.send(route.status ?? 200, { ...(route.text === undefined ? JSON_HEAD : { "content-type": "text/html" }), ...route.headers }, route.text ?? JSON.stringify(route.json ?? {}))
      if (options.api_key !== undefined && request.headers["authorization"] !== `Bearer ${options.api_key}`) return reply.send(401, JSON_HEAD, JSON.stringify({ error: { message: "invalid api key", type: "invalid_request_error" } }))
      if (request.path === "/v1/models") return reply.send(200, JSON_HEAD, JSON.stringify({ object: "list", data: models.map((id) => ({ id, object: "model", created: 0, owned_by: "scripted" })) }))
      if (request.path === "/stats") return reply.send(200, JSON_HEAD, JSON.stringify(stats()))
      if (request.method === "POST" && request.path.endsWith("/chat/completions")) return chat(request, reply)
      reply.send(404, JSON_HEAD, JSON.stringify({ error: { message: `no route ${request.method} ${request.path}` } }))
    },
  }, options.port ?? 0)

  const until = (condition: (seen: ReadonlyArray<SeenRequest>) => boolean, timeout_ms = 5_000): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer)
        watchers.delete(check)
      }
      const check = (): void => {
        if (!condition(requests)) return
        stop()
        resolve()
      }
      const timer = setTimeout(() => {
        stop()
        reject(new Error(`the condition did not hold within ${timeout_ms} ms; seen: ${requests.map((r) => `${r.scenario}/${r.step}${r.aborted ? " aborted" : r.finished_at === null ? " open" : ""}`).join(", ") || "no request"}`))
      }, timeout_ms)
      watchers.add(check)
      check()
    })
  return {
    url: `http://127.0.0.1:${server.port}/v1`, port: server.port, requests, stats, until,
    define: (name, script) => void scripts.set(name, script),
    request: async (n, timeout_ms) => {
      await until(() => requests.length >= n, timeout_ms)
      return requests[n - 1] as SeenRequest
    },
    abort: async (request, timeout_ms) => {
      await until(() => request.aborted, timeout_ms)
      return request
    },
    close: () => server.close(),
  }
}

/** The word after the last `tag` in a request body; searched in the raw text, which is cheaper than walking the messages. */
const lastTag = (body: string, tag: string): string | null => {
  const at = body.lastIndexOf(tag)
  if (at < 0) return null
  return /^[\w-]+/.exec(body.slice(at + tag.length, at + tag.length + 80))?.[0] ?? null
}

if (import.meta.main) {
  const at = process.argv.indexOf("--port")
  const llm = startScriptedLlm({ port: at < 0 ? 0 : Number(process.argv[at + 1]), keep: 0 })
  console.log(JSON.stringify({ url: llm.url, port: llm.port, pid: process.pid }))
}
