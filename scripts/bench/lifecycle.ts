// `bun scripts/bench/lifecycle.ts`: durable lifecycles of a job (submit, claim, finish; no model) through the real store, 64
// at once, every commit on the disk; the same beside a million finished jobs; and BullMQ on Redis with `appendfsync always`
// in the same run. Every row that a real job writes is written, and counted after the run.
import { Database } from "bun:sqlite"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Effect, ManagedRuntime } from "effect"
import { v7 } from "uuid"
import type { ClaimedJob, NewTask } from "../../src/job/record.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { storeLayer } from "../../src/store/layer.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { Wake } from "../../src/store/Wake.ts"
import { bullmq } from "./bullmq.ts"
import { atLeast, atMost, figure, median, percentile, printRows, skipped } from "./report.ts"
import type { BenchRow } from "./report.ts"

const AT_ONCE = 64
const WARM_UP_MS = 1500
const MEASURE_MS = 5000
const ROUNDS = 3
const FINISHED_ROWS = 1_000_000
const PAYLOAD = "x".repeat(500)

const LEAST_PER_SECOND = 12_000
const RIVAL_FACTOR = 1.5
const CLAIM_P99_MS = 10
const SLOWER_AT_MOST = 1.2

const task = (): NewTask => ({
  title: "bench", instruction: PAYLOAD, piece: "general", piece_text: "name: general\n", role: "auto", model: null, priority: "medium", output_format: "markdown",
  ask_policy: "low", options: {}, visibility: "private", owner: "local", idempotency_key: null, max_attempts: 3, workspace: v7(), notice: null,
})

interface Measured {
  readonly per_second: number
  /** Submit asked → its job in the hands of a run. */
  readonly claim_ms: ReadonlyArray<number>
}

/**
 * Callers who each submit a job, wait until a run has it, and submit the next, while the run's end is written: the closed loop in
 * which queues are commonly measured, BullMQ below too. Only what was finished durably is counted.
 */
const run = (for_ms: number) => Effect.gen(function*() {
  const tasks = yield* TaskStore
  const jobs = yield* JobStore
  const wake = yield* Wake
  const waiting = new Map<string, { readonly since: number; readonly started: () => void }>()
  const claim_ms: Array<number> = []
  let finished = 0
  let free = 2 * AT_ONCE // runs whose end is being written hold their slots still

  const play = (job: ClaimedJob) => Effect.gen(function*() {
    const caller = waiting.get(job.task.workspace)
    claim_ms.push(performance.now() - (caller?.since ?? Number.NaN))
    caller?.started()
    yield* jobs.finish({ id: job.id, fence: job.fence, outcome: { _tag: "Succeeded", result: "done" }, backoff_seconds: [60], movements: 1, context_actions: 0 })
    finished++
    free++
  })
  const claimer = Effect.gen(function*() {
    yield* wake.next
    const slots = Array.from({ length: free }, () => ({ worker_id: "bench", roles: ["auto", "fast", "quality"], models: null }))
    const claimed = yield* jobs.claim({ node_id: "bench", slots, lease_ttl_ms: 30_000 })
    free -= claimed.length
    for (const job of claimed) yield* Effect.forkDetach(play(job))
  }).pipe(Effect.forever)
  const caller = Effect.gen(function*() {
    const end = performance.now() + for_ms
    while (performance.now() < end) {
      const one = task()
      const started = Promise.withResolvers<void>()
      waiting.set(one.workspace, { since: performance.now(), started: started.resolve })
      yield* tasks.submit(one)
      yield* Effect.promise(() => started.promise)
      waiting.delete(one.workspace)
    }
  })
  const start = performance.now()
  yield* Effect.raceFirst(Effect.all(Array.from({ length: AT_ONCE }, () => caller), { concurrency: "unbounded", discard: true }), claimer)
  const per_second = (finished * 1000) / (performance.now() - start)
  while (finished < claim_ms.length) yield* Effect.sleep(1)
  return { per_second, claim_ms } satisfies Measured
})

const open = (file: string) => ManagedRuntime.make(storeLayer({ url: `file:${file}`, auth_token: null, lock: true, ageing_ms: 60_000, max_give_backs: 10 }))

export const measure = async (file: string): Promise<Measured> => {
  const store = open(file)
  try {
    await store.runPromise(run(WARM_UP_MS))
    return await store.runPromise(run(MEASURE_MS))
  } finally {
    await store.dispose()
  }
}

const TABLES = ["tasks", "jobs", "events", "audit", "comments"] as const

