// What a person does to a task's job: cancel it with its sub-jobs (Q13), run it again after its end (Q9), delete the task.
// Each is guarded by the table of moves and tells afterwards what it met, so that a refusal can name both statuses.
import type { JobRecord } from "../job/record.ts"
import { sourcesOf, TERMINAL } from "../job/state.ts"
import { jobJson, jobOfJson } from "./records.ts"
import { NOW, quoted, rowsOf, toJson } from "./sql.ts"
import type { Rows } from "./sql.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

/** Rows of the input: 0 task_id, 1 actor, 2 op (id of the operation; for a retry the new job's id), 3 head start in ms. */
export interface TaskMove {
  readonly task_id: number
  readonly actor: string
  readonly op: string
}

/** What a move met: `done` is the job as it is after it; otherwise the status that forbade it, null when there is no such task. */
export type Moved = { readonly done: JobRecord } | { readonly done: null; readonly status: string | null }

const LATEST = "(SELECT max(x.rowid) FROM jobs x WHERE x.task_id = i.v->>0 AND x.parent_job_id IS NULL)"

const CANCELLABLE = quoted(sourcesOf("cancelled", "person"))
const CANCEL_COMMENT = `WITH ${rowsOf("i", "?1")}
INSERT INTO comments (task_id, job_id, author, kind, body, created_at)
SELECT j.task_id, j.id, 'system', 'event', 'Cancelled by ' || (i.v->>1) || '. Done so far: ' || j.llm_calls || ' LLM calls, ' || j.tool_calls || ' tool calls'
  || CASE WHEN j.current_movement IS NULL THEN '' ELSE ', last in movement ' || j.current_movement END || '.', ${NOW}
FROM i CROSS JOIN jobs j ON j.rowid = ${LATEST} WHERE j.status IN (${CANCELLABLE})`

const CANCEL = `WITH RECURSIVE ${rowsOf("i", "?1")},
tree (rid, id, actor, op) AS (
  SELECT j.rowid, j.id, i.v->>1, i.v->>2 FROM i CROSS JOIN jobs j ON j.rowid = ${LATEST} WHERE j.status IN (${CANCELLABLE})
  UNION ALL SELECT c.rowid, c.id, tree.actor, tree.op FROM tree CROSS JOIN jobs c ON c.parent_job_id = tree.id)
UPDATE jobs SET status = 'cancelled', lease_expires_at = NULL, next_retry_at = NULL, wait_reason = NULL, error_summary = NULL,
  abort_reason = 'cancelled', current_activity = NULL, finished_at = ${NOW}, moved_at = ${NOW}, moved_by = tree.actor, move = 'job.cancelled', move_id = tree.op,
  move_detail = json_object('from', status, 'abort_reason', 'cancelled', 'llm_calls', llm_calls, 'tool_calls', tool_calls)
FROM tree WHERE jobs.rowid = +tree.rid AND jobs.status IN (${CANCELLABLE})`

/** The latest root job of each task as it is now, and whether this operation moved it. */
const MET = `WITH ${rowsOf("i", "?1")} SELECT i.n, ${jobJson("j")}, j.status, j.move_id IS i.v->>2 FROM i CROSS JOIN jobs j ON j.rowid = ${LATEST}`

/** What is asked for one task more than once in a batch is done for the first who asks. */
const firstOfEach = <A extends { readonly task_id: number }>(inputs: ReadonlyArray<A>): ReadonlyArray<A> => {
  const seen = new Set<number>()
  return inputs.filter(({ task_id }) => !seen.has(task_id) && seen.add(task_id))
}
const toRows = (inputs: ReadonlyArray<TaskMove>): string => toJson(inputs.map(({ task_id, actor, op }) => [task_id, actor, op]))

export const cancelWrite: WriteKind<TaskMove, Moved> = {
  name: "cancel",
  order: ORDER.move,
  touches: (output, input, mark) => { if (output.done !== null) mark(input.task_id) },
  plan: (inputs) => {
    const args = [toRows(firstOfEach(inputs))]
    return {
      statements: [{ sql: CANCEL_COMMENT, args }, { sql: CANCEL, args }, { sql: MET, args: [toRows(inputs)] }],
      read: (results) => met(inputs, results[2] ?? []),
    }
  },
}

