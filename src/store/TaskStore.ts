// Tasks, their comments and their lists. `submit` writes task, first job, event and audit entry in one commit.
import { Context } from "effect"
import type { Effect } from "effect"
import type { Conflict, NotFound, StoreError } from "../job/errors.ts"
import type { AuditRecord, CommentRecord, JobRecord, NewTask, TaskRecord } from "../job/record.ts"

export interface TaskWithJob {
  readonly task: TaskRecord
  /** Latest root job; null only for a scheduled task that has not fired. */
  readonly job: JobRecord | null
}

export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly next_cursor: string | null
}

export interface NewComment {
  readonly task_id: number
  readonly job_id: string | null
  readonly author: CommentRecord["author"]
  readonly kind: CommentRecord["kind"]
  readonly body: string
  readonly mode: CommentRecord["mode"]
}

export interface TaskStoreShape {
  /** The same idempotency key gives the first task, `created: false`. Opens the wake latch in the same tick. */
  readonly submit: (task: NewTask) => Effect.Effect<{ readonly id: number; readonly job_id: string; readonly created: boolean }, StoreError>
  readonly get: (id: number) => Effect.Effect<TaskWithJob | null, StoreError>
  /** Newest first, root tasks only. */
  readonly list: (page: { readonly limit: number; readonly cursor: string | null; readonly status?: string | null }) => Effect.Effect<Page<TaskWithJob>, StoreError>
  /** Deletes the task with its jobs, journal, events and comments (the audit log stays); Conflict while a job runs. */
  readonly remove: (id: number, actor: string) => Effect.Effect<void, NotFound | Conflict | StoreError>
  /** Stores a comment and its event; answers the row. Progress comments of a run carry `job_id`. */
  readonly comment: (comment: NewComment) => Effect.Effect<CommentRecord, NotFound | StoreError>
  readonly comments: (task_id: number, page: { readonly limit: number; readonly cursor: string | null }) => Effect.Effect<Page<CommentRecord>, StoreError>
  readonly audit: (entry: Omit<AuditRecord, "id" | "at">) => Effect.Effect<void, StoreError>
  readonly auditOfJob: (job_id: string) => Effect.Effect<ReadonlyArray<AuditRecord>, StoreError>
}

export class TaskStore extends Context.Service<TaskStore, TaskStoreShape>()("attacca/store/TaskStore") {}
