// The claim against a model of it in plain code: random queues of jobs, random slots, two claims one after the other. The
// model says which job goes to which worker; the database must agree row by row, and never run two jobs of one lock.
import { Effect, type ManagedRuntime } from "effect"
import fc from "fast-check"
import { afterAll, beforeAll, expect, it } from "vitest"
import { Database } from "../../src/store/Database.ts"
import { type ClaimSlot, JobStore } from "../../src/store/JobStore.ts"
import type { Store } from "../../src/store/layer.ts"
import { openStore, sql, submit, temporaryDirectory } from "../support/database.ts"

const RUNS = process.env["ATTACCA_TEST_LONG"] === undefined ? 300 : 3000
const ROLES = ["auto", "fast", "quality"]
const MODELS = ["big", "small"]

interface Row {
  readonly task: number
  readonly role: string
  readonly model: string | null
  readonly status: "queued" | "running" | "due" | "later" | "succeeded" | "waiting_human"
  readonly queue_key: number
  readonly created_at: number
  readonly locked: boolean
}
interface Job extends Row {
  readonly rowid: number
  taken: string | null
}

const rows = fc.array(fc.record<Row>({
  task: fc.integer({ min: 1, max: 6 }),
  role: fc.constantFrom(...ROLES),
  model: fc.option(fc.constantFrom(...MODELS)),
  status: fc.constantFrom("queued", "queued", "queued", "running", "due", "due", "later", "succeeded", "waiting_human"),
  queue_key: fc.integer({ min: 0, max: 5 }),
  created_at: fc.integer({ min: 0, max: 3 }),
  locked: fc.boolean(),
}), { maxLength: 14 })

const slots = fc.array(fc.record({
  worker_id: fc.constantFrom("w1", "w2", "w3"),
  roles: fc.subarray(ROLES, { minLength: 1 }),
  models: fc.option(fc.subarray(MODELS)),
  refuses: fc.subarray(MODELS, { maxLength: 1 }),
}), { maxLength: 5 })

/** Only one job of a lock may run, so of those that are drawn running the first one does. */
const legal = (drawn: ReadonlyArray<Row>): Array<Job> => {
  const held = new Set<number>()
  return drawn.map((row, k): Job => {
    const twice = row.status === "running" && row.locked && held.has(row.task)
    if (row.status === "running" && row.locked) held.add(row.task)
    return { ...row, status: twice ? "queued" : row.status, rowid: k + 1, taken: null }
  })
}

const serves = (slot: ClaimSlot, job: Job): boolean =>
  slot.roles.includes(job.role) && (job.model === null || ((slot.models === null || slot.models.includes(job.model)) && !(slot.refuses ?? []).includes(job.model)))
const waits = (job: Job): boolean => job.taken === null && (job.status === "queued" || job.status === "due")
const runs = (job: Job): boolean => job.taken !== null || job.status === "running"
const alike = (a: ClaimSlot, b: ClaimSlot): boolean => JSON.stringify([a.roles, a.models, a.refuses]) === JSON.stringify([b.roles, b.models, b.refuses])

/** Fills the slots from left to right; neighbours that are alike choose at one moment. */
const fill = (jobs: ReadonlyArray<Job>, wanted: ReadonlyArray<ClaimSlot>): void => {
  for (let from = 0; from < wanted.length;) {
    const slot = wanted[from] as ClaimSlot
    let to = from
    while (to < wanted.length && alike(slot, wanted[to] as ClaimSlot)) to++
    const candidates = jobs.filter((job) => waits(job) && serves(slot, job)).filter((job) => !job.locked || (
      !jobs.some((other) => other.locked && other.task === job.task && runs(other))
      && !jobs.some((other) => other.locked && other.task === job.task && other.rowid < job.rowid && waits(other) && serves(slot, other))))
    candidates.sort((a, b) => a.queue_key - b.queue_key || Number(a.status === "queued") - Number(b.status === "queued") || a.created_at - b.created_at || a.rowid - b.rowid)
    wanted.slice(from, to).forEach(({ worker_id }, k) => {
      const job = candidates[k]
      if (job !== undefined) job.taken = worker_id
    })
    from = to
  }
}

const FAR = 4_000_000_000_000
const COLUMNS = "id, task_id, kind, status, piece, piece_hash, required_role, required_model, lock_key, queue_key, attempt, max_attempts, next_retry_at, abort_reason, wait_reason, worker_id, node_id, fence, lease_expires_at, result, created_at, started_at, finished_at, moved_at, moved_by, move, move_detail"
const insert = (job: Job) => {
  const running = job.status === "running"
  const status = job.status === "due" || job.status === "later" ? "retry" : job.status
  return {
    sql: `INSERT INTO jobs (rowid, ${COLUMNS}) VALUES (${Array.from({ length: 28 }, () => "?").join(", ")})`,
    args: [
      job.rowid, `j${job.rowid}`, job.task, "agent", status, "general", "h", job.role, job.model, job.locked ? job.task : null, job.queue_key, 1, 3,
      job.status === "due" ? 1 : job.status === "later" ? FAR : null, null, status === "waiting_human" ? "question" : null,
      running ? "old" : null, running ? "old" : null, running ? 7 : 0, running ? FAR : null, status === "succeeded" ? "ok" : null,
      job.created_at, running ? 1 : null, status === "succeeded" ? 1 : null, 1, "test", "task.submitted", "{}",
    ],
  }
}

const directory = temporaryDirectory()
let store: ManagedRuntime.ManagedRuntime<Store, unknown>
beforeAll(async () => {
  store = openStore(`file:${directory.path}/attacca.db`)
  for (let k = 0; k < 6; k++) await store.runPromise(submit())
})
afterAll(async () => {
  await store.dispose()
  directory.remove()
})

it("a claim takes what its model says, in the same order, and never two jobs of one lock", () =>
  fc.assert(fc.asyncProperty(rows, slots, slots, async (drawn, first, second) => {
    const jobs = legal(drawn)
    const found = await store.runPromise(Effect.gen(function*() {
      const { connection } = yield* Database
      yield* Effect.promise(() => connection.batch([{ sql: "DELETE FROM jobs", args: [] }, ...jobs.map(insert)]))
      const claimed = []
      for (const wanted of [first, second]) claimed.push(yield* JobStore.use((store) => store.claim({ node_id: "n1", slots: wanted, lease_ttl_ms: 1000 })))
      const rows = yield* sql("SELECT rowid, worker_id, fence, attempt, status FROM jobs WHERE node_id = 'n1' ORDER BY rowid")
      const doubled = yield* sql("SELECT lock_key FROM jobs WHERE status = 'running' AND lock_key IS NOT NULL GROUP BY lock_key HAVING count(*) > 1")
      return { claimed, rows, doubled }
    }))
    fill(jobs, first)
    const byFirst = jobs.filter(({ taken }) => taken !== null).length
    fill(jobs, second)
    const expected = jobs.filter(({ taken }) => taken !== null).map((job) => [job.rowid, job.taken, 1, job.status === "due" ? 2 : 1, "running"])
    expect(found.rows).toEqual(expected)
    expect(found.claimed[0]).toHaveLength(byFirst)
    expect(found.claimed[1]).toHaveLength(expected.length - byFirst)
    expect(found.doubled).toEqual([])
  }), { numRuns: RUNS }))
