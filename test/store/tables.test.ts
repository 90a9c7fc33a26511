// The schema refuses rows that no run of the program may leave behind, and an audit log that shrinks or changes.
import { spawnSync } from "node:child_process"
import { cpSync, readdirSync } from "node:fs"
import { join, relative } from "node:path"
import { Effect } from "effect"
import { getTableName } from "drizzle-orm"
import { describe, expect, it, onTestFinished } from "vitest"
import { Database } from "../../src/store/Database.ts"
import * as tables from "../../src/store/tables.ts"
import { claimOne, sql, submit, temporaryDirectory, withStore } from "../support/database.ts"
import { ROOT } from "../support/source.ts"

const refused = (text: string) => Database.use(({ connection }) => Effect.promise(() => connection.batch([{ sql: text, args: [] }]).then(() => "written", (cause: unknown) => String(cause))))

/** What is set in the row of a job that is queued, and one that is running. */
const IMPOSSIBLE: ReadonlyArray<readonly [constraint: string, set: string]> = [
  ["jobs_status", "status = 'paused'"],
  ["jobs_kind", "kind = 'cron'"],
  ["jobs_abort_reason", "status = 'failed', finished_at = 1, abort_reason = 'bad luck'"],
  ["jobs_wait_reason", "wait_reason = 'weather'"],
  ["jobs_running", "status = 'running', worker_id = 'w', node_id = 'n', started_at = 1, fence = 1"],
  ["jobs_running", "lease_expires_at = 1"],
  ["jobs_running", "status = 'running', lease_expires_at = 1, node_id = 'n', started_at = 1, fence = 1"],
  ["jobs_running", "status = 'running', lease_expires_at = 1, worker_id = 'w', started_at = 1, fence = 1"],
  ["jobs_started", "status = 'running', lease_expires_at = 1, worker_id = 'w', node_id = 'n', fence = 1"],
  ["jobs_started", "status = 'running', lease_expires_at = 1, worker_id = 'w', node_id = 'n', started_at = 1"],
  ["jobs_finished", "status = 'succeeded', result = 'r'"],
  ["jobs_finished", "status = 'cancelled'"],
  ["jobs_finished", "finished_at = 1"],
  ["jobs_retry_time", "status = 'retry'"],
  ["jobs_retry_time", "next_retry_at = 1"],
  ["jobs_waiting_human", "status = 'waiting_human'"],
  ["jobs_failed", "status = 'failed', finished_at = 1"],
  ["jobs_succeeded", "status = 'succeeded', finished_at = 1"],
  ["jobs_succeeded", "status = 'succeeded', finished_at = 1, result = 'r', abort_reason = 'loop'"],
  ["jobs_succeeded", "status = 'succeeded', finished_at = 1, result = 'r', error_summary = 'e'"],
  ["jobs_attempts", "attempt = 4"],
  ["jobs_attempts", "attempt = 0"],
  ["jobs_counts", "fence = -1"],
  ["jobs_counts", "give_backs = -1"],
  ["jobs_counts", "ask_count = -1"],
]

const OTHERS: ReadonlyArray<readonly [constraint: string, statement: string]> = [
  ["tasks_priority", "UPDATE tasks SET priority = 'urgent'"],
  ["tasks_output_format", "UPDATE tasks SET output_format = 'pdf'"],
  ["tasks_ask_policy", "UPDATE tasks SET ask_policy = 'medium'"],
  ["tasks_visibility", "UPDATE tasks SET visibility = 'secret'"],
  ["NOT NULL", "UPDATE tasks SET title = NULL"],
  ["NOT NULL", "UPDATE jobs SET moved_by = NULL"],
  ["comments_author", "INSERT INTO comments (task_id, author, kind, body, created_at) VALUES (1, 'robot', 'message', 'b', 1)"],
  ["comments_kind", "INSERT INTO comments (task_id, author, kind, body, created_at) VALUES (1, 'user', 'shout', 'b', 1)"],
  ["comments_mode", "INSERT INTO comments (task_id, author, kind, body, mode, created_at) VALUES (1, 'user', 'message', 'b', 'now', 1)"],
  ["journal_seq", "INSERT INTO journal (job_id, seq, fence, attempt, at, kind, data) VALUES ('j', 0, 1, 1, 1, 'note', '{}')"],
  ["journal_seq", "INSERT INTO journal (job_id, seq, fence, attempt, at, kind, data) VALUES ('j', 1, 0, 1, 1, 'note', '{}')"],
]

describe("a row that cannot be", () => {
  it.each(IMPOSSIBLE)("%s: %s", (constraint, set) => withStore(Effect.gen(function*() {
    yield* submit()
    expect(yield* refused(`UPDATE jobs SET ${set}`)).toContain(constraint)
    expect(yield* sql("SELECT status FROM jobs")).toEqual([["queued"]])
  })))

  it.each(OTHERS)("%s: %s", (constraint, statement) => withStore(Effect.gen(function*() {
    yield* submit()
    expect(yield* refused(statement)).toContain(constraint)
  })))

  it("two running jobs with one lock", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    yield* claimOne
    yield* submit()
    const other = yield* claimOne
    expect(yield* refused(`UPDATE jobs SET lock_key = ${id} WHERE id = '${other.id}'`)).toContain("UNIQUE")
  })))

  it("two tasks of one owner with one idempotency key", () => withStore(Effect.gen(function*() {
    yield* submit({ idempotency_key: "k" })
    yield* submit()
    expect(yield* refused("UPDATE tasks SET idempotency_key = 'k'")).toContain("UNIQUE")
  })))
})

describe("the audit log", () => {
  it.each(["UPDATE audit SET actor = 'nobody'", "UPDATE audit SET at = 1 WHERE id = 1", "DELETE FROM audit", "DELETE FROM audit WHERE id = 1", "INSERT OR REPLACE INTO audit (id, at, actor, action, detail) VALUES (1, 1, 'x', 'y', '{}') ON CONFLICT (id) DO UPDATE SET actor = 'x'"])("is append-only: %s", (statement) => withStore(Effect.gen(function*() {
    yield* submit()
    const before = yield* sql("SELECT * FROM audit")
    expect(yield* refused(statement)).toContain("append-only")
    expect(yield* sql("SELECT * FROM audit")).toEqual(before)
  })))
})

it("every table of the schema is in the database, and no other", () => withStore(Effect.gen(function*() {
  const declared = Object.values(tables).map((table) => getTableName(table)).sort()
  const found = yield* sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '__drizzle_migrations' ORDER BY name")
  expect(found.map(([name]) => name)).toEqual(declared)
})))

it("the migrations are up to date: generating again writes nothing", () => {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  const out = join(directory.path, "drizzle")
  cpSync(join(ROOT, "drizzle"), out, { recursive: true })
  const files = readdirSync(out, { recursive: true }).sort()
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/generate.ts", "again", "--out", relative(ROOT, out)], { cwd: ROOT, encoding: "utf8" })
  expect(stdout, stderr).toContain("nothing to migrate")
  expect(status).toBe(0)
  expect(readdirSync(out, { recursive: true }).sort()).toEqual(files)
})
