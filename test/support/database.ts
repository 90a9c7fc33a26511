// A real store in a temporary directory of its own, for tests: `withStore` opens it, runs the body and closes it;
// `openStore` leaves that to the caller. Also the values that tests submit and short ways to do and see one thing.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, ManagedRuntime } from "effect"
import { v7 } from "uuid"
import type { AuditRecord, ClaimedJob, CommentRecord, JobRecord, NewTask } from "../../src/job/record.ts"
import type { Outcome } from "../../src/job/outcome.ts"
import { Database } from "../../src/store/Database.ts"
import { EventLog } from "../../src/store/EventLog.ts"
import type { StoredEvent } from "../../src/store/EventLog.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import type { ClaimSlot, FinishRequest } from "../../src/store/JobStore.ts"
import { storeLayer } from "../../src/store/layer.ts"
import type { Store, StoreOptions } from "../../src/store/layer.ts"
import type { Rows, SqlValue } from "../../src/store/sql.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"

export const AGEING_MS = 60_000
export const LEASE_MS = 30_000

export const newTask = (changes: Partial<NewTask> = {}): NewTask => ({
  title: "a task", instruction: "do it", piece: "general", piece_text: "name: general\n", role: "auto", model: null, priority: "medium", output_format: "markdown",
  ask_policy: "low", options: {}, visibility: "private", owner: "local", idempotency_key: null, max_attempts: 3, workspace: v7(), notice: null, ...changes,
})

export const submit = (changes: Partial<NewTask> = {}) => TaskStore.use((tasks) => tasks.submit(newTask(changes)))

/** One statement on the store's own connection, past the Writer: to bring rows into a state, or to look at them. */
export const sql = (text: string, ...args: ReadonlyArray<SqlValue>): Effect.Effect<Rows, never, Database> =>
  Database.use(({ connection }) => Effect.promise(() => connection.batch([{ sql: text, args }]))).pipe(Effect.map(([rows]) => rows ?? []))

export const jobOf = (id: string): Effect.Effect<JobRecord, unknown, JobStore> =>
  Effect.map(JobStore.use((jobs) => jobs.get(id)), (job) => {
    if (job === null) throw new Error(`no job ${id}`)
    return job
  })

export const eventsOf = (task_id: number): Effect.Effect<ReadonlyArray<StoredEvent>, unknown, EventLog> => EventLog.use((log) => log.after(task_id, 0, 1000))
export const commentsOf = (task_id: number): Effect.Effect<ReadonlyArray<CommentRecord>, unknown, TaskStore> =>
  Effect.map(TaskStore.use((tasks) => tasks.comments(task_id, { limit: 1000, cursor: null })), ({ items }) => items)
export const auditOf = (job_id: string): Effect.Effect<ReadonlyArray<AuditRecord>, unknown, TaskStore> => TaskStore.use((tasks) => tasks.auditOfJob(job_id))

export const slot = (worker_id = "w1", roles: ReadonlyArray<string> = ["auto"], models: ReadonlyArray<string> | null = null): ClaimSlot => ({ worker_id, roles, models })

export const claim = (slots = [slot()], node_id = "n1", lease_ttl_ms = LEASE_MS) => JobStore.use((jobs) => jobs.claim({ node_id, slots, lease_ttl_ms }))

/** The one job that waits. */
export const claimOne = Effect.map(claim(), ([job]): ClaimedJob => {
  if (job === undefined) throw new Error("nothing to claim")
  return job
})

export const finish = (job: { readonly id: string; readonly fence: number }, outcome: Outcome, changes: Partial<FinishRequest> = {}) =>
  JobStore.use((jobs) => jobs.finish({ id: job.id, fence: job.fence, outcome, backoff_seconds: [60, 300, 900], movements: 1, context_actions: 0, ...changes }))

export const succeeded = (result = "done"): Outcome => ({ _tag: "Succeeded", result })

export const failed = (retryable: boolean, error = "it broke"): Outcome => ({ _tag: "Failed", abort_reason: "timeout", error, retryable, resume_movement: null })

export const temporaryDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "attacca-store-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export const optionsFor = (url: string, changes: Partial<StoreOptions> = {}): StoreOptions => ({ url, auth_token: null, lock: url.startsWith("file:"), ageing_ms: AGEING_MS, max_give_backs: 10, ...changes })

export const openStore = (url: string, changes: Partial<StoreOptions> = {}): ManagedRuntime.ManagedRuntime<Store, unknown> => ManagedRuntime.make(storeLayer(optionsFor(url, changes)))

/** Runs the body over a fresh database file, and removes it. */
export const withStore = async <A, E>(body: Effect.Effect<A, E, Store>, changes: Partial<StoreOptions> = {}): Promise<A> => {
  const directory = temporaryDirectory()
  const store = openStore(`file:${directory.path}/attacca.db`, changes)
  try {
    return await store.runPromise(body)
  } finally {
    await store.dispose()
    directory.remove()
  }
}
