// Submission as a write: task, first job, and through the schema's triggers the event and the audit entry. The job's id,
// chosen by the caller, makes it safe to write twice; a task's id follows from the job's row.
import { createHash } from "node:crypto"
import type { NewTask, Priority } from "../job/record.ts"
import { CLAIM } from "./claimWrite.ts"
import { NOW, rowsOf, Shared, tableOf, toJson } from "./sql.ts"
import type { Statement } from "./sql.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

export interface Submission {
  readonly job_id: string
  readonly task: NewTask
}

export interface Submitted {
  readonly id: number
  readonly job_id: string
  /** False: the idempotency key was known, this is the first task that came with it. */
  readonly created: boolean
  /** A claim stood in the same batch, so the job was offered to every slot that was free. */
  readonly offered: boolean
}

/** Head start in the queue, in steps of `ageing_ms` (Q23). */
const HEAD_START: Record<Priority, number> = { low: 0, medium: 1, high: 2 }
export const headStart = (priority: Priority, ageing_ms: number): number => HEAD_START[priority] * ageing_ms

// What most submissions of a batch share: c0 piece, c1 piece_hash, c2 role, c3 model, c4 head start, c5 max_attempts,
// c6 owner, c7 priority, c8 output_format, c9 ask_policy, c10 options, c11 visibility, c12 notice. And of each its own:
// 0 job_id, 1 place of the shared row, 2 title, 3 instruction, 4 workspace, 5 idempotency_key.
const SHARED = 13

const PIECES = "INSERT OR IGNORE INTO piece_texts (hash, text) SELECT value->>0, value->>1 FROM json_each(?1)"

const JOBS = `WITH ${tableOf("p", "?2", SHARED)}
INSERT INTO jobs (id, task_id, kind, status, piece, piece_hash, required_role, required_model, lock_key, queue_key, max_attempts, created_at, moved_at, moved_by, move, move_detail)
SELECT i.value->>0, b.base + i.key + 1, 'agent', 'queued', p.c0, p.c1, p.c2, p.c3, b.base + i.key + 1, b.now - p.c4, p.c5, b.now, b.now, p.c6, 'task.submitted', '{}'
FROM (SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tasks'), 0) AS base, ${NOW} AS now) b
  CROSS JOIN json_each(?1) i CROSS JOIN p ON p.n = i.value->>1
WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.owner = p.c6 AND t.idempotency_key = i.value->>5)
ON CONFLICT (id) DO NOTHING`

const TASKS = `WITH ${rowsOf("i", "?1")}, ${tableOf("p", "?2", SHARED)}
INSERT INTO tasks (id, title, instruction, piece, role, priority, output_format, ask_policy, options, visibility, owner, idempotency_key, workspace, notice, created_at, updated_at)
SELECT j.task_id, i.v->>2, i.v->>3, p.c0, p.c2, p.c7, p.c8, p.c9, p.c10, p.c11, p.c6, i.v->>5, i.v->>4, p.c12, j.created_at, j.created_at
FROM i CROSS JOIN jobs j ON j.id = i.v->>0 CROSS JOIN p ON p.n = i.v->>1
WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = j.task_id)`

// An ORDER BY inside the aggregate is a syntax error for sqld's parser; a subquery's order holds before json_group_array.
const ANSWER = "SELECT json_group_array(task_id) FROM (SELECT j.task_id AS task_id FROM json_each(?1) i LEFT JOIN jobs j ON j.id = i.value ORDER BY i.key)"

const FIRST = `SELECT i.key, t.id, (SELECT j.id FROM jobs j WHERE j.task_id = t.id ORDER BY j.rowid LIMIT 1)
FROM json_each(?1) i CROSS JOIN tasks t ON t.owner = i.value->>0 AND t.idempotency_key = i.value->>1`

/** The write, for one store: it remembers which piece texts that store's database has. */
export const submitWrite = (ageing_ms: number): WriteKind<Submission, Submitted> => {
  const stored = new Set<string>()
  return {
    name: "submit",
    order: ORDER.submit,
    touches: (output, _input, mark) => { if (output.created) mark(output.id) },
    plan: (inputs, _again, kinds) => {
      const offered = kinds?.has(CLAIM) ?? false
      const shared = new Shared()
      const texts = new Map<string, string>()
      const rows = inputs.map(({ job_id, task }) => {
        const hash = pieceHash(task.piece_text)
        if (!stored.has(hash)) texts.set(hash, task.piece_text)
        const place = shared.place([
          task.piece, hash, task.role, task.model, headStart(task.priority, ageing_ms), task.max_attempts, task.owner, task.priority,
          task.output_format, task.ask_policy, JSON.stringify(task.options), task.visibility, task.notice,
        ])
        return [job_id, place, task.title, task.instruction, task.workspace, task.idempotency_key]
      })
      const kept = withoutRepeats(inputs)
      const items = toJson(kept.map((k) => rows[k]))
      const profiles = toJson(shared.rows)
      const statements: Array<Statement> = [
        { sql: JOBS, args: [items, profiles] },
        { sql: TASKS, args: [items, profiles] },
        { sql: ANSWER, args: [toJson(inputs.map(({ job_id }) => job_id))] },
      ]
      const keyed = inputs.some(({ task }) => task.idempotency_key !== null)
      if (keyed) statements.push({ sql: FIRST, args: [toJson(inputs.map(({ task }) => [task.owner, task.idempotency_key]))] })
      if (texts.size > 0) statements.push({ sql: PIECES, args: [toJson([...texts])] })
      return {
        statements,
        read: (results) => {
          remember(stored, texts.keys())
          const ids = JSON.parse(String(results[2]?.[0]?.[0])) as ReadonlyArray<number | null>
          const first = new Map((keyed ? results[3] ?? [] : []).map(([k, id, job_id]) => [Number(k), { id: Number(id), job_id: String(job_id) }]))
          return inputs.map(({ job_id }, k) => ({ ...answer(job_id, ids[k] ?? null, first.get(k)), offered }))
        },
      }
    },
  }
}

const answer = (job_id: string, task_id: number | null, first: { readonly id: number; readonly job_id: string } | undefined): Omit<Submitted, "offered"> => {
  if (task_id !== null) return { id: task_id, job_id, created: true }
  if (first === undefined) throw new Error(`submission ${job_id} left no task`)
  return { ...first, created: false }
}

/** Places of the submissions to write: of those with one owner and key only the first. */
const withoutRepeats = (inputs: ReadonlyArray<Submission>): ReadonlyArray<number> => {
  const seen = new Set<string>()
  return inputs.flatMap(({ task }, k) => {
    if (task.idempotency_key === null) return [k]
    const key = JSON.stringify([task.owner, task.idempotency_key])
    if (seen.has(key)) return []
    seen.add(key)
    return [k]
  })
}

/** Hashes kept in memory at once; a site has a few dozen pieces. */
const REMEMBERED = 1000
const hashes = new Map<string, string>()

export const pieceHash = (text: string): string => {
  const known = hashes.get(text)
  if (known !== undefined) return known
  if (hashes.size >= REMEMBERED) hashes.clear()
  const hash = createHash("sha256").update(text).digest("hex")
  hashes.set(text, hash)
  return hash
}

const remember = (stored: Set<string>, texts: Iterable<string>): void => {
  if (stored.size >= REMEMBERED) stored.clear()
  for (const hash of texts) stored.add(hash)
}
