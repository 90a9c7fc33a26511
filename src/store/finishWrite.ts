// The one guarded exit of a run (decision 1): whatever the outcome, it is written where the row still has the run's fence
// and is running, and the caller learns whether it was. What depends on the row (is an attempt left, how many give-backs
// in a row) is decided in the statement. Comments and the question come first in the commit, under the same guard; the
// status event, `done` and the audit entry follow from the move itself (see drizzle/0001_triggers.sql).
import type { Outcome } from "../job/outcome.ts"
import { retryDelayMs } from "../job/retry.ts"
import type { Status } from "../job/state.ts"
import { TERMINAL } from "../job/state.ts"
import { actionOf } from "./audit.ts"
import type { FinishRequest } from "./JobStore.ts"
import { NOW, Shared, tableOf, toJson } from "./sql.ts"
import type { SqlValue, Statement } from "./sql.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

// Each its own (?1): 0 id, 1 fence, 2 place of the shared row, 3 result.
// Shared (?2): c0 status, c1 abort_reason, c2 error_summary, c3 wait_reason, c4 resume_movement, c5 retry delays (JSON) when
// another attempt may help, c6 1 for a give-back that counts, c7 detail (JSON), c8 1 for a question that counts,
// c9 comment kind, c10 its author, c11 its text, c12 give-backs in a row at which the job is parked, c13 `ask` event (JSON).
const SHARED = 14

/** `s` is where the job goes: the wished status, or what the row makes of it. */
const DECIDED = `SELECT j.rowid AS rid, p.n AS place, i.value->>3 AS result, ${NOW} AS now,
    CASE WHEN p.c0 = 'retry' AND j.attempt >= j.max_attempts THEN 'failed' WHEN p.c6 = 1 AND j.give_backs + 1 >= p.c12 THEN 'waiting_human' ELSE p.c0 END AS s,
    p.c5->>('$[' || (min(j.attempt, json_array_length(p.c5)) - 1) || ']') AS delay
  FROM json_each(?1) i CROSS JOIN jobs j ON j.id = i.value->>0 CROSS JOIN p ON p.n = i.value->>2
  WHERE j.fence = i.value->>1 AND j.status = 'running'`

const WITH_DECIDED = `WITH ${tableOf("p", "?2", SHARED)}, k AS MATERIALIZED (${DECIDED})`

const AT = "strftime('%Y-%m-%d %H:%M:%S', (k.now + k.delay) / 1000, 'unixepoch') || ' UTC'"
const BODY = `CASE
  WHEN k.s = 'retry' THEN 'Attempt ' || j.attempt || ' of ' || j.max_attempts || ' failed. ' || p.c11 || char(10) || 'The next attempt starts at ' || ${AT} || '.'
  WHEN p.c0 = 'retry' THEN 'Attempt ' || j.attempt || ' of ' || j.max_attempts || ' failed, it was the last. ' || p.c11
  WHEN p.c6 = 1 THEN 'The endpoint could not be reached ' || p.c12 || ' times in a row, so the job waits. ' || p.c11
  ELSE p.c11 END`

const COMMENTS = `${WITH_DECIDED}
INSERT INTO comments (task_id, job_id, author, kind, body, created_at)
SELECT j.task_id, j.id, p.c10, p.c9, ${BODY}, k.now FROM k CROSS JOIN p ON p.n = k.place CROSS JOIN jobs j ON j.rowid = k.rid
WHERE p.c9 IS NOT NULL AND (p.c6 = 0 OR k.s = 'waiting_human')`

const ASKS = `${WITH_DECIDED}
INSERT INTO events (task_id, job_id, at, event, data)
SELECT j.task_id, j.id, k.now, 'ask', p.c13 FROM k CROSS JOIN p ON p.n = k.place CROSS JOIN jobs j ON j.rowid = k.rid WHERE p.c13 IS NOT NULL`

const MOVE = `${WITH_DECIDED}
UPDATE jobs SET status = k.s, lease_expires_at = NULL, result = k.result,
  worker_id = CASE WHEN k.s = 'queued' OR k.s = 'retry' THEN NULL ELSE worker_id END, node_id = CASE WHEN k.s = 'queued' OR k.s = 'retry' THEN NULL ELSE node_id END,
  next_retry_at = CASE WHEN k.s = 'retry' THEN k.now + k.delay END,
  error_summary = CASE WHEN k.s = 'queued' THEN error_summary ELSE p.c2 END,
  abort_reason = CASE WHEN k.s = 'failed' OR k.s = 'cancelled' THEN p.c1 END,
  wait_reason = CASE k.s WHEN 'retry' THEN 'backoff' WHEN 'queued' THEN p.c3 WHEN 'waiting_human' THEN CASE WHEN p.c6 = 1 THEN 'give_backs' ELSE p.c3 END END,
  resume_movement = CASE WHEN p.c0 = 'queued' THEN resume_movement ELSE p.c4 END,
  current_activity = NULL, ask_count = ask_count + p.c8, give_backs = give_backs + p.c6,
  finished_at = CASE k.s ${[...TERMINAL].map((status) => `WHEN '${status}' THEN k.now`).join(" ")} END,
  moved_at = k.now, moved_by = 'worker:' || worker_id, move = ${actionOf("k.s")}, move_detail = p.c7
FROM k CROSS JOIN p ON p.n = k.place WHERE jobs.rowid = +k.rid
RETURNING id, fence, task_id`

