// Tasks, their comments and their lists. `submit` writes task, first job, event and audit entry in one commit.
import { and, asc, desc, eq, lt, sql } from "drizzle-orm"
import type { SQL } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import { v7 } from "uuid"
import { Conflict, NotFound } from "../job/errors.ts"
import type { StoreError } from "../job/errors.ts"
import type { AuditRecord, CommentRecord, JobRecord, NewTask, TaskRecord } from "../job/record.ts"
import { STATUSES } from "../job/state.ts"
import type { Status } from "../job/state.ts"
import { isAuditAction } from "./audit.ts"
import { auditWrite, commentWrite } from "./commentWrite.ts"
import { Database } from "./Database.ts"
import { removeWrite } from "./moveWrites.ts"
import { COMMENT_FIELDS, commentOfJson, jobJson, jobOfJson, jobRecord, taskJson, taskOfJson, taskRecord } from "./records.ts"
import { submitWrite } from "./submitWrite.ts"
import { audit, jobs, tasks } from "./tables.ts"
import { Wake } from "./Wake.ts"
import { Writer } from "./Writer.ts"

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
  /** Oldest first; `kind` narrows to one. */
  readonly comments: (task_id: number, page: { readonly limit: number; readonly cursor: string | null; readonly kind?: CommentRecord["kind"] }) => Effect.Effect<Page<CommentRecord>, StoreError>
  readonly audit: (entry: Omit<AuditRecord, "id" | "at">) => Effect.Effect<void, StoreError>
  readonly auditOfJob: (job_id: string) => Effect.Effect<ReadonlyArray<AuditRecord>, StoreError>
}

export class TaskStore extends Context.Service<TaskStore, TaskStoreShape>()("attacca/store/TaskStore") {
  /** `ageing_ms`: what one step of priority is worth in waiting time (Q23). */
  static readonly layer = (options: { readonly ageing_ms: number }) => Layer.effect(TaskStore, make(options.ageing_ms))
}

const make = Effect.fn("TaskStore.make")(function*(ageing_ms: number) {
  const database = yield* Database
  const writer = yield* Writer
  const wake = yield* Wake
  const submitting = submitWrite(ageing_ms)

  return TaskStore.of({
    submit: (task) =>
      Effect.suspend(() => {
        // Opened before the commit, so that the claim joins the same batch; and again after it, should it have missed.
        wake.open()
        return Effect.map(writer.write(submitting, { job_id: v7(), task }), ({ id, job_id, created, offered }) => {
          if (!offered) wake.open()
          return { id, job_id, created }
        })
      }),
    get: Effect.fn("TaskStore.get")(function*(id) {
      const [row] = yield* database.read({ sql: TASK_WITH_JOB, args: [id] })
      return row === undefined ? null : taskWithJobOfJson(String(row[0]), row[1] === null ? null : String(row[1]), row[2] === null ? null : Number(row[2]))
    }),
    list: Effect.fn("TaskStore.list")(function*({ limit, cursor, status }) {
      const wanted = status ?? null
      if (wanted !== null && !isStatus(wanted)) return { items: [], next_cursor: null }
      const before = cursor === null ? undefined : lt(tasks.id, Number(cursor))
      const rows = yield* database.query((orm) => withJob(orm).where(and(before, wanted === null ? undefined : ofStatus(wanted))).orderBy(desc(tasks.id)).limit(limit + 1))
      return page(rows.map(taskWithJob), limit, ({ task }) => task.id)
    }),
    remove: Effect.fn("TaskStore.remove")(function*(id, actor) {
      const removal = yield* writer.write(removeWrite, { task_id: id, actor })
      if (removal === "missing") return yield* new NotFound({ what: "task", id: String(id) })
      if (removal === "running") return yield* new Conflict({ detail: `task ${id} is running; cancel it first` })
    }),
    comment: Effect.fn("TaskStore.comment")(function*(comment) {
      const posted = yield* writer.write(commentWrite, { ...comment, op: v7() })
      return posted ?? (yield* new NotFound({ what: "task", id: String(comment.task_id) }))
    }),
    comments: Effect.fn("TaskStore.comments")(function*(task_id, { limit, cursor, kind }) {
      const rows = yield* database.read({ sql: COMMENTS_AFTER, args: [task_id, cursor === null ? 0 : Number(cursor), limit + 1, kind ?? null] })
      return page(rows.map(([json]) => commentOfJson(String(json))), limit, ({ id }) => id)
    }),
    audit: (entry) => {
      const { action } = entry
      return isAuditAction(action) ? writer.write(auditWrite, { ...entry, action, op: v7() }) : Effect.die(new Error(`${action} is not in the list of audit actions`))
    },
    auditOfJob: Effect.fn("TaskStore.auditOfJob")(function*(job_id) {
      const rows = yield* database.query((orm) => orm.select().from(audit).where(eq(audit.job_id, job_id)).orderBy(asc(audit.id)))
      return rows.map(({ uid: _uid, ...row }): AuditRecord => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }))
    }),
  })
})

