// A whole HTTP surface over a real store in a directory of its own, for the tests of http/. No workers run; what a run would
// write is written by the test through the store's own services.
import { Effect, Exit, Layer, ManagedRuntime, Scope } from "effect"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import { makeApp } from "../../src/http/app.ts"
import type { Ports } from "../../src/http/ports.ts"
import type { Outcome } from "../../src/job/outcome.ts"
import { PieceSource } from "../../src/piece/PieceSource.ts"
import { CurrentSettings } from "../../src/settings/CurrentSettings.ts"
import { loadSettings } from "../../src/settings/load.ts"
import type { WorkerSettings } from "../../src/settings/settings.ts"
import { Database } from "../../src/store/Database.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { storeLayer } from "../../src/store/layer.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { Workspace } from "../../src/workspace/Workspace.ts"

export const BASE = "http://127.0.0.1:3000"

export interface TestApp extends Awaited<ReturnType<typeof startApp>> {}

export interface TestOptions {
  /** YAML of the configuration besides data_dir and database. */
  readonly config?: string
  readonly ports?: Partial<Ports>
  readonly workers?: ReadonlyArray<WorkerSettings>
}

export const worker = (over: Partial<WorkerSettings> = {}): WorkerSettings => ({
  id: "w1", endpoint: "http://user:pass@127.0.0.1:9/v1", model: "m", api_key: "k-secret", roles: ["auto"], max_concurrency: 2, proxy: false, vlm: false, enabled: true,
  claims: true, size: "normal", healthcheck_interval_seconds: 30, context_limit_tokens: null, ...over,
})

export const startApp = async (options: TestOptions = {}) => {
  const dir = mkdtempSync(join(tmpdir(), "attacca-http-"))
  const file = join(dir, "attacca.yaml")
  writeFileSync(file, `data_dir: ${dir}/data\n${options.config ?? ""}`)
  const load = { config: file, env: {}, cwd: dir }
  const loaded = await Effect.runPromise(loadSettings(load))
  const { settings } = loaded
  const layer = Layer.mergeAll(
    CurrentSettings.layer(loaded, load),
    Workspace.layer({ root: join(settings.data_dir, "workspaces") }),
    PieceSource.layer({ custom_dir: settings.pieces.custom_dir, tools: [], models: Effect.succeed(null) }),
  ).pipe(Layer.provideMerge(storeLayer({ url: settings.database.url, auth_token: null, lock: true, ageing_ms: 60_000, max_give_backs: 10 })))
  const runtime = ManagedRuntime.make(layer)
  const current = await runtime.runPromise(CurrentSettings)
  const interrupted: Array<string> = []
  const ports: Ports = {
    control: { interrupt: (job_id) => Effect.sync(() => { interrupted.push(job_id) }), cancelled: (job) => Effect.sync(() => { interrupted.push(job.id) }) },
    reload: Effect.suspend(() => current.reload),
    workers: () => options.workers ?? [], metrics: async () => ({ type: "text/plain; version=0.0.4", text: "up 1\n" }),
    node: null, stale_ms: 30_000, version: "0.0.0-test", ...options.ports,
  }
  const scope = Scope.makeUnsafe()
  const app = await runtime.runPromise(makeApp(ports).pipe(Scope.provide(scope)))
  const fetch = (path: string, init: RequestInit = {}) => app.fetch(new Request(new URL(path, BASE), init))
  return {
    app, dir, settings, ports, interrupted, runtime, fetch,
    run: runtime.runPromise,
    /** Actions in the audit log, in order: of one task, or those of no task. */
    auditActions: async (task_id: number | null) => {
      const rows = await runtime.runPromise(Database.use((database) => database.read({ sql: "SELECT action FROM audit WHERE task_id IS ? ORDER BY id", args: [task_id] })))
      return rows.map(([action]) => String(action))
    },
    json: async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
      const response = await fetch(path, { method, headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: (text === "" ? null : JSON.parse(text)) as never }
    },
    stop: async () => {
      app.close()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await runtime.dispose()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export interface Task {
  readonly id: number
  readonly title: string
  readonly status: string
  readonly piece: string
  readonly job: { readonly id: string; readonly status: string; readonly wait_reason: string | null }
  readonly files: { readonly input: ReadonlyArray<{ readonly path: string; readonly bytes: number }> }
  readonly result: string | null
}
export interface Problem {
  readonly status: number
  readonly detail: string
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string; readonly line?: number }>
}
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: never
}

export const submitTo = async (app: TestApp, body: object = {}): Promise<Task> => (await app.json("POST", "/api/tasks", { instruction: "Do it", ...body })).body

/** The problem of an answer, which must be one. */
export const problem = (answer: Answer): Problem => {
  expect(answer.headers.get("content-type")).toBe("application/problem+json")
  const body: Problem = answer.body
  expect(body.status).toBe(answer.status)
  return body
}
export const paths = (answer: Answer): ReadonlyArray<string> => (problem(answer).errors ?? []).map((e) => e.path).sort()

/** Claims until the task's job is claimed, as a worker would. */
export const claimOf = async (app: TestApp, task_id: number) => {
  for (;;) {
    const [job] = await app.run(JobStore.use((jobs) => jobs.claim({ node_id: "n", slots: [{ worker_id: "w1", roles: ["auto"], models: null }], lease_ttl_ms: 60_000 })))
    if (job === undefined) throw new Error("nothing is left to claim")
    if (job.task_id === task_id) return job
  }
}
export const finish = async (app: TestApp, task_id: number, outcome: Outcome) => {
  const job = await claimOf(app, task_id)
  const kept = await app.run(JobStore.use((jobs) => jobs.finish({ id: job.id, fence: job.fence, outcome, backoff_seconds: [60], movements: 1, context_actions: 0 })))
  expect(kept).toBe(true)
  return job
}
export const workspacesOf = (app: TestApp): ReadonlyArray<string> => readdirSync(join(app.settings.data_dir, "workspaces"))
export const folderOf = async (app: TestApp, task_id: number): Promise<string> =>
  join(app.settings.data_dir, "workspaces", (await app.run(TaskStore.use((tasks) => tasks.get(task_id))))?.task.workspace ?? "none")
