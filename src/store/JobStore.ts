// The life of jobs in the database: claim, heartbeat, the one guarded exit, rescue, cancel (Q1–Q4, Q8–Q10, Q13). Every
// write goes through the Writer; each of them also writes the events and audit entries of the move in the same commit.
import { asc, eq } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import { v7 } from "uuid"
import { Conflict, NotFound } from "../job/errors.ts"
import type { StoreError } from "../job/errors.ts"
import type { Outcome } from "../job/outcome.ts"
import type { ClaimedJob, JobRecord } from "../job/record.ts"
import { claimWrite } from "./claimWrite.ts"
import { Database } from "./Database.ts"
import { finishWrite } from "./finishWrite.ts"
import { heartbeatWrite, rescueWrite } from "./leaseWrites.ts"
import { cancelWrite, retryWrite } from "./moveWrites.ts"
import type { Moved } from "./moveWrites.ts"
import { jobRecord } from "./records.ts"
import { NOW } from "./sql.ts"
import type { SqlValue } from "./sql.ts"
import { jobs } from "./tables.ts"
import { Wake } from "./Wake.ts"
import { Writer } from "./Writer.ts"

export interface JobStoreOptions {
  /** What one step of priority is worth in waiting time (Q23). */
  readonly ageing_ms: number
  /** Connection failures in a row after which a job is parked (Q10). */
  readonly max_give_backs: number
}

/** Free slots in the order in which they are to be filled (W4); consecutive equal ones are grouped into one statement. */
export interface ClaimSlot {
  readonly worker_id: string
  readonly roles: ReadonlyArray<string>
  /** Models that this worker offers, null when not known (any job fits). Jobs that name another model are left (Q21). */
  readonly models: ReadonlyArray<string> | null
  /** Models that its endpoint turned out not to have, whatever it says or does not say that it offers (W6). */
  readonly refuses?: ReadonlyArray<string>
}

export interface ClaimRequest {
  readonly node_id: string
  readonly slots: ReadonlyArray<ClaimSlot>
  readonly lease_ttl_ms: number
}

export interface FinishRequest {
  readonly id: string
  readonly fence: number
  readonly outcome: Outcome
  readonly backoff_seconds: ReadonlyArray<number>
  /** For the closing audit entry. */
  readonly movements: number
  readonly context_actions: number
}

export interface Lease {
  readonly id: string
  readonly fence: number
}

export interface JobStoreShape {
  readonly claim: (request: ClaimRequest) => Effect.Effect<ReadonlyArray<ClaimedJob>, StoreError>
  /** False when the row has another fence or is no longer running: the caller lost its lease (or a cancel won). */
  readonly finish: (request: FinishRequest) => Effect.Effect<boolean, StoreError>
  /** Renews all leases in one statement; answers those that are no longer held. */
  readonly heartbeat: (leases: ReadonlyArray<Lease>, lease_ttl_ms: number) => Effect.Effect<ReadonlyArray<Lease>, StoreError>
  /** Puts back jobs whose lease ran out, by the database's clock; answers their ids. */
  readonly rescue: () => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** At start: puts back what an earlier process of this node still held. */
  readonly rescueNode: (node_id: string) => Effect.Effect<ReadonlyArray<string>, StoreError>
  readonly get: (id: string) => Effect.Effect<JobRecord | null, StoreError>
  readonly listByTask: (task_id: number) => Effect.Effect<ReadonlyArray<JobRecord>, StoreError>
  /** Cancels the task's live root job; the status is written at once, the running fiber is interrupted by the caller. */
  readonly cancel: (task_id: number, actor: string) => Effect.Effect<JobRecord, NotFound | Conflict | StoreError>
  /** A new job after a terminal one, linked by `continued_from_job_id` (Q9). */
  readonly retry: (task_id: number, actor: string) => Effect.Effect<JobRecord, NotFound | Conflict | StoreError>
  /** When the next `retry` job of this database falls due (ms since the epoch, database clock and its present), or null. */
  readonly nextDue: () => Effect.Effect<{ readonly due_at: number | null; readonly now: number }, StoreError>
  readonly counts: () => Effect.Effect<{ readonly queued: number; readonly running: number; readonly oldest_queued_at: number | null; readonly now: number }, StoreError>
}

