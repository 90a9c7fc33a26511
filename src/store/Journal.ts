// The append-only journal of a run (Q6). An append carries its durable events and the job row's new figures, all in one
// commit and all guarded by the fence.
import { and, asc, eq } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import { v7 } from "uuid"
import { LeaseLost } from "../job/errors.ts"
import type { StoreError } from "../job/errors.ts"
import type { DurableEvent } from "../job/event.ts"
import type { Progress } from "../job/record.ts"
import type { JournalEntry, StoredEntry } from "../job/turn.ts"
import { appendWrite } from "./appendWrite.ts"
import { Database } from "./Database.ts"
import { journal } from "./tables.ts"
import { Writer } from "./Writer.ts"

export interface Append {
  readonly job_id: string
  readonly task_id: number
  readonly fence: number
  readonly attempt: number
  /** `seq` of the first entry; the caller counts on from there. Appending the same seq under the same fence again changes nothing. */
  readonly seq: number
  readonly entries: ReadonlyArray<JournalEntry>
  readonly events: ReadonlyArray<DurableEvent>
  /** Bodies of progress comments that this step gives rise to. */
  readonly comments: ReadonlyArray<string>
  readonly progress: Progress
}

export interface JournalShape {
  readonly append: (append: Append) => Effect.Effect<void, LeaseLost | StoreError>
  /** All entries of a job in order; `attempt` narrows to one attempt. */
  readonly read: (job_id: string, attempt?: number) => Effect.Effect<ReadonlyArray<StoredEntry>, StoreError>
}

export class Journal extends Context.Service<Journal, JournalShape>()("attacca/store/Journal") {
  static readonly layer = Layer.effect(Journal, Effect.gen(function*() {
    const writer = yield* Writer
    const database = yield* Database
    return Journal.of({
      append: Effect.fn("Journal.append")(function*(append) {
        const held = yield* writer.write(appendWrite, { ...append, op: v7() })
        if (!held) return yield* new LeaseLost({ job_id: append.job_id, fence: append.fence })
      }),
      read: Effect.fn("Journal.read")(function*(job_id, attempt) {
        const rows = yield* database.query((orm) =>
          orm.select().from(journal)
            .where(and(eq(journal.job_id, job_id), attempt === undefined ? undefined : eq(journal.attempt, attempt)))
            .orderBy(asc(journal.seq)))
        return rows.map(({ seq, fence, attempt, at, data }): StoredEntry => ({ seq, fence, attempt, at, entry: JSON.parse(data) as JournalEntry }))
      }),
    })
  }))
}
