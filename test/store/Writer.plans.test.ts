// How SQLite carries out the store's writes: none may walk a table that grows with the age of the installation, and the text of
// a write may not depend on what it carries, so that it is prepared once.
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { appendWrite } from "../../src/store/appendWrite.ts"
import { claimWrite } from "../../src/store/claimWrite.ts"
import { commentWrite } from "../../src/store/commentWrite.ts"
import type { Driver } from "../../src/store/driver.ts"
import { openFile } from "../../src/store/fileConnection.ts"
import { finishWrite } from "../../src/store/finishWrite.ts"
import { openLibsql } from "../../src/store/libsqlDriver.ts"
import { heartbeatWrite, rescueWrite } from "../../src/store/leaseWrites.ts"
import { migrate } from "../../src/store/migrate.ts"
import { cancelWrite, removeWrite, retryWrite } from "../../src/store/moveWrites.ts"
import { submitWrite } from "../../src/store/submitWrite.ts"
import type { Connection, Statement } from "../../src/store/sql.ts"
import { failed, newTask, slot, succeeded, temporaryDirectory } from "../support/database.ts"

const directory = temporaryDirectory()
let connection: Connection
let libsql: Driver
beforeAll(async () => {
  connection = openFile(`${directory.path}/a.db`)
  await migrate(connection)
  libsql = openLibsql(`${directory.path}/a.db`, 1000)
})
afterAll(() => {
  libsql.close()
  connection.close()
  directory.remove()
})

const move = { task_id: 1, actor: "me", op: "o" }
const task = newTask({ idempotency_key: "k" })
const lease = { id: "j", fence: 1 }
const end = { ...lease, backoff_seconds: [1], movements: 1, context_actions: 0 }
const progress = { current_movement: null, current_activity: null, last_backend_id: null, context_used_tokens: 0, context_limit_tokens: 0, prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, llm_calls: 0, tool_calls: 0 }
const question = { _tag: "WaitingHuman", wait_reason: "question", question: "q", options: [], call_id: null, resume_movement: "m" } as const

/** `again`: as after a lost reply. */
const WRITES: Record<string, (again: boolean) => ReadonlyArray<Statement>> = {
  submit: (again) => submitWrite(1).plan([{ job_id: "j", task }], again).statements,
  claim: (again) => claimWrite().plan([{ node_id: "n", slots: [slot("w", ["auto", "fast"], ["m"])], lease_ttl_ms: 1, token: "t" }], again).statements,
  append: (again) => appendWrite.plan([{ job_id: "j", fence: 1, task_id: 1, attempt: 1, seq: 1, op: "o", entries: [{ kind: "run", attempt: 1, note: "" }], events: [{ event: "movement_start", data: { movement: "m" } }], comments: ["{}"], progress }], again).statements,
  comment: (again) => commentWrite.plan([{ task_id: 1, job_id: null, author: "user", kind: "message", body: "b", mode: null, op: "o" }], again).statements,
  finish: (again) => finishWrite(10).plan([{ ...end, outcome: succeeded() }, { ...end, outcome: failed(true) }, { ...end, outcome: question }], again).statements,
  heartbeat: (again) => heartbeatWrite.plan([{ leases: [lease], lease_ttl_ms: 1 }], again).statements,
  rescue: (again) => rescueWrite.plan([null], again).statements,
  cancel: (again) => cancelWrite.plan([move], again).statements,
  retry: (again) => retryWrite(1).plan([move], again).statements,
  remove: (again) => removeWrite.plan([move], again).statements,
}
/** A walk over a table under its own name or the one-letter alias that the statements give it. */
const WALK = /^SCAN (jobs|tasks|events|audit|comments|journal|[jtcerx])$/

describe("a write", () => {
  it.each(Object.entries(WRITES))("never walks a table that grows: %s", async (_name, statements) => {
    for (const { sql, args } of [...statements(false), ...statements(true)]) {
      // Bun's engine for a file, libSQL's for a primary: their planners are years apart.
      for (const rows of [await connection.read({ sql: `EXPLAIN QUERY PLAN ${sql}`, args }), libsql.once(`EXPLAIN QUERY PLAN ${sql}`, args)]) {
        expect(rows.length).toBeGreaterThan(0)
        expect(rows.map((row) => String(row[3])).filter((step) => WALK.test(step)), sql).toEqual([])
      }
    }
  })

  it("has the same text whatever it carries and however many", () => {
    const many = submitWrite(1).plan([{ job_id: "a", task }, { job_id: "b", task: newTask({ title: "other", role: "fast", idempotency_key: "l" }) }], false).statements
    expect(many.map(({ sql }) => sql)).toEqual(WRITES["submit"]?.(false).map(({ sql }) => sql))
    const two = claimWrite().plan([{ node_id: "m", slots: [slot("v", ["gpu"]), slot("w", ["gpu"])], lease_ttl_ms: 9, token: "u" }], false).statements
    expect(two.map(({ sql }) => sql)).toEqual(WRITES["claim"]?.(false).map(({ sql }) => sql))
  })
})