export class JobStore extends Context.Service<JobStore, JobStoreShape>()("attacca/store/JobStore") {
  static readonly layer = (options: JobStoreOptions) => Layer.effect(JobStore, make(options))
}

const COUNTS = `SELECT (SELECT count(*) FROM jobs WHERE status = 'queued'), (SELECT count(*) FROM jobs WHERE status = 'running'),
  (SELECT min(created_at) FROM jobs WHERE status = 'queued'), ${NOW}`
const NEXT_DUE = `SELECT (SELECT min(next_retry_at) FROM jobs WHERE status = 'retry'), ${NOW}`

const make = Effect.fn("JobStore.make")(function*({ ageing_ms, max_give_backs }: JobStoreOptions) {
  const database = yield* Database
  const writer = yield* Writer
  const wake = yield* Wake
  const claiming = claimWrite()
  const finishing = finishWrite(max_give_backs)
  const retrying = retryWrite(ageing_ms)
  // A move may have freed a lock, or put a job where it can be claimed.
  const waking = (moved: boolean) => { if (moved) wake.open() }

  const accepted = (moved: Moved, task_id: number, wish: string): Effect.Effect<JobRecord, NotFound | Conflict> => {
    if (moved.done !== null) return Effect.succeed(moved.done)
    if (moved.status === null) return Effect.fail(new NotFound({ what: "task with a job", id: String(task_id) }))
    return Effect.fail(new Conflict({ detail: `the job of task ${task_id} is ${moved.status}, it cannot become ${wish}` }))
  }
  return JobStore.of({
    claim: (request) => request.slots.length === 0 ? Effect.succeed([]) : writer.write(claiming, { ...request, token: v7() }),
    finish: (request) =>
      Effect.map(writer.write(finishing, request), (task_id) => {
        waking(task_id !== null)
        return task_id !== null
      }),
    heartbeat: (leases, lease_ttl_ms) => leases.length === 0 ? Effect.succeed([]) : writer.write(heartbeatWrite, { leases, lease_ttl_ms }),
    rescue: () => rescue(null),
    rescueNode: (node_id) => rescue(node_id),
    get: Effect.fn("JobStore.get")(function*(id) {
      const [row] = yield* database.query((orm) => orm.select().from(jobs).where(eq(jobs.id, id)))
      return row === undefined ? null : jobRecord(row)
    }),
    listByTask: Effect.fn("JobStore.listByTask")(function*(task_id) {
      const rows = yield* database.query((orm) => orm.select().from(jobs).where(eq(jobs.task_id, task_id)).orderBy(asc(jobs.created_at), asc(jobs.id)))
      return rows.map(jobRecord)
    }),
    cancel: Effect.fn("JobStore.cancel")(function*(task_id, actor) {
      const moved = yield* writer.write(cancelWrite, { task_id, actor, op: v7() })
      waking(moved.done !== null)
      return yield* accepted(moved, task_id, "cancelled")
    }),
    retry: Effect.fn("JobStore.retry")(function*(task_id, actor) {
      const moved = yield* writer.write(retrying, { task_id, actor, op: v7() })
      waking(moved.done !== null)
      return yield* accepted(moved, task_id, "queued again before it has ended")
    }),
    nextDue: Effect.fn("JobStore.nextDue")(function*() {
      const [row] = yield* database.read({ sql: NEXT_DUE, args: [] })
      return { due_at: numberOrNull(row?.[0]), now: Number(row?.[1]) }
    }),
    counts: Effect.fn("JobStore.counts")(function*() {
      const [row] = yield* database.read({ sql: COUNTS, args: [] })
      return { queued: Number(row?.[0]), running: Number(row?.[1]), oldest_queued_at: numberOrNull(row?.[2]), now: Number(row?.[3]) }
    }),
  })

  function rescue(node_id: string | null): Effect.Effect<ReadonlyArray<string>, StoreError> {
    return Effect.map(writer.write(rescueWrite, node_id), (rescued) => {
      waking(rescued.length > 0)
      return rescued.map(({ id }) => id)
    })
  }
})

const numberOrNull = (value: SqlValue | undefined): number | null => value === null || value === undefined ? null : Number(value)
