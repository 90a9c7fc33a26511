// The claim (Q2): one atomic statement for each run of equal slots. It takes the jobs with the smallest queue key among
// those whose role and model the slots serve, queued ones and retries that are due, skips jobs whose lock another holds
// (Q8), and sets worker, node, lease and fence. The lock is the job's entry in the unique index of running jobs, so it
// ends with the status, and the lease by the database's clock (Q4). `RETURNING` keeps no order: rows are sorted here.
import type { ClaimedJob } from "../job/record.ts"
import { sourcesOf } from "../job/state.ts"
import type { ClaimRequest, ClaimSlot } from "./JobStore.ts"
import { CLAIMED_JSON, claimedJob } from "./records.ts"
import { NOW, quoted, rowsOf, toJson } from "./sql.ts"
import type { Rows, Statement } from "./sql.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

/** The kind's name: a submission looks whether a claim stands in its batch. */
export const CLAIM = "claim"

export interface Claim extends ClaimRequest {
  /** Marks the jobs that this very claim took, for when its reply is lost. */
  readonly token: string
}

// ?1 worker ids (JSON, in order), ?2 node_id, ?3 lease_ttl_ms, ?4 roles (JSON), ?5 models (JSON or null), ?6 token,
// ?7 hashes of the piece texts that the caller has (JSON), ?8 models refused by the workers (JSON)
const DUE = `next_retry_at <= ${NOW}`
const served = (job: string) =>
  `(${job}.required_model IS NULL OR ((?5 IS NULL OR ${job}.required_model IN (SELECT value FROM json_each(?5))) AND ${job}.required_model NOT IN (SELECT value FROM json_each(?8))))`
const SERVED = served("c")
/** Nobody runs under the job's lock, and no older job that these slots could take waits for it. */
const LOCK_FREE = `(c.lock_key IS NULL OR (
  NOT EXISTS (SELECT 1 FROM jobs r WHERE r.lock_key = c.lock_key AND r.status = 'running')
  AND NOT EXISTS (SELECT 1 FROM jobs e WHERE e.task_id = c.task_id AND e.rowid < c.rowid AND e.lock_key = c.lock_key
    AND (e.status = 'queued' OR (e.status = 'retry' AND e.${DUE})) AND e.required_role IN (SELECT value FROM json_each(?4))
    AND ${served("e")})))`
const SLOTS = "(SELECT json_array_length(?1))"

const QUEUED = `SELECT j.rowid AS rid, j.queue_key, 1 AS waits, j.created_at FROM json_each(?4) r CROSS JOIN jobs j
  ON j.rowid IN (SELECT c.rowid FROM jobs c WHERE c.status = 'queued' AND c.required_role = r.value AND ${SERVED} AND ${LOCK_FREE}
    ORDER BY c.queue_key, c.created_at, c.rowid LIMIT ${SLOTS})`
const RETRIES = `SELECT c.rowid, c.queue_key, 0, c.created_at FROM jobs c
  WHERE c.status = 'retry' AND c.${DUE} AND c.required_role IN (SELECT value FROM json_each(?4)) AND ${SERVED} AND ${LOCK_FREE}`

const PICKED = `SELECT p.rid, s.v AS worker_id, ${NOW} AS now FROM (
    SELECT rid, row_number() OVER (ORDER BY queue_key, waits, created_at, rid) - 1 AS n FROM (${QUEUED} UNION ALL ${RETRIES})
    ORDER BY queue_key, waits, created_at, rid LIMIT ${SLOTS}
  ) p CROSS JOIN s ON s.n = p.n`

const RETURNED = `${CLAIMED_JSON}, queue_key, rowid, CASE WHEN piece_hash NOT IN (SELECT value FROM json_each(?7)) THEN (SELECT t.text FROM piece_texts t WHERE t.hash = piece_hash) END`