const countRows = (file: string): Record<(typeof TABLES)[number], number> => {
  const db = new Database(file)
  try {
    const [row] = db.prepare(`SELECT ${TABLES.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`).join(", ")}`).all()
    return row as Record<(typeof TABLES)[number], number>
  } finally {
    db.close()
  }
}

/** A million tasks with a finished job each, as a long life leaves them (without their events, comments and audit entries). */
const fill = async (file: string): Promise<void> => {
  const store = open(file)
  await store.runPromise(Effect.void)
  await store.dispose()
  const db = new Database(file)
  try {
    db.run("PRAGMA synchronous = OFF")
    const triggers = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as ReadonlyArray<{ readonly name: string; readonly sql: string }>
    for (const { name } of triggers) db.run(`DROP TRIGGER ${name}`)
    const series = `WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < ${FINISHED_ROWS})`
    db.run(`${series} INSERT INTO tasks (id, title, instruction, piece, role, priority, output_format, ask_policy, options, visibility, owner, workspace, created_at, updated_at)
      SELECT k, 'old', '${PAYLOAD}', 'general', 'auto', 'medium', 'markdown', 'low', '{}', 'private', 'local', 'w' || k, 1700000000000 + k, 1700000000000 + k FROM n`)
    db.run(`${series} INSERT INTO jobs (id, task_id, kind, status, piece, piece_hash, required_role, lock_key, queue_key, max_attempts, fence, result, created_at, started_at, finished_at, moved_at, moved_by, move, move_detail)
      SELECT printf('00000000-0000-7000-8000-%012d', k), k, 'agent', 'succeeded', 'general', 'h', 'auto', k, 1700000000000 + k, 3, 1, 'done', 1700000000000 + k, 1700000000000 + k, 1700000000000 + k, 1700000000000 + k, 'worker:old', 'job.succeeded', '{}' FROM n`)
    for (const { sql } of triggers) db.run(sql)
    db.run("PRAGMA wal_checkpoint(TRUNCATE)")
  } finally {
    db.close()
  }
}

export const lifecycle = async (): Promise<ReadonlyArray<BenchRow>> => {
  mkdirSync(".bench", { recursive: true })
  const directory = mkdtempSync(join(process.cwd(), ".bench", "lifecycle-"))
  try {
    const old = join(directory, "old.db")
    await fill(old)
    const fresh: Array<Measured> = []
    const aged: Array<Measured> = []
    const rival: Array<number> = []
    let refused = ""
    let rows: ReadonlyArray<BenchRow> = []
    for (let round = 0; round < ROUNDS; round++) {
      const file = join(directory, `fresh-${round}.db`)
      fresh.push(await measure(file))
      if (round === 0) rows = rowsPerJob(countRows(file))
      aged.push(await measure(old))
      const other = await bullmq({ at_once: AT_ONCE, warm_up_ms: WARM_UP_MS, measure_ms: MEASURE_MS, payload: PAYLOAD, directory })
      if (typeof other === "string") refused = other
      else rival.push(other.per_second)
    }
    return [...report(fresh, aged, rival, refused), ...rows]
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const report = (fresh: ReadonlyArray<Measured>, aged: ReadonlyArray<Measured>, rival: ReadonlyArray<number>, refused: string): ReadonlyArray<BenchRow> => {
  const rate = median(fresh.map(({ per_second }) => per_second))
  const agedRate = median(aged.map(({ per_second }) => per_second))
  const runs = `${ROUNDS} runs of ${MEASURE_MS / 1000} s: ${fresh.map(({ per_second }) => Math.round(per_second)).join(", ")}`
  return [
    atLeast("lifecycles, 64 at once, fsync on", rate, "/s", LEAST_PER_SECOND, "at least", runs),
    rival.length === 0
      ? skipped("BullMQ, appendfsync always", refused)
      : atLeast("  times BullMQ, appendfsync always", rate / median(rival), "x", RIVAL_FACTOR, "at least", `BullMQ: ${rival.map(Math.round).join(", ")} /s`),
    atMost("submit → claimed, p99", median(fresh.map(({ claim_ms }) => percentile(claim_ms, 0.99))), "ms", CLAIM_P99_MS, "at most", `p50 ${median(fresh.map(({ claim_ms }) => percentile(claim_ms, 0.5))).toFixed(1)}`),
    figure("lifecycles beside 1,000,000 finished jobs", agedRate, "/s", aged.map(({ per_second }) => Math.round(per_second)).join(", ")),
    atMost("  times slower than fresh", rate / agedRate, "x", SLOWER_AT_MOST, "at most"),
    atMost("  submit → claimed, p99", median(aged.map(({ claim_ms }) => percentile(claim_ms, 0.99))), "ms", CLAIM_P99_MS, "at most"),
  ]
}

const rowsPerJob = (counts: Record<(typeof TABLES)[number], number>): ReadonlyArray<BenchRow> =>
  TABLES.map((table) => figure(`  rows in ${table}`, counts[table] / counts.jobs, "a job", `${counts[table].toLocaleString("en-GB")} rows`))

if (import.meta.main) {
  const rows = await lifecycle()
  printRows(rows)
  process.exit(rows.some((row) => row.ok === false) ? 1 : 0)
}
