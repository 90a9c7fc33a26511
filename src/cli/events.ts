// Reads a task's server-sent events without losing or repeating a durable one: a stream that drops is taken up again after
// the last id. Called by follow.ts. Ends when the signal fires or the node has been away for longer than the patience.
import { isConnectionFailure, open, problemFailure, unreachable } from "./api.ts"
import { CommandFailure } from "./failure.ts"
import type { TaskEvent } from "./shapes.ts"

/** The node sends a comment line every 15 s; three missed ones mean that the connection is dead. */
const SILENCE_MS = 50_000
const FIRST_WAIT_MS = 100
const MAX_WAIT_MS = 2_000

/** The events of one body. Chunks may end anywhere, in the middle of a character too. */
export async function* parseEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<TaskEvent> {
  const decoder = new TextDecoder()
  let rest = ""
  let id = ""
  let event = "message"
  let data: Array<string> = []
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true })
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end).replace(/\r$/, "")
      rest = rest.slice(end + 1)
      if (line === "") {
        if (data.length > 0) yield { id, event, data: objectOf(data.join("\n")) }
        event = "message"
        data = []
        continue
      }
      const colon = line.indexOf(":")
      if (colon === 0) continue
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
      if (field === "id") id = value
      else if (field === "event") event = value
      else if (field === "data") data.push(value)
    }
  }
}

const objectOf = (text: string): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : { value }
  } catch {
    return { value: text }
  }
}

export interface EventsOptions {
  readonly base: string
  readonly task_id: number
  /** Id of the last event that is known; empty for all. */
  readonly after: string
  readonly signal: AbortSignal
  /** How long the node may be away before this gives up. */
  readonly patience_ms: number
  readonly onLost: (why: string) => void
  readonly onBack: () => void
}

const pause = (ms: number, signal: AbortSignal): Promise<void> => new Promise((resolve) => {
  const done = (): void => {
    clearTimeout(timer)
    signal.removeEventListener("abort", done)
    resolve()
  }
  const timer = setTimeout(done, ms)
  signal.addEventListener("abort", done)
})

/** A body that fails after `SILENCE_MS` without a byte. */
async function* watched(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  const stop = (): void => void reader.cancel().catch(() => undefined)
  signal.addEventListener("abort", stop)
  try {
    for (;;) {
      let timer: ReturnType<typeof setTimeout> | undefined
      const silence = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error("the stream fell silent")), SILENCE_MS)
      })
      const { done, value } = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer))
      if (done) return
      yield value
    }
  } finally {
    signal.removeEventListener("abort", stop)
    stop()
  }
}

/** The answer's head must come within the silence limit too; the body may take as long as it sends something. */
const connect = async (options: EventsOptions, last: string): Promise<Response> => {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(new Error("no answer in time")), SILENCE_MS)
  try {
    return await open(options.base, `/api/tasks/${options.task_id}/events`, {
      headers: { accept: "text/event-stream", ...(last === "" ? {} : { "last-event-id": last }) },
      signal: AbortSignal.any([options.signal, limit.signal]), timeout_ms: null,
    })
  } finally {
    clearTimeout(timer)
  }
}

/** All events of a task from `after` on, over as many connections as it takes. The caller breaks off when it has seen enough. */
export async function* taskEvents(options: EventsOptions): AsyncGenerator<TaskEvent> {
  let last = options.after
  let lostAt: number | null = null
  let wait = FIRST_WAIT_MS
  for (;;) {
    let why = "the stream ended"
    try {
      const response = await connect(options, last)
      if (!response.ok || response.body === null) {
        const failure = problemFailure(response.status, (await response.json().catch(() => ({}))) as object)
        if (response.status < 500) throw failure
        why = failure.message
      } else {
        for await (const event of parseEvents(watched(response.body, options.signal))) {
          if (lostAt !== null) options.onBack()
          lostAt = null
          wait = FIRST_WAIT_MS
          if (event.id !== "") last = event.id
          yield event
        }
      }
    } catch (cause) {
      if (cause instanceof CommandFailure && !isConnectionFailure(cause)) throw cause
      if (!options.signal.aborted) why = cause instanceof Error ? cause.message : String(cause)
    }
    if (options.signal.aborted) return
    if (lostAt === null) {
      lostAt = Date.now()
      options.onLost(why)
    } else if (Date.now() - lostAt > options.patience_ms) {
      throw unreachable(options.base, why)
    }
    await pause(wait, options.signal)
    if (options.signal.aborted) return
    wait = Math.min(MAX_WAIT_MS, wait * 2)
  }
}
