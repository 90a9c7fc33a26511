// The services that routes work with, gathered once, and the reads that several routes share. Called by app.ts and routes/.
import { Effect } from "effect"
import { NotFound, type StoreError } from "../job/errors.ts"
import type { AuditRecord, JobRecord } from "../job/record.ts"
import { PieceSource } from "../piece/PieceSource.ts"
import { CurrentSettings } from "../settings/CurrentSettings.ts"
import type { AuditAction } from "../store/audit.ts"
import { EventLog } from "../store/EventLog.ts"
import { JobStore } from "../store/JobStore.ts"
import { Journal } from "../store/Journal.ts"
import { Registry, type WorkerRecord } from "../store/Registry.ts"
import { TaskStore, type TaskWithJob } from "../store/TaskStore.ts"
import { Workspace } from "../workspace/Workspace.ts"
import type { TaskView } from "./answers.ts"
import type { Ports } from "./ports.ts"
import type { Failure } from "./problem.ts"
import { jobView, type Surroundings, type TaskFiles, taskView } from "./views.ts"

/** Without logins there is one owner, who is also the actor of every request (U1). */
export const OWNER = "local"

/** The workers in the registry change slowly; a list of 200 queued tasks need not read them 200 times. */
const WORKERS_FRESH_MS = 500
/** Folders listed at once for a page of tasks. */
const LISTS_AT_ONCE = 8

export const gather = (ports: Ports) => Effect.gen(function*() {
  const registry = yield* Registry
  const workspace = yield* Workspace
  const jobs = yield* JobStore
  const tasks = yield* TaskStore

  let known: { readonly at: number; readonly workers: ReadonlyArray<WorkerRecord> } | null = null
  const workers: Effect.Effect<ReadonlyArray<WorkerRecord>, StoreError> = Effect.suspend(() =>
    known !== null && performance.now() - known.at < WORKERS_FRESH_MS ? Effect.succeed(known.workers)
      : Effect.tap(registry.workers(ports.stale_ms), (found) => Effect.sync(() => { known = { at: performance.now(), workers: found } })))

  /** Only a job that waits in the queue needs its surroundings; only one that follows another can find the lock taken. */
  const around = (job: JobRecord | null): Effect.Effect<Surroundings, StoreError> => Effect.gen(function*() {
    if (job === null || job.status !== "queued") return { workers: [], locked: false }
    const others = job.continued_from_job_id === null || job.parent_job_id !== null ? [] : yield* jobs.listByTask(job.task_id)
    return { workers: yield* workers, locked: others.some((other) => other.parent_job_id === null && other.status === "running") }
  })

  const filesOf = (name: string): Effect.Effect<TaskFiles, Failure> =>
    Effect.all({ input: workspace.list(name, "input"), output: workspace.list(name, "output") })

  const showTask = (found: TaskWithJob, files?: TaskFiles): Effect.Effect<TaskView, Failure> => Effect.gen(function*() {
    return taskView(found, files ?? (yield* filesOf(found.task.workspace)), yield* around(found.job))
  })

  return {
    ports, registry, workspace, jobs, tasks,
    journal: yield* Journal,
    events: yield* EventLog,
    pieces: yield* PieceSource,
    settings: (yield* CurrentSettings).get,
    showTask,
    showTasks: (found: ReadonlyArray<TaskWithJob>) => Effect.forEach(found, (one) => showTask(one), { concurrency: LISTS_AT_ONCE }),
    showJob: (job: JobRecord) => Effect.map(around(job), (surroundings) => jobView(job, surroundings)),
    findTask: (id: number): Effect.Effect<TaskWithJob, NotFound | StoreError> => Effect.flatMap(tasks.get(id), (found) =>
      found === null ? Effect.fail(new NotFound({ what: "task", id: String(id) })) : Effect.succeed(found)),
    findJob: (id: string): Effect.Effect<JobRecord, NotFound | StoreError> => Effect.flatMap(jobs.get(id), (found) =>
      found === null ? Effect.fail(new NotFound({ what: "job", id: id.slice(0, 100) })) : Effect.succeed(found)),
    /** An entry in the audit log; that it cannot be written is logged and does not change the answer. */
    audit: (action: AuditAction, task_id: number | null, detail: AuditRecord["detail"]) =>
      tasks.audit({ actor: OWNER, action, task_id, job_id: null, detail }).pipe(
        Effect.catch((error) => Effect.logWarning(`audit entry ${action} not written: ${error.message}`))),
  }
})

export type Services = Effect.Success<ReturnType<typeof gather>>
