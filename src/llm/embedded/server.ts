// The engine's process: `bun server.ts --model FILE --engine DIR [--gpu cuda|vulkan|metal] [--context N] [--threads N]
// [--port N]`. Prints one line of JSON when it is ready (or cannot be), serves the OpenAI-compatible surface on
// 127.0.0.1, and ends by itself when its standard input closes, which the system does when the node dies.
import { parseArgs } from "node:util"
import { Engine } from "./engine.ts"
import { MAX_BODY_BYTES, WAITING_BEAT_MS } from "./limits.ts"
import { QueueFull } from "./queue.ts"
import { parseBody, RequestRefused, type ChatBody } from "./request.ts"
import { BinaryRefused, type GpuKind } from "./runtime.ts"
import type { Answer, Delta, Plan } from "./generate.ts"
import { messageOf } from "./values.ts"

const failure = (status: number, code: string | null, message: string, param: string | null = null, headers: Record<string, string> = {}): Response =>
  Response.json({ error: { message, type: status < 500 ? "invalid_request_error" : "server_error", param, code } }, { status, headers })

const failed = (cause: unknown): Response => {
  if (cause instanceof RequestRefused) return failure(cause.status, cause.code, cause.message, cause.param)
  if (cause instanceof QueueFull) return failure(429, "queue_full", cause.message, null, { "retry-after": "5" })
  return failure(500, null, messageOf(cause))
}

const usageOf = (answer: Answer) => ({
  prompt_tokens: answer.prompt_tokens, completion_tokens: answer.completion_tokens, total_tokens: answer.prompt_tokens + answer.completion_tokens,
  prompt_tokens_details: { cached_tokens: answer.cached_tokens },
})

const timingsOf = (answer: Answer) => ({
  cache_n: answer.cached_tokens, prompt_n: answer.prompt_tokens - answer.cached_tokens, prompt_ms: Math.round(answer.prompt_ms),
  predicted_n: answer.completion_tokens, predicted_ms: Math.round(answer.generation_ms),
})

const callsOf = (answer: Answer) =>
  answer.calls.length === 0 ? {} : { tool_calls: answer.calls.map(({ id, name, arguments: args }) => ({ id, type: "function", function: { name, arguments: args } })) }

const deltaOf = (delta: Exclude<Delta, { kind: "progress" }>): Record<string, unknown> => {
  if (delta.kind === "text") return { content: delta.text }
  if (delta.kind === "reasoning") return { reasoning_content: delta.text }
  const { index, id, name, arguments: args } = delta.call
  return { tool_calls: [name === null ? { index, function: { arguments: args } } : { index, id, type: "function", function: { name, arguments: args } }] }
}

class Surface {
  readonly #engine: Engine
  #count = 0
  constructor(engine: Engine) {
    this.#engine = engine
  }

  async handle(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    // No page of a browser may reach the model: neither across origins nor under another name of this address.
    const host = (request.headers.get("host") ?? "").replace(/:\d+$/, "")
    if (request.headers.has("origin") || (host !== "127.0.0.1" && host !== "localhost")) return failure(403, null, "only programs of this machine may use the engine")
    if (pathname === "/health") return Response.json({ status: "ok", busy: this.#engine.line.busy, waiting: this.#engine.line.waiting })
    if (pathname === "/v1/models") return this.#models()
    if (pathname !== "/v1/chat/completions") return failure(404, null, `no ${pathname} here`)
    if (request.method !== "POST") return failure(405, null, "use POST", null, { allow: "POST" })
    try {
      const body = parseBody(await request.json().catch((cause: unknown) => {
        throw new RequestRefused(400, "invalid_json", `the body is not JSON: ${messageOf(cause)}`)
      }))
      const plan = this.#engine.plan(body)
      return body.stream ? this.#stream(request, body, plan) : await this.#whole(request, plan)
    } catch (cause) {
      return request.signal.aborted ? failure(499, null, "the client left") : failed(cause)
    }
  }

  #models(): Response {
    const { model, context, parameters, train_context } = this.#engine.info
    return Response.json({
      object: "list",
      data: [{ id: model, object: "model", created: 0, owned_by: "attacca", max_model_len: context, meta: { n_ctx_train: train_context, n_params: parameters } }],
    })
  }

  #base(object: string) {
    return { id: `chatcmpl-${process.pid}-${this.#count++}`, object, created: Math.floor(Date.now() / 1000), model: this.#engine.info.model }
  }

  async #whole(request: Request, plan: Plan): Promise<Response> {
    const answer = await this.#engine.answer(plan, request.signal, () => {})
    const message = {
      role: "assistant", content: answer.calls.length > 0 && answer.text === "" ? null : answer.text,
      ...(answer.reasoning === "" ? {} : { reasoning_content: answer.reasoning }), ...callsOf(answer),
    }
    return Response.json({
      ...this.#base("chat.completion"), choices: [{ index: 0, message, finish_reason: answer.finish_reason }], usage: usageOf(answer), timings: timingsOf(answer),
    })
  }

