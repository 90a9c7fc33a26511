// Events of a task: the durable ones from the database in commit order, the ephemeral ones live only. A reader follows
// `after` and is woken by `subscribe`, so a durable event is never lost and never seen twice, whoever wrote it.
import { Context, Effect, Layer } from "effect"
import type { StoreError } from "../job/errors.ts"
import type { EphemeralEvent } from "../job/event.ts"
import { Database } from "./Database.ts"
import { Writer } from "./Writer.ts"

export interface StoredEvent {
  readonly id: number
  readonly task_id: number
  readonly job_id: string
  readonly event: string
  readonly at: number
  readonly data: Record<string, unknown>
}

export interface EventListener {
  /** Something durable was committed for the task: read on from your last id. Synchronous, must not throw. */
  readonly onCommit: () => void
  readonly onEphemeral: (job_id: string, at: number, event: EphemeralEvent) => void
}

export interface EventLogShape {
  readonly after: (task_id: number, id: number, limit: number) => Effect.Effect<ReadonlyArray<StoredEvent>, StoreError>
  /** Live listeners of this node; the returned function ends the subscription. */
  readonly subscribe: (task_id: number, listener: EventListener) => () => void
  /** Hands an ephemeral event to the task's listeners; costs nothing when there are none. */
  readonly emit: (task_id: number, job_id: string, event: EphemeralEvent) => void
  /** Called by the store after a commit that wrote events. */
  readonly committed: (task_ids: Iterable<number>) => void
}

/** Every live stream asks this after every commit of its task, so it is a prepared text and not a built query. */
const AFTER = "SELECT id, job_id, event, at, data FROM events WHERE task_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"

export class EventLog extends Context.Service<EventLog, EventLogShape>()("attacca/store/EventLog") {
  static readonly layer = Layer.effect(EventLog, Effect.gen(function*() {
    const database = yield* Database
    const writer = yield* Writer
    const listeners = new Map<number, Set<EventListener>>()
    const committed = (task_ids: Iterable<number>) => {
      if (listeners.size === 0) return
      for (const task_id of task_ids) for (const listener of listeners.get(task_id) ?? []) listener.onCommit()
    }
    writer.onCommit(committed)
    return EventLog.of({
      after: Effect.fn("EventLog.after")(function*(task_id, id, limit) {
        const rows = yield* database.read({ sql: AFTER, args: [task_id, id, limit] })
        return rows.map(([at_id, job_id, event, at, data]): StoredEvent => ({
          id: Number(at_id), task_id, job_id: String(job_id), event: String(event), at: Number(at), data: JSON.parse(String(data)) as Record<string, unknown>,
        }))
      }),
      subscribe: (task_id, listener) => subscribe(listeners, task_id, listener),
      emit: (task_id, job_id, event) => {
        const live = listeners.get(task_id)
        if (live === undefined) return
        const at = Date.now()
        for (const listener of live) listener.onEphemeral(job_id, at, event)
      },
      committed,
    })
  }))
}

const subscribe = (listeners: Map<number, Set<EventListener>>, task_id: number, listener: EventListener): () => void => {
  const live = listeners.get(task_id) ?? new Set()
  live.add(listener)
  listeners.set(task_id, live)
  return () => {
    live.delete(listener)
    if (live.size === 0 && listeners.get(task_id) === live) listeners.delete(task_id)
  }
}
