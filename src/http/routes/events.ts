// The event stream of a task. Every open stream is known here, so that the node can end them all when it drains; a client
// that is cut off comes back with its last id and loses nothing.
import { Effect } from "effect"
import { invalid } from "../body.ts"
import { EVENT_BATCH, type EventStream, openEventStream, PING_MS } from "../eventStream.ts"
import type { Failure } from "../problem.ts"
import { type Call, type Route, taskId } from "../route.ts"
import type { Services } from "../services.ts"
import type { InvalidInput } from "../../job/errors.ts"

export interface OpenStreams {
  readonly add: (stream: EventStream) => void
  readonly remove: (stream: EventStream) => void
}

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" }

/** The header counts before the parameter: a browser that reconnects sends it along with the old URL. */
const lastId = ({ request, url }: Call): Effect.Effect<number, InvalidInput> => {
  const header = request.headers.get("last-event-id")
  const [path, text] = header !== null && header !== "" ? ["Last-Event-ID", header] : ["after", url.searchParams.get("after") ?? "0"]
  return /^\d{1,15}$/.test(text) ? Effect.succeed(Number(text)) : Effect.fail(invalid([{ path, message: "expected the id of an event of this stream" }]))
}

/** Streams on a file database are woken by its only writer; on a shared one other nodes write too, so the log is read regularly. */
const pollOf = (database_url: string, poll_seconds: number): number | null => database_url.startsWith("file:") ? null : poll_seconds * 1000

const follow = (services: Services, open: OpenStreams, call: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { task } = yield* services.findTask(yield* taskId(call))
  const after = yield* lastId(call)
  if (call.request.method === "HEAD") return new Response(null, { headers: HEADERS })
  const { settings } = yield* services.settings
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const stream: EventStream = openEventStream({
    task_id: task.id, after, ping_ms: PING_MS, poll_ms: pollOf(settings.database.url, settings.queue.poll_seconds),
    source: {
      after: (id) => run(services.events.after(task.id, id, EVENT_BATCH).pipe(Effect.tapError((error) => Effect.logWarning(`an event stream was cut off: ${error.message}`)))),
      task: () => run(services.tasks.get(task.id)),
      subscribe: services.events.subscribe,
    },
    onEnd: () => open.remove(stream),
  })
  open.add(stream)
  call.request.signal.addEventListener("abort", stream.close, { once: true })
  return new Response(stream.body, { headers: HEADERS })
})

export const eventRoutes = (services: Services, open: OpenStreams): ReadonlyArray<Route> => [{
  method: "GET", path: "/api/tasks/{id}/events", tag: "events", summary: "Follow a task (server-sent events)",
  description: "Durable events are replayed from the start, or from the given id on; none is lost, none comes twice. `text`, `reasoning`, `tool_use_delta` and `prompt_progress` come live only. Ends after `done` of a task that has ended.",
  parameters: [
    { name: "Last-Event-ID", in: "header", description: "Go on after this event.", schema: { type: "string" } },
    { name: "after", description: "The same as a parameter.", schema: { type: "integer", minimum: 0 } },
  ],
  answers: { 200: { description: "The stream.", type: "text/event-stream", schema: { type: "string" } } }, problems: [404, 422],
  handle: (call) => follow(services, open, call),
}]
