// Events of a task: the durable ones from the database in commit order, the ephemeral ones live only. A reader follows
// `after` and is woken by `subscribe`, so a durable event is never lost and never seen twice, whoever wrote it.
import { and, asc, eq, gt } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import type { StoreError } from "../job/errors.ts"
import type { EphemeralEvent } from "../job/event.ts"
import { Database } from "./Database.ts"
import { events } from "./tables.ts"
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
        const rows = yield* database.query((orm) =>
          orm.select().from(events).where(and(eq(events.task_id, task_id), gt(events.id, id))).orderBy(asc(events.id)).limit(limit))
        return rows.map((row): StoredEvent => ({ id: row.id, task_id: row.task_id, job_id: row.job_id, event: row.event, at: row.at, data: JSON.parse(row.data) as Record<string, unknown> }))
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
