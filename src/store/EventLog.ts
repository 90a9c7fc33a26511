// Events of a task: the durable ones from the database in commit order, the ephemeral ones live only. A reader follows
// `after` and is woken by `subscribe`, so a durable event is never lost and never seen twice, whoever wrote it.
import { Context } from "effect"
import type { Effect } from "effect"
import type { StoreError } from "../job/errors.ts"
import type { EphemeralEvent } from "../job/event.ts"

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

export class EventLog extends Context.Service<EventLog, EventLogShape>()("attacca/store/EventLog") {}