const RETRY = `WITH ${rowsOf("i", "?1")}
INSERT INTO jobs (id, task_id, continued_from_job_id, kind, status, piece, piece_hash, required_role, required_model, lock_key, queue_key, max_attempts, created_at, moved_at, moved_by, move, move_detail, move_id)
SELECT i.v->>2, j.task_id, j.id, 'agent', 'queued', j.piece, j.piece_hash, j.required_role, j.required_model, j.task_id,
  ${NOW} - ?2 * CASE t.priority WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END, j.max_attempts, ${NOW}, ${NOW}, i.v->>1, 'job.retried_by_hand',
  json_object('continued_from_job_id', j.id), i.v->>2
FROM i CROSS JOIN jobs j ON j.rowid = ${LATEST} CROSS JOIN tasks t ON t.id = j.task_id WHERE j.status IN (${quoted(TERMINAL)})
ON CONFLICT (id) DO NOTHING`

/** `op` is the id of the new job. */
export const retryWrite = (ageing_ms: number): WriteKind<TaskMove, Moved> => ({
  name: "retry",
  order: ORDER.move,
  touches: (output, input, mark) => { if (output.done !== null) mark(input.task_id) },
  plan: (inputs) => ({
    statements: [{ sql: RETRY, args: [toRows(firstOfEach(inputs)), ageing_ms] }, { sql: MET, args: [toRows(inputs)] }],
    read: (results) => met(inputs, results[1] ?? []),
  }),
})

const met = (inputs: ReadonlyArray<TaskMove>, rows: Rows): ReadonlyArray<Moved> => {
  const found = new Map(rows.map((row) => [Number(row[0]), row]))
  return inputs.map((_, k) => {
    const row = found.get(k)
    if (row === undefined) return { done: null, status: null }
    return row[3] === 1 ? { done: jobOfJson(String(row[1])) } : { done: null, status: String(row[2]) }
  })
}

// A task is deleted where none of its jobs runs. The tasks go before the jobs, so that the guard still sees them.
const DELETABLE = "SELECT i.value->>0 FROM json_each(?1) i WHERE NOT EXISTS (SELECT 1 FROM jobs r WHERE r.task_id = i.value->>0 AND r.status = 'running')"
const DELETIONS = [
  `INSERT INTO audit (at, actor, action, task_id, detail) SELECT ${NOW}, a.value->>1, 'task.deleted', t.id, json_object('title', t.title, 'owner', t.owner) FROM json_each(?1) a CROSS JOIN tasks t ON t.id = a.value->>0 WHERE t.id IN (${DELETABLE})`,
  `DELETE FROM journal WHERE job_id IN (SELECT j.id FROM jobs j WHERE j.task_id IN (${DELETABLE}))`,
  `DELETE FROM events WHERE task_id IN (${DELETABLE})`,
  `DELETE FROM comments WHERE task_id IN (${DELETABLE})`,
  `DELETE FROM tasks WHERE id IN (${DELETABLE})`,
  "DELETE FROM jobs WHERE task_id IN (SELECT i.value->>0 FROM json_each(?1) i) AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = jobs.task_id)",
]
const BEFORE = "SELECT i.key, (SELECT 1 FROM jobs r WHERE r.task_id = t.id AND r.status = 'running' LIMIT 1) FROM json_each(?1) i CROSS JOIN tasks t ON t.id = i.value->>0"

export type Removal = "removed" | "running" | "missing"

export const removeWrite: WriteKind<Omit<TaskMove, "op">, Removal> = {
  name: "remove",
  order: ORDER.move,
  plan: (inputs, again) => {
    const rows = (moves: typeof inputs) => [toJson(moves.map(({ task_id, actor }) => [task_id, actor]))]
    const args = rows(firstOfEach(inputs))
    return {
      statements: [{ sql: BEFORE, args: rows(inputs) }, ...DELETIONS.map((sql) => ({ sql, args }))],
      read: ([before]) => {
        const state = new Map((before ?? []).map(([k, running]) => [Number(k), running === null ? "removed" as const : "running" as const]))
        return inputs.map((_, k) => state.get(k) ?? (again ? "removed" : "missing"))
      },
    }
  },
}
