// A stand-in for a node's HTTP API for the command line's tests: tasks are plain objects, events are pushed by the test and
// replayed after Last-Event-ID as the real server does. Every request is recorded. Runs on a real socket.
import type { Server } from "bun"

// Hints are written as the user started the program; a test must not see how the tests were started.
delete process.env["npm_config_user_agent"]

export interface FakeEvent {
  readonly id: string
  readonly event: string
  readonly data: Record<string, unknown>
}

export interface SeenCall {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly json: unknown
  readonly form: FormData | null
  readonly text: string
}

export const JOB = "0190-job-1"

export const fakeJob = (fields: Record<string, unknown> = {}) => ({
  id: JOB, task_id: 1, status: "running", attempt: 1, max_attempts: 3, next_retry_at: null, error_summary: null, abort_reason: null, wait_reason: null,
  required_role: "auto", current_movement: null, current_activity: null, worker_id: "w1", context: { used_tokens: 0, limit_tokens: 8192 },
  usage: { prompt_tokens: 100, completion_tokens: 20, cached_tokens: 0, llm_calls: 2, tool_calls: 1 },
  created_at: "2026-01-01T00:00:00.000Z", started_at: "2026-01-01T00:00:01.000Z", finished_at: null, ...fields,
})

export const fakeTask = (fields: Record<string, unknown> = {}, job: Record<string, unknown> = {}) => ({
  id: 1, title: "a title", instruction: "do it", status: String(job["status"] ?? "running"), piece: "general", role: "auto", notice: null,
  created_at: "2026-01-01T00:00:00.000Z", updated_at: "2026-01-01T00:00:05.000Z", job: fakeJob(job), files: { input: [], output: [] }, result: null, ...fields,
})

type Handler = (call: SeenCall) => { readonly status?: number; readonly json?: unknown; readonly text?: string } | undefined

export interface FakeApi {
  readonly base: string
  readonly calls: ReadonlyArray<SeenCall>
  /** What GET /api/tasks/1 answers. */
  task: unknown
  workers: ReadonlyArray<unknown>
  /** Answers of other paths, by "POST /api/tasks/1/cancel". */
  readonly on: (route: string, handler: Handler) => void
  /** Sends an event to all streams and keeps it for replay; with `ephemeral` it is sent only. */
  readonly push: (event: string, data?: Record<string, unknown>, options?: { readonly ephemeral?: boolean; readonly job_id?: string; readonly at?: string }) => void
  /** Ends every open stream without a `done`, as a node does that stops. */
  readonly drop: () => void
  /** Resolves when this many event streams have been opened in all. */
  readonly streams: (n: number) => Promise<void>
  readonly stop: () => Promise<void>
}

const problem = (status: number, detail: string): Response => new Response(JSON.stringify({ type: "about:blank", title: "Problem", status, detail }), { status, headers: { "content-type": "application/problem+json" } })

const readCall = async (request: Request, path: string): Promise<SeenCall> => {
  const type = request.headers.get("content-type") ?? ""
  const form = type.startsWith("multipart/") ? await request.formData() : null
  const text = form === null ? await request.text() : ""
  return { method: request.method, path, headers: Object.fromEntries(request.headers), form, text, json: type.startsWith("application/json") ? JSON.parse(text) : null }
}

export const startFakeApi = (): FakeApi => {
  const calls: Array<SeenCall> = []
  const handlers = new Map<string, Handler>()
  const events: Array<FakeEvent> = []
  const open = new Set<ReadableStreamDefaultController<Uint8Array>>()
  const waiters: Array<() => void> = []
  const encoder = new TextEncoder()
  let opened = 0
  const frame = (event: FakeEvent): Uint8Array => encoder.encode(`id: ${event.id}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`)
  const stream = (request: Request): Response => {
    const after = Number(request.headers.get("last-event-id") ?? 0)
    let own: ReadableStreamDefaultController<Uint8Array> | null = null
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller
        open.add(controller)
        for (const event of events.filter((one) => Number(one.id) > after)) controller.enqueue(frame(event))
        opened += 1
        for (const waiter of waiters.splice(0)) waiter()
      },
      cancel: () => { if (own !== null) open.delete(own) },
    })
    return new Response(body, { headers: { "content-type": "text/event-stream" } })
  }
  const server: Server<undefined> = Bun.serve({
    port: 0, hostname: "127.0.0.1", idleTimeout: 0,
    fetch: async (request) => {
      const url = new URL(request.url)
      const call = await readCall(request, url.pathname + url.search)
      calls.push(call)
      const handler = handlers.get(`${call.method} ${url.pathname}`)
      const answer = handler?.(call)
      if (answer !== undefined) return new Response(answer.text ?? JSON.stringify(answer.json), { status: answer.status ?? 200, headers: { "content-type": answer.text === undefined ? "application/json" : "text/html" } })
      if (call.method === "GET" && url.pathname === "/api/tasks/1") return Response.json(api.task)
      if (call.method === "GET" && url.pathname === "/api/tasks/1/events") return stream(request)
      if (call.method === "GET" && url.pathname === "/api/workers") return Response.json({ items: api.workers, next_cursor: null })
      return problem(404, `no ${url.pathname}`)
    },
  })
  const api: FakeApi = {
    base: `http://127.0.0.1:${server.port}`, calls, task: fakeTask(), workers: [],
    on: (route, handler) => void handlers.set(route, handler),
    push: (event, data = {}, options = {}) => {
      const last = events.at(-1)?.id ?? "0"
      const one: FakeEvent = { id: options.ephemeral === true ? last : String(Number(last) + 1), event, data: { job_id: options.job_id ?? JOB, at: options.at ?? "2026-01-01T00:00:02.000Z", ...data } }
      if (options.ephemeral !== true) events.push(one)
      for (const controller of open) controller.enqueue(frame(one))
    },
    drop: () => {
      for (const controller of open) controller.close()
      open.clear()
    },
    streams: async (n) => {
      while (opened < n) await new Promise<void>((resolve) => waiters.push(resolve))
    },
    stop: () => server.stop(true),
  }
  return api
}

/** A place to write that remembers the text; `screen()` is what a reader of plain output sees. */
export const memorySink = (options: { readonly isTTY?: boolean; readonly columns?: number } = {}) => {
  const parts: Array<string> = []
  return { ...options, write: (text: string) => { parts.push(text) }, text: () => parts.join("") }
}
