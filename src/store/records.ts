// Rows to records: what the store hands out has the fields of `job/record.ts` and nothing else. A claim carries its job
// as one JSON array (cheaper than columns), so the order of the fields stands here once.
import type { ClaimedJob, CommentRecord, JobRecord, TaskRecord } from "../job/record.ts"
import type { comments, jobs, tasks } from "./tables.ts"

export const JOB_FIELDS = [
  "id", "task_id", "parent_job_id", "continued_from_job_id", "kind", "status", "piece", "required_role", "required_model", "attempt",
  "max_attempts", "next_retry_at", "error_summary", "abort_reason", "wait_reason", "resume_movement", "current_movement",
  "current_activity", "ask_count", "subtask_depth", "give_backs", "worker_id", "node_id", "fence", "lease_expires_at",
  "last_backend_id", "context_used_tokens", "context_limit_tokens", "prompt_tokens", "completion_tokens", "cached_tokens", "llm_calls",
  "tool_calls", "result", "created_at", "started_at", "finished_at",
] as const satisfies ReadonlyArray<keyof JobRecord>

export const TASK_FIELDS = [
  "id", "title", "instruction", "piece", "role", "priority", "output_format", "ask_policy", "options", "visibility", "owner",
  "idempotency_key", "workspace", "notice", "mission_brief", "created_at", "updated_at",
] as const satisfies ReadonlyArray<keyof TaskRecord>

type JobRow = typeof jobs.$inferSelect
type TaskRow = typeof tasks.$inferSelect

const pick = (fields: ReadonlyArray<string>, values: ReadonlyArray<unknown>): Record<string, unknown> => {
  const record: Record<string, unknown> = {}
  for (let k = 0; k < fields.length; k++) record[fields[k] as string] = values[k]
  return record
}

export const jobRecord = (row: JobRow): JobRecord => {
  const record: Record<string, unknown> = {}
  for (const field of JOB_FIELDS) record[field] = row[field]
  return record as unknown as JobRecord
}

/** `updated_at` is the later of the task's own change and its latest job's last move. */
export const taskRecord = (row: TaskRow, moved_at: number | null): TaskRecord => ({ ...row, updated_at: Math.max(row.updated_at, moved_at ?? 0) })

/** SQL: the JSON array that `jobOfJson` reads, for a row of `jobs` under this alias. */
export const jobJson = (alias: string): string => `json_array(${JOB_FIELDS.map((field) => `${alias}.${field}`).join(", ")})`

/** SQL: the JSON array that `taskOfJson` reads, for a row of `tasks` under this alias. */
export const taskJson = (alias: string): string => `json_array(${TASK_FIELDS.map((field) => `${alias}.${field}`).join(", ")})`

export const taskOfJson = (json: string): TaskRecord => {
  const task = pick(TASK_FIELDS, JSON.parse(json) as ReadonlyArray<unknown>)
  task["options"] = JSON.parse(String(task["options"]))
  return task as unknown as TaskRecord
}

export const jobOfJson = (json: string): JobRecord => pick(JOB_FIELDS, JSON.parse(json) as ReadonlyArray<unknown>) as unknown as JobRecord

/** SQL: the JSON array that `claimedJob` reads, for a statement that returns rows of `jobs`. */
export const CLAIMED_JSON = `json_array(${JOB_FIELDS.join(", ")}, piece_hash, (SELECT json_array(${TASK_FIELDS.map((field) => `t.${field}`).join(", ")}) FROM tasks t WHERE t.id = jobs.task_id))`

/** The text of the job's piece stands beside its JSON when it was not known; see `claimWrite.ts`. */
export const claimedJob = (json: string, textOf: (piece_hash: string) => string): ClaimedJob => {
  const values = JSON.parse(json) as ReadonlyArray<unknown>
  const job = pick(JOB_FIELDS, values)
  // Some versions of SQLite forget on the way out of a subquery that a text is JSON, and quote it.
  const inner = values[JOB_FIELDS.length + 1]
  const task = pick(TASK_FIELDS, (typeof inner === "string" ? JSON.parse(inner) : inner) as ReadonlyArray<unknown>)
  task["options"] = JSON.parse(String(task["options"]))
  job["piece_text"] = textOf(String(values[JOB_FIELDS.length]))
  job["task"] = task
  return job as unknown as ClaimedJob
}

export const COMMENT_FIELDS = ["id", "task_id", "job_id", "author", "kind", "body", "mode", "created_at", "injected_at"] as const satisfies ReadonlyArray<keyof CommentRecord>

export const commentOfJson = (json: string): CommentRecord => pick(COMMENT_FIELDS, JSON.parse(json) as ReadonlyArray<unknown>) as unknown as CommentRecord

export const commentRecord = ({ uid: _uid, ...row }: typeof comments.$inferSelect): CommentRecord => row
