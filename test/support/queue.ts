// A whole node without its HTTP server, in this process: the layers of `app.ts` over a real database file and real workspaces
// in a temporary folder, with the scripted model as its worker. Fast settings; every wait has a deadline. `startQueue` ends
// with its test; a second one over the same `dir` is the node's next start. Parts can be replaced where a test needs a fault.
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, ManagedRuntime } from "effect"
import { v7 } from "uuid"
import { onTestFinished } from "vitest"
import { baseLayer, nodeLayer } from "../../src/app.ts"
import type { AuditRecord, CommentRecord, JobRecord, NewTask } from "../../src/job/record.ts"
import type { StoredEntry } from "../../src/job/turn.ts"
import { loggingLayer } from "../../src/metrics/logging.ts"
import { Metrics } from "../../src/metrics/Metrics.ts"
import { Claimer } from "../../src/queue/Claimer.ts"
import { Heartbeat } from "../../src/queue/Heartbeat.ts"
import { Runner, type PlayJob } from "../../src/queue/Runner.ts"
import { Workers } from "../../src/queue/Workers.ts"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import { loadSettings } from "../../src/settings/load.ts"
import type { Settings, WorkerSettings } from "../../src/settings/settings.ts"
import { Database } from "../../src/store/Database.ts"
import { EventLog, type StoredEvent } from "../../src/store/EventLog.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { Journal } from "../../src/store/Journal.ts"
import type { SqlValue } from "../../src/store/sql.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { Workspace } from "../../src/workspace/Workspace.ts"

const DEADLINE_MS = 8_000
const POLL_MS = 5

type NodeServices = Layer.Success<ReturnType<typeof nodeLayer>>
/** Sections of the settings that a test changes. */
export type Changes = { readonly [K in keyof Settings]?: Settings[K] extends ReadonlyArray<unknown> | string | number | null ? Settings[K] : Partial<Settings[K]> }

export interface QueueOptions {
  /** Base URL of the model of worker `w1`, for tests that need one plain worker. */
  readonly llm?: string
  readonly workers?: ReadonlyArray<WorkerSettings>
  readonly settings?: Changes
  /** Default: a new temporary folder. */
  readonly dir?: string
  readonly node_id?: string
  /** In place of what `prepare.ts` plays; the node then has no presence and no rescuer. */
  readonly play?: PlayJob
}

export const worker = (over: Partial<WorkerSettings>): WorkerSettings => ({
  id: "w1", endpoint: "", model: null, api_key: null, roles: ["auto", "fast", "quality"], max_concurrency: 4, proxy: false, vlm: false, enabled: true, claims: true,
  size: "normal", healthcheck_interval_seconds: 10, context_limit_tokens: null, ...over,
})

/** One movement with the file tools; the model's answers are chosen by `SCENARIO:name` in the instruction. */
export const pieceText = (extra = "", name = "probe"): string => `name: ${name}
description: one movement with the file tools
initial_movement: work
${extra}movements:
  - name: work
    instruction: Do the task.
    tools: [Read, Write, Ls, AskUser, CreateChecklist, CheckItem]
    rules:
      - if: it is done
        next: COMPLETE
      - if: it cannot be done
        next: ABORT
`

export const taskOf = (scenario: string, changes: Partial<NewTask> = {}): NewTask => ({
  title: scenario, instruction: `SCENARIO:${scenario}`, piece: "probe", piece_text: pieceText(), role: "auto", model: null, priority: "medium", output_format: "markdown",
  ask_policy: "low", options: {}, visibility: "private", owner: "local", idempotency_key: null, max_attempts: 3, workspace: v7(), notice: null, ...changes,
})

export interface Submitted {
  readonly id: number
  readonly job_id: string
  readonly workspace: string
}

export interface Queue {
  readonly dir: string
  /** Lines of the log, as JSON. */
  readonly logs: Array<string>
  readonly run: <A, E>(effect: Effect.Effect<A, E, NodeServices>) => Promise<A>
  readonly submit: (scenario: string, changes?: Partial<NewTask>) => Promise<Submitted>
  readonly job: (of: Submitted) => Promise<JobRecord>
  /** The job as soon as it has one of these statuses. */
  readonly until: (of: Submitted, ...statuses: ReadonlyArray<string>) => Promise<JobRecord>
  /** The job as soon as it fulfils the condition. */
  readonly when: (of: Submitted, condition: (job: JobRecord) => boolean) => Promise<JobRecord>
  readonly cancel: (of: Submitted) => Promise<void>
  readonly comments: (of: Submitted) => Promise<ReadonlyArray<CommentRecord>>
  readonly events: (of: Submitted) => Promise<ReadonlyArray<StoredEvent>>
  readonly journal: (of: Submitted) => Promise<ReadonlyArray<StoredEntry>>
  readonly audit: (of: Submitted) => Promise<ReadonlyArray<AuditRecord>>
  /** Any statement on the node's own connection. */
  readonly sql: (text: string, ...args: ReadonlyArray<SqlValue>) => Promise<ReadonlyArray<ReadonlyArray<SqlValue>>>
  readonly activity: (of: Submitted) => Promise<string>
  readonly metrics: () => Promise<string>
  /** Ends the node in order, as a closed scope does. */
  readonly stop: () => Promise<void>
}

