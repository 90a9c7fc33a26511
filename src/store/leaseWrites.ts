// Leases (Q4): renewing them, and putting back the jobs of runs that are gone. Times are the database's. A holder may
// renew a lease that ran out as long as nobody took the job; a rescued job keeps its attempt and goes on from its journal.
import { sourcesOf } from "../job/state.ts"
import type { Lease } from "./JobStore.ts"
import { NOW, quoted, toJson } from "./sql.ts"
import type { Rows, SqlValue } from "./sql.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

/** Jobs put back by one rescue; the next takes the rest. */
const RESCUE_LIMIT = 1000

const RENEW = `UPDATE jobs SET lease_expires_at = k.now + k.ttl
FROM (SELECT i.value->>0 AS id, i.value->>1 AS fence, i.value->>2 AS ttl, ${NOW} AS now FROM json_each(?1) i) k
WHERE jobs.id = +k.id AND jobs.fence = k.fence AND jobs.status = 'running'
RETURNING jobs.id, jobs.fence`

export interface Renewal {
  readonly leases: ReadonlyArray<Lease>
  readonly lease_ttl_ms: number
}

/** Answers the leases that are no longer held. */
export const heartbeatWrite: WriteKind<Renewal, ReadonlyArray<Lease>> = {
  name: "heartbeat",
  order: ORDER.heartbeat,
  plan: (inputs) => ({
    statements: [{ sql: RENEW, args: [toJson(inputs.flatMap(({ leases, lease_ttl_ms }) => leases.map(({ id, fence }) => [id, fence, lease_ttl_ms])))] }],
    read: ([rows]) => {
      const held = new Set((rows ?? []).map(([id, fence]) => `${id}/${fence}`))
      return inputs.map(({ leases }) => leases.filter(({ id, fence }) => !held.has(`${id}/${fence}`)))
    },
  }),
}

const putBack = (which: string) => `UPDATE jobs SET status = 'queued', worker_id = NULL, node_id = NULL, lease_expires_at = NULL, current_activity = NULL, wait_reason = NULL,
  moved_at = ${NOW}, moved_by = ?1, move = 'job.rescued', move_detail = json_object('node_id', node_id, 'worker_id', worker_id, 'fence', fence), move_id = NULL
WHERE status = 'running' AND status IN (${quoted(sourcesOf("queued", "rescuer"))}) AND ${which}
RETURNING id, task_id`

const EXPIRED = putBack(`rowid IN (SELECT rowid FROM jobs WHERE status = 'running' AND lease_expires_at < ${NOW} ORDER BY lease_expires_at LIMIT ${RESCUE_LIMIT})`)
const OF_NODE = putBack("node_id = ?2")

export interface Rescued {
  readonly id: string
  readonly task_id: number
}

/** Input: the node whose own dead leases are freed at its start, or null for every lease that ran out. */
export const rescueWrite: WriteKind<string | null, ReadonlyArray<Rescued>> = {
  name: "rescue",
  order: ORDER.rescue,
  touches: (output, _input, mark) => output.forEach(({ task_id }) => mark(task_id)),
  plan: (inputs) => ({
    statements: inputs.map((node_id) => node_id === null ? { sql: EXPIRED, args: ["rescuer"] } : { sql: OF_NODE, args: [`node:${node_id}`, node_id] satisfies ReadonlyArray<SqlValue> }),
    read: (results) => inputs.map((_, k) => toRescued(results[k] ?? [])),
  }),
}

const toRescued = (rows: Rows): ReadonlyArray<Rescued> => rows.map(([id, task_id]) => ({ id: String(id), task_id: Number(task_id) }))
