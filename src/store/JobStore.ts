// The life of jobs in the database: claim, heartbeat, the one guarded exit, rescue, cancel (Q1–Q4, Q8–Q10, Q13). Every
// write goes through the Writer; each of them also writes the events and audit entries of the move in the same commit.
import { Context } from "effect"
import type { Effect } from "effect"
import type { Conflict, NotFound, StoreError } from "../job/errors.ts"
import type { Outcome } from "../job/outcome.ts"
import type { ClaimedJob, JobRecord } from "../job/record.ts"

/** Free slots in the order in which they are to be filled (W4); consecutive equal ones are grouped into one statement. */
export interface ClaimSlot {
  readonly worker_id: string
  readonly roles: ReadonlyArray<string>
  /** Models that this worker offers, null when not known (any job fits). Jobs that name another model are left (Q21). */
  readonly models: ReadonlyArray<string> | null
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

export class JobStore extends Context.Service<JobStore, JobStoreShape>()("attacca/store/JobStore") {}