  #stream(request: Request, body: ChatBody, plan: Plan): Response {
    const base = this.#base("chat.completion.chunk")
    const gone = new AbortController()
    const signal = AbortSignal.any([request.signal, gone.signal])
    const encoder = new TextEncoder()
    const start = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const send = (data: unknown) => {
        if (!signal.aborted) controller.enqueue(encoder.encode(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`))
      }
      const chunk = (delta: Record<string, unknown>, extra: Record<string, unknown> = {}) => send({ ...base, choices: [{ index: 0, delta, finish_reason: null }], ...extra })
      chunk({ role: "assistant", content: null })
      const waiting = { total: plan.tokens.length, cache: 0, processed: 0, time_ms: 0 }
      const beat = setInterval(() => body.progress && chunk({}, { prompt_progress: waiting }), WAITING_BEAT_MS)
      try {
        const answer = await this.#engine.answer(plan, signal, (delta) => {
          clearInterval(beat)
          if (delta.kind !== "progress") return chunk(deltaOf(delta))
          const { total, cache, processed, time_ms } = delta
          if (body.progress) chunk({}, { prompt_progress: { total, cache, processed, time_ms } })
        })
        send({ ...base, choices: [{ index: 0, delta: {}, finish_reason: answer.finish_reason }], ...(body.include_usage ? {} : { usage: usageOf(answer) }), timings: timingsOf(answer) })
        if (body.include_usage) send({ ...base, choices: [], usage: usageOf(answer) })
        send("[DONE]")
      } catch (cause) {
        send({ error: (await failed(cause).json()).error })
      } finally {
        clearInterval(beat)
        if (!gone.signal.aborted) controller.close()
      }
    }
    // `start` is not awaited: the headers go out at once, and a client that leaves while it waits is seen.
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void start(controller),
      cancel: () => gone.abort(new Error("the client left")),
    })
    return new Response(stream, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } })
  }
}

const say = (line: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(line)}\n`)

const whole = (name: string, value: string | undefined): number | null => {
  if (value === undefined) return null
  const n = Number(value)
  if (!Number.isInteger(n) || n < 0) throw new Error(`--${name} must be a whole number, not ${value}`)
  return n
}

const gpuOf = (value: string | undefined): GpuKind => {
  if (value === undefined || value === "none") return false
  if (value === "cuda" || value === "vulkan" || value === "metal") return value
  throw new Error(`--gpu must be cuda, vulkan, metal or none, not ${value}`)
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      model: { type: "string" }, engine: { type: "string" }, gpu: { type: "string" }, context: { type: "string" }, threads: { type: "string" }, port: { type: "string" },
    },
  })
  if (values.model === undefined || values.engine === undefined) throw new Error("--model and --engine are needed")
  const engine = await Engine.load({
    engineDir: values.engine, modelPath: values.model, gpu: gpuOf(values.gpu), context: whole("context", values.context), threads: whole("threads", values.threads),
  })
  const surface = new Surface(engine)
  const serve = (port: number) => Bun.serve({ hostname: "127.0.0.1", port, idleTimeout: 0, maxRequestBodySize: MAX_BODY_BYTES, fetch: (request) => surface.handle(request) })
  const wanted = whole("port", values.port) ?? 0
  let server: ReturnType<typeof serve>
  try {
    server = serve(wanted)
  } catch (taken) {
    if (wanted === 0) throw taken
    server = serve(0) // the port of the engine before this one was taken meanwhile
  }
  say({ ready: true, port: server.port, ...engine.info })
}

process.stdin.on("end", () => process.exit(0)).on("close", () => process.exit(0)).on("error", () => process.exit(0)).resume()
process.on("SIGTERM", () => process.exit(0))
main().catch((cause: unknown) => {
  say({ ready: false, reason: cause instanceof BinaryRefused ? "binary" : "model", detail: messageOf(cause) })
  process.exit(1)
})