/** Read at the start of every movement, so it is a prepared text and not a built query. */
const COMMENTS_AFTER = `SELECT json_array(${COMMENT_FIELDS.map((field) => `c.${field}`).join(", ")}) FROM comments c WHERE c.task_id = ?1 AND c.id > ?2 AND (?4 IS NULL OR c.kind = ?4) ORDER BY c.id LIMIT ?3`

/** Every submission answers with its task, so this is a prepared text and not a built query. */
const TASK_WITH_JOB = `SELECT ${taskJson("t")}, ${jobJson("j")}, j.moved_at FROM tasks t
LEFT JOIN jobs j ON j.rowid = (SELECT max(x.rowid) FROM jobs x WHERE x.task_id = t.id AND x.parent_job_id IS NULL) WHERE t.id = ?1`

const taskWithJobOfJson = (task: string, job: string | null, moved_at: number | null): TaskWithJob => {
  const record = taskOfJson(task)
  return { task: { ...record, updated_at: Math.max(record.updated_at, moved_at ?? 0) }, job: job === null || moved_at === null ? null : jobOfJson(job) }
}

type Orm = Parameters<Parameters<Context.Service.Shape<typeof Database>["query"]>[0]>[0]

/** A task's latest root job, by order of creation. */
const latest = sql`${jobs}.rowid = (SELECT max(x.rowid) FROM jobs x WHERE x.task_id = ${tasks.id} AND x.parent_job_id IS NULL)`

const withJob = (orm: Orm) => orm.select({ task: tasks, job: jobs }).from(tasks).leftJoin(jobs, latest).$dynamic()

const taskWithJob = ({ task, job }: { readonly task: typeof tasks.$inferSelect; readonly job: typeof jobs.$inferSelect | null }): TaskWithJob => ({
  task: taskRecord(task, job?.moved_at ?? null),
  job: job === null ? null : jobRecord(job),
})

const isStatus = (text: string): text is Status => (STATUSES as ReadonlyArray<string>).includes(text)

/**
 * Tasks whose latest root job has the status. The inner select names candidates through the partial indexes of the statuses that are
 * rare; `succeeded` has none, since nearly every task has it and the walk from the newest finds them at once.
 */
const ofStatus = (status: Status): SQL | undefined =>
  status === "succeeded"
    ? eq(jobs.status, status)
    : and(eq(jobs.status, status), sql`${tasks.id} IN (SELECT c.task_id FROM jobs c WHERE c.status = ${sql.raw(`'${status}'`)} AND c.parent_job_id IS NULL)`)

const page = <A>(found: ReadonlyArray<A>, limit: number, cursorOf: (item: A) => number): Page<A> => {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return { items, next_cursor: found.length > limit && last !== undefined ? String(cursorOf(last)) : null }
}