/** Asks until there is an answer; fails with what `describe` says. */
export const eventually = async <A>(ask: () => Promise<A | null> | A | null, describe: () => unknown, ms = DEADLINE_MS): Promise<A> => {
  const end = performance.now() + ms
  for (;;) {
    const value = await ask()
    if (value !== null) return value
    if (performance.now() > end) throw new Error(`did not come within ${ms} ms: ${JSON.stringify(await describe())}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

export const temporaryDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "attacca-queue-"))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Polls are a minute apart unless a test says otherwise, so that what happens in time happens by wake-up. */
const FAST: Changes = {
  queue: { poll_seconds: 60 }, lease: { ttl_seconds: 30, heartbeat_seconds: 10 }, retry: { max_attempts: 3, backoff_seconds: [0.05] },
  llm: { retries: 0 },
}

const settingsOf = (dir: string, changes: Changes): Settings => {
  const { settings } = Effect.runSync(loadSettings({ env: { ATTACCA_DATA_DIR: dir }, cwd: dir }))
  const merged: Record<string, unknown> = { ...settings }
  for (const part of [FAST, changes]) {
    for (const [key, value] of Object.entries(part)) {
      merged[key] = typeof value === "object" && value !== null && !Array.isArray(value) ? { ...(merged[key] as object), ...value } : value
    }
  }
  return merged as unknown as Settings
}

/** The node's layers with another `play`, for faults that no model can make. */
const playingLayer = (settings: Settings, workers: ReadonlyArray<WorkerSettings>, node_id: string, play: PlayJob) => {
  const lease_ttl_ms = settings.lease.ttl_seconds * 1000
  return Claimer.layer({ node_id, lease_ttl_ms, poll_ms: settings.queue.poll_seconds * 1000 }).pipe(
    Layer.provideMerge(Heartbeat.layer({ lease_ttl_ms, heartbeat_ms: settings.lease.heartbeat_seconds * 1000, max_silence_ms: 2 * settings.llm.timeout_minutes * 60_000 })),
    Layer.provideMerge(Runner.layer({ play, backoff_seconds: settings.retry.backoff_seconds })),
    Layer.provideMerge(Workers.layer(workers)),
    Layer.provideMerge(LlmClient.layer({ connect_timeout_ms: 1_000, retries: 0 })),
    Layer.provideMerge(Metrics.layer({ pieces: new Set(["general"]), toolLabel: (name) => name })),
    Layer.provideMerge(baseLayer(settings, Effect.succeed(null))),
  )
}

/** Starts a node; it ends with the test at the latest. */
export const startQueue = async (options: QueueOptions = {}): Promise<Queue> => {
  const dir = options.dir ?? temporaryDir()
  const node_id = options.node_id ?? "n1"
  const settings = settingsOf(dir, options.settings ?? {})
  const workers = options.workers ?? [worker({ endpoint: options.llm ?? "" })]
  const logs: Array<string> = []
  const logging = loggingLayer({ level: "debug", format: "json", node_id, secrets: [], write: (line) => logs.push(line) })
  const layer = options.play === undefined
    ? nodeLayer({ settings, node_id, url: "http://127.0.0.1:1", version: "0.0.0", workers })
    : playingLayer(settings, workers, node_id, options.play)
  const runtime = ManagedRuntime.make((layer as ReturnType<typeof nodeLayer>).pipe(Layer.provideMerge(logging)))
  onTestFinished(() => runtime.dispose())
  const run: Queue["run"] = (effect) => runtime.runPromise(effect)
  await run(Effect.void)
  const job: Queue["job"] = async ({ job_id }) => (await run(JobStore.use((jobs) => jobs.get(job_id)))) ?? Promise.reject(new Error("there is no such job"))
  const comments: Queue["comments"] = async ({ id }) => (await run(TaskStore.use((tasks) => tasks.comments(id, { limit: 10_000, cursor: null })))).items
  const when: Queue["when"] = (of, condition) => eventually(async () => {
    const now = await job(of)
    return condition(now) ? now : null
  }, async () => ({ job: await job(of), comments: await comments(of), logs: logs.slice(-10) }))
  return {
    dir, logs, run, job, when, comments,
    submit: async (scenario, changes = {}) => {
      const task = taskOf(scenario, changes)
      return { ...(await run(TaskStore.use((tasks) => tasks.submit(task)))), workspace: task.workspace }
    },
    until: (of, ...statuses) => when(of, ({ status }) => statuses.includes(status)),
    cancel: async ({ id }) => {
      const cancelled = await run(JobStore.use((jobs) => jobs.cancel(id, "local")))
      await run(Runner.use((runner) => runner.cancelled(cancelled)))
    },
    events: ({ id }) => run(EventLog.use((events) => events.after(id, 0, 10_000))),
    journal: ({ job_id }) => run(Journal.use((journal) => journal.read(job_id))),
    audit: ({ job_id }) => run(TaskStore.use((tasks) => tasks.auditOfJob(job_id))),
    sql: (text, ...args) => run(Database.use((database) => database.read({ sql: text, args }))),
    activity: async ({ workspace }) => readFileSync(await run(Workspace.use((workspaces) => workspaces.resolve(workspace, "logs/activity.log", "read"))), "utf8"),
    metrics: async () => (await run(Metrics.use((metrics) => Effect.promise(() => metrics.text(null))))).text,
    stop: () => runtime.dispose(),
  }
}
