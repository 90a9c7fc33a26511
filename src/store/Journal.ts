// The append-only journal of a run (Q6). An append carries its durable events and the job row's new figures, all in one
// commit and all guarded by the fence.
import { Context } from "effect"
import type { Effect } from "effect"
import type { LeaseLost, StoreError } from "../job/errors.ts"
import type { DurableEvent } from "../job/event.ts"
import type { Progress } from "../job/record.ts"
import type { JournalEntry, StoredEntry } from "../job/turn.ts"

export interface Append {
  readonly job_id: string
  readonly task_id: number
  readonly fence: number
  readonly attempt: number
  /** `seq` of the first entry; the caller counts on from there. Appending the same seq under the same fence again changes nothing. */
  readonly seq: number
  readonly entries: ReadonlyArray<JournalEntry>
  readonly events: ReadonlyArray<DurableEvent>
  readonly progress: Progress
}

export interface JournalShape {
  readonly append: (append: Append) => Effect.Effect<void, LeaseLost | StoreError>
  /** All entries of a job in order; `attempt` narrows to one attempt. */
  readonly read: (job_id: string, attempt?: number) => Effect.Effect<ReadonlyArray<StoredEntry>, StoreError>
}

export class Journal extends Context.Service<Journal, JournalShape>()("attacca/store/Journal") {}