const CLAIM_SQL = `WITH ${rowsOf("s", "?1")}
UPDATE jobs SET status = 'running', worker_id = k.worker_id, node_id = ?2, lease_expires_at = k.now + ?3, fence = fence + 1,
  attempt = attempt + (status = 'retry'), started_at = coalesce(started_at, k.now), next_retry_at = NULL, wait_reason = NULL,
  moved_at = k.now, moved_by = 'node:' || ?2, move = 'job.claimed', move_id = ?6,
  move_detail = json_object('worker_id', k.worker_id, 'fence', fence + 1, 'attempt', attempt + (status = 'retry'))
FROM (${PICKED}) k
WHERE jobs.rowid = +k.rid AND jobs.status IN (${quoted(sourcesOf("running", "claimer"))})
RETURNING ${RETURNED}`

/** Said after a lost reply: what the claim took then, and now nothing more. */
const TAKEN = `SELECT ${RETURNED} FROM jobs WHERE status = 'running' AND node_id = ?2 AND move_id = ?6 AND ?1 IS NOT NULL AND ?3 IS NOT NULL AND ?4 IS NOT NULL AND ?5 IS ?5 AND ?8 IS NOT NULL`
const UNTAKEN = CLAIM_SQL.replace("RETURNING", "AND NOT EXISTS (SELECT 1 FROM jobs x WHERE x.status = 'running' AND x.node_id = ?2 AND x.move_id = ?6) RETURNING")

/** Piece texts kept in memory, by hash, so that a claim need not carry them. */
const TEXTS_KEPT = 64

/** The write, for one store: it remembers the piece texts that it has seen. */
export const claimWrite = (): WriteKind<Claim, ReadonlyArray<ClaimedJob>> => {
  const texts = new Map<string, string>()
  return {
    name: CLAIM,
    order: ORDER.claim,
    touches: (output, _input, mark) => output.forEach((job) => mark(job.task_id)),
    plan: (inputs, again) => {
      if (texts.size >= TEXTS_KEPT) texts.clear()
      const known = toJson([...texts.keys()])
      const statements: Array<Statement> = []
      const spans = inputs.map((claim) => {
        const from = statements.length
        runsOf(claim.slots).forEach((run, k) => {
          const models = run.models === null ? null : toJson(run.models)
          const args = [toJson(run.worker_ids), claim.node_id, claim.lease_ttl_ms, toJson([...new Set(run.roles)]), models, `${claim.token}/${k}`, known, toJson(run.refuses)]
          if (again) statements.push({ sql: UNTAKEN, args }, { sql: TAKEN, args })
          else statements.push({ sql: CLAIM_SQL, args })
        })
        return { from, to: statements.length }
      })
      return {
        statements,
        read: (results) => spans.map(({ from, to }) => results.slice(from, to).flatMap((rows, k) => again && k % 2 === 0 ? [] : inOrder(rows, texts))),
      }
    },
  }
}

interface Run extends Omit<ClaimSlot, "worker_id"> {
  readonly worker_ids: Array<string>
  readonly refuses: ReadonlyArray<string>
}

/** Consecutive slots with the same roles, models and refusals. */
const runsOf = (slots: ReadonlyArray<ClaimSlot>): ReadonlyArray<Run> => {
  const runs: Array<Run> = []
  for (const { worker_id, roles, models, refuses = [] } of slots) {
    const last = runs.at(-1)
    if (last !== undefined && equal(last.roles, roles) && equal(last.models, models) && equal(last.refuses, refuses)) last.worker_ids.push(worker_id)
    else runs.push({ worker_ids: [worker_id], roles, models, refuses })
  }
  return runs
}

const equal = (a: ReadonlyArray<string> | null, b: ReadonlyArray<string> | null): boolean =>
  a === b || (a !== null && b !== null && a.length === b.length && a.every((value, k) => value === b[k]))

/** Jobs in the order of the queue. */
const inOrder = (rows: Rows, texts: Map<string, string>): ReadonlyArray<ClaimedJob> =>
  rows
    .map(([json, queue_key, rowid, text]) => ({
      queue_key: Number(queue_key),
      rowid: Number(rowid),
      job: claimedJob(String(json), (hash) => {
        if (typeof text === "string") texts.set(hash, text)
        return texts.get(hash) ?? ""
      }),
    }))
    .sort((a, b) => a.queue_key - b.queue_key || a.rowid - b.rowid)
    .map(({ job }) => job)