/** Said after a lost reply: no other write than a finish leaves a worker as the mover, and no later run the same fence. */
const MOVED = `SELECT j.id, j.fence, j.task_id FROM json_each(?1) i CROSS JOIN jobs j ON j.id = i.value->>0
WHERE j.fence = i.value->>1 AND j.status <> 'running' AND j.moved_by LIKE 'worker:%'`

/** `max_give_backs`: connection failures in a row after which a job is parked (Q10). Answers the task, null when the guard missed. */
export const finishWrite = (max_give_backs: number): WriteKind<FinishRequest, number | null> => ({
  name: "finish",
  order: ORDER.finish,
  touches: (output, _input, mark) => { if (output !== null) mark(output) },
  plan: (inputs, again) => {
    const shared = new Shared()
    const seen = new Set<string>()
    const rows = inputs.flatMap((input) => {
      const row = [input.id, input.fence, shared.place(sharedOf(input, max_give_backs)), resultOf(input.outcome)]
      const key = `${input.id}/${input.fence}`
      return seen.has(key) ? [] : (seen.add(key), [row])
    })
    const args = [toJson(rows), toJson(shared.rows)]
    const statements: Array<Statement> = []
    if (inputs.some(({ outcome }) => outcome._tag === "WaitingHuman")) statements.push({ sql: ASKS, args })
    if (inputs.some(({ outcome }) => commentOf(outcome) !== null)) statements.push({ sql: COMMENTS, args })
    statements.push({ sql: MOVE, args })
    if (again) statements.push({ sql: MOVED, args: [args[0] ?? null] })
    return {
      statements,
      read: (results) => {
        const moved = new Map((results.at(-1) ?? []).map(([id, fence, task_id]) => [`${id}/${fence}`, Number(task_id)]))
        return inputs.map(({ id, fence }) => moved.get(`${id}/${fence}`) ?? null)
      },
    }
  },
})

const sharedOf = ({ outcome, backoff_seconds, movements, context_actions }: FinishRequest, max_give_backs: number): ReadonlyArray<SqlValue> => {
  const comment = commentOf(outcome)
  const failed = outcome._tag === "Failed" ? outcome : null
  const parked = outcome._tag === "WaitingHuman" ? outcome : null
  const given = outcome._tag === "GivenBack" ? outcome : null
  const abort_reason = failed?.abort_reason ?? (outcome._tag === "Cancelled" ? "cancelled" : null)
  const detail = { movements, abort_reason, context_actions, ...(failed === null ? {} : { error: failed.error }), ...(given === null ? {} : { cause: given.cause, reason: given.reason }) }
  return [
    statusOf(outcome),
    abort_reason,
    failed?.error ?? null,
    parked?.wait_reason ?? (given === null ? null : WAITS_FOR[given.cause]),
    "resume_movement" in outcome ? outcome.resume_movement : null,
    failed?.retryable === true ? JSON.stringify(delays(backoff_seconds)) : null,
    given?.cause === "connection" ? 1 : 0,
    JSON.stringify(detail),
    parked?.wait_reason === "question" ? 1 : 0,
    comment?.kind ?? null,
    comment?.author ?? null,
    comment?.text ?? null,
    max_give_backs,
    parked === null ? null : JSON.stringify({ question: parked.question, options: parked.options }),
  ]
}

const statusOf = (outcome: Outcome): Status => {
  switch (outcome._tag) {
    case "Succeeded": return "succeeded"
    case "Failed": return outcome.retryable ? "retry" : "failed"
    case "Cancelled": return "cancelled"
    case "WaitingHuman": return "waiting_human"
    case "WaitingSubtasks": return "waiting_subtasks"
    case "GivenBack": return "queued"
    default: return outcome satisfies never
  }
}

const resultOf = (outcome: Outcome): string | null =>
  outcome._tag === "Succeeded" ? outcome.result : outcome._tag === "Failed" ? outcome.result ?? null : null

/** Why a job that was given back waits, as the API shows it; a shutdown or a failed connection is no reason to wait. */
const WAITS_FOR = { shutdown: null, connection: null, lease: null, role: "role", model: "model", lock: "lock" } as const

interface Note {
  readonly kind: string
  readonly author: string
  readonly text: string
}

/** What the finish posts. A success posts its result by the schema's trigger; a give-back is silent, unless it is one too many. */
const commentOf = (outcome: Outcome): Note | null => {
  switch (outcome._tag) {
    case "Failed": return { kind: "event", author: "system", text: `${outcome.retryable ? "" : "The job failed. "}Reason: ${outcome.abort_reason}. ${outcome.error}` }
    case "Cancelled": return { kind: "event", author: "system", text: outcome.summary }
    case "WaitingHuman": return { kind: "ask", author: "agent", text: outcome.question }
    case "GivenBack": return outcome.cause === "connection" ? { kind: "event", author: "system", text: outcome.reason } : null
    case "Succeeded":
    case "WaitingSubtasks": return null
    default: return outcome satisfies never
  }
}

/** Milliseconds after the first, second, … failed attempt; the last repeats. The row says whether an attempt is left. */
const delays = (backoff_seconds: ReadonlyArray<number>): ReadonlyArray<number> =>
  Array.from({ length: Math.max(1, backoff_seconds.length) }, (_, k) => retryDelayMs(k + 1, { max_attempts: Infinity, backoff_seconds }) ?? 0)
