// The server-sent events of a task: the durable ones from the log after the client's last id, then live. The body is pulled
// by the connection, so a slow client slows down nobody: what waits for it is a bounded list of ephemeral events, oldest
// dropped first, and the durable ones are read again from the log at the client's own pace. Ends after the `done` of a task that
// has ended. Called by routes/events.ts; one object per client, freed when its stream ends or is cancelled.
import type { EphemeralEvent } from "../job/event.ts"
import { isTerminal } from "../job/state.ts"
import type { EventLogShape, StoredEvent } from "../store/EventLog.ts"
import type { TaskWithJob } from "../store/TaskStore.ts"
import { time } from "./views.ts"

/** Proxies and browsers give up on a connection that is silent for longer than this. */
export const PING_MS = 15_000
/** Read from the log at once: few enough that a batch of large tool arguments is some megabytes at most. */
const BATCH = 64
/** Ephemeral events kept for a client that does not read: a few seconds of a fast model. */
const MAX_WAITING = 1_000

export interface EventSource {
  readonly after: (id: number) => Promise<ReadonlyArray<StoredEvent>>
  readonly task: () => Promise<TaskWithJob | null>
  readonly subscribe: EventLogShape["subscribe"]
}

export interface EventStreamOptions {
  readonly task_id: number
  /** Id of the last event that the client has; 0 for all. */
  readonly after: number
  readonly ping_ms: number
  /** How often the log is read for what other nodes wrote; null when this process is the only writer. */
  readonly poll_ms: number | null
  readonly source: EventSource
  readonly onEnd: () => void
}

type Waiting = "committed" | { readonly job_id: string; readonly at: number; readonly event: EphemeralEvent }

const encoder = new TextEncoder()

const frame = (id: number, event: string, job_id: string, at: number, data: object): string =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify({ job_id, at: time(at), ...data })}\n\n`

const durableFrame = (stored: StoredEvent): string => frame(stored.id, stored.event, stored.job_id, stored.at, stored.data)

class Follower {
  private readonly waiting: Array<Waiting> = []
  private wake: (() => void) | null = null
  private readonly unsubscribe: () => void
  private last: number
  /** The log has been read to its end once, so what comes live comes after it. */
  private caughtUp = false
  /** The task was seen ended, and the log is being read once more for what was written just before. */
  private ended = false
  private closed = false

  constructor(private readonly options: EventStreamOptions) {
    this.last = options.after
    this.unsubscribe = options.source.subscribe(options.task_id, {
      onCommit: () => this.push("committed"),
      onEphemeral: (job_id, at, event) => this.push({ job_id, at, event }),
    })
  }

  private push(item: Waiting): void {
    if (this.closed || (item === "committed" && this.waiting.at(-1) === "committed")) return
    if (this.waiting.length >= MAX_WAITING) {
      const oldest = this.waiting.findIndex((waiting) => waiting !== "committed")
      this.waiting.splice(Math.max(0, oldest), 1)
    }
    this.waiting.push(item)
    this.wake?.()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.waiting.length = 0
    this.unsubscribe()
    this.wake?.()
    this.options.onEnd()
  }

  /** The next piece of the stream; null at its end. */
  async next(): Promise<string | null> {
    let quiet_ms = 0
    while (!this.closed) {
      const text = this.caughtUp ? await this.live() : await this.replay()
      if (text !== null) return text
      if (this.closed || !this.caughtUp || this.waiting.length > 0) continue
      const pause = Math.min(this.options.poll_ms ?? this.options.ping_ms, this.options.ping_ms - quiet_ms)
      if (await this.pause(pause)) continue
      quiet_ms += pause
      if (quiet_ms < this.options.ping_ms) {
        this.push("committed")
        continue
      }
      this.caughtUp = false
      return ":\n\n"
    }
    return null
  }

  /** Durable events from the log until there are no more; closes when the task has ended. */
  private async replay(): Promise<string | null> {
    const events = await this.options.source.after(this.last)
    if (events.length > 0) {
      this.ended = false
      return this.take(events)
    }
    if (this.ended) {
      this.close()
      return null
    }
    const found = await this.options.source.task()
    // A task without a job is a schedule between its firings. What is terminal now may have been written after the log was read.
    this.ended = found === null || (found.job !== null && isTerminal(found.job.status))
    this.caughtUp = !this.ended
    return null
  }

  private async live(): Promise<string | null> {
    let text = ""
    while (this.waiting.length > 0) {
      const item = this.waiting.shift()
      if (item === undefined) break
      if (item !== "committed") {
        text += frame(this.last, item.event.event, item.job_id, item.at, item.event.data)
        continue
      }
      const events = await this.options.source.after(this.last)
      if (events.length > 0) text += this.take(events)
      // A full batch has more behind it; a `done` may be the last event of all.
      if (events.length >= BATCH || events.some((event) => event.event === "done")) {
        this.caughtUp = false
        break
      }
    }
    return text === "" ? null : text
  }

  private take(events: ReadonlyArray<StoredEvent>): string {
    this.last = events.at(-1)?.id ?? this.last
    return events.map(durableFrame).join("")
  }

  /** True when woken, false when the time is over. */
  private pause(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wakeWith(resolve, false), ms)
      this.wake = () => {
        clearTimeout(timer)
        this.wakeWith(resolve, true)
      }
    })
  }

  private wakeWith(resolve: (woken: boolean) => void, woken: boolean): void {
    this.wake = null
    resolve(woken)
  }
}

export interface EventStream {
  readonly body: ReadableStream<Uint8Array>
  readonly close: () => void
}

export const EVENT_BATCH = BATCH

/** A stream that starts with a comment, so that the headers leave at once. */
export const openEventStream = (options: EventStreamOptions): EventStream => {
  const follower = new Follower(options)
  let first = true
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (first) {
        first = false
        return controller.enqueue(encoder.encode(":\n\n"))
      }
      try {
        const text = await follower.next()
        if (text === null) controller.close()
        else controller.enqueue(encoder.encode(text))
      } catch (cause) {
        // The client comes back with its last id; the cause was logged where the source failed.
        follower.close()
        controller.error(cause)
      }
    },
    cancel: () => follower.close(),
  }, { highWaterMark: 0 })
  return { body, close: () => follower.close() }
}
