// The database schema (Drizzle): one word per column, as on the wire. CHECK constraints refuse rows that no run of the
// program may leave behind, partial indexes serve the queue. After a change run `bun run generate` and commit `drizzle/`.
// Triggers (the status event and audit entry of every move, the append-only audit log) stand in `drizzle/0001_triggers.sql`.
import { sql } from "drizzle-orm"
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"
import { ABORT_REASONS, WAIT_REASONS } from "../job/outcome.ts"
import type { AbortReason, WaitReason } from "../job/outcome.ts"
import { ASK_POLICIES, COMMENT_KINDS, OUTPUT_FORMATS, PRIORITIES, VISIBILITIES } from "../job/record.ts"
import type { TaskOptions } from "../job/record.ts"
import { STATUSES, TERMINAL } from "../job/state.ts"
import { quoted } from "./sql.ts"

// Spelt out, since SQLite builds a look-up table for `IN` anew at each row that it checks (0.8 µs against 0.02).
const anyOf = (column: string, values: Iterable<string>) => [...values].map((value) => `${column} = ${quoted([value])}`).join(" OR ")
const oneOf = (column: string, values: Iterable<string>) => sql.raw(anyOf(column, values))
const nullOrOneOf = (column: string, values: Iterable<string>) => sql.raw(`${column} IS NULL OR ${anyOf(column, values)}`)
const rule = (text: string) => sql.raw(text)

export const tasks = sqliteTable("tasks", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  title: text("title").notNull(),
  instruction: text("instruction").notNull(),
  piece: text("piece").notNull(),
  role: text("role").notNull(),
  priority: text("priority", { enum: PRIORITIES }).notNull(),
  output_format: text("output_format", { enum: OUTPUT_FORMATS }).notNull(),
  ask_policy: text("ask_policy", { enum: ASK_POLICIES }).notNull(),
  options: text("options", { mode: "json" }).$type<TaskOptions>().notNull(),
  visibility: text("visibility", { enum: VISIBILITIES }).notNull(),
  owner: text("owner").notNull(),
  idempotency_key: text("idempotency_key"),
  workspace: text("workspace").notNull(),
  notice: text("notice"),
  mission_brief: text("mission_brief"),
  created_at: integer("created_at").notNull(),
  updated_at: integer("updated_at").notNull(),
}, (t) => [
  uniqueIndex("tasks_idempotency").on(t.owner, t.idempotency_key).where(rule("idempotency_key IS NOT NULL")),
  check("tasks_priority", oneOf("priority", PRIORITIES)),
  check("tasks_output_format", oneOf("output_format", OUTPUT_FORMATS)),
  check("tasks_ask_policy", oneOf("ask_policy", ASK_POLICIES)),
  check("tasks_visibility", oneOf("visibility", VISIBILITIES)),
])

export const jobs = sqliteTable("jobs", {
  id: text("id").primaryKey(),
  task_id: integer("task_id").notNull(),
  parent_job_id: text("parent_job_id"),
  continued_from_job_id: text("continued_from_job_id"),
  kind: text("kind", { enum: ["agent", "reflection"] }).notNull(),
  status: text("status", { enum: STATUSES }).notNull(),
  piece: text("piece").notNull(),
  /** SHA-256 of the exact YAML that the job plays; the text stands once in `piece_texts`. */
  piece_hash: text("piece_hash").notNull(),
  required_role: text("required_role").notNull(),
  required_model: text("required_model"),
  /** Q8: the task's id for its root jobs, null for jobs that exclude no other. Unique among running jobs. */
  lock_key: integer("lock_key"),
  /** Q23: enqueued at, less the head start of its priority. Ordering by it is linear ageing that never needs updating. */
  queue_key: integer("queue_key").notNull(),
  attempt: integer("attempt").notNull().default(1),
  max_attempts: integer("max_attempts").notNull(),
  next_retry_at: integer("next_retry_at"),
  error_summary: text("error_summary"),
  abort_reason: text("abort_reason").$type<AbortReason>(),
  wait_reason: text("wait_reason").$type<WaitReason>(),
  resume_movement: text("resume_movement"),
  current_movement: text("current_movement"),
  current_activity: text("current_activity"),
  ask_count: integer("ask_count").notNull().default(0),
  subtask_depth: integer("subtask_depth").notNull().default(0),
  give_backs: integer("give_backs").notNull().default(0),
  worker_id: text("worker_id"),
  node_id: text("node_id"),
  fence: integer("fence").notNull().default(0),
  lease_expires_at: integer("lease_expires_at"),
  last_backend_id: text("last_backend_id"),
  context_used_tokens: integer("context_used_tokens").notNull().default(0),
  context_limit_tokens: integer("context_limit_tokens").notNull().default(0),
  prompt_tokens: integer("prompt_tokens").notNull().default(0),
  completion_tokens: integer("completion_tokens").notNull().default(0),
  cached_tokens: integer("cached_tokens").notNull().default(0),
  llm_calls: integer("llm_calls").notNull().default(0),
  tool_calls: integer("tool_calls").notNull().default(0),
  result: text("result"),
  created_at: integer("created_at").notNull(),
  started_at: integer("started_at"),
  finished_at: integer("finished_at"),
  /** The last change of status: the triggers copy it to the events and the audit log. `move` is the audit action. */
  moved_at: integer("moved_at").notNull(),
  moved_by: text("moved_by").notNull(),
  move: text("move").notNull(),
  /** JSON for the audit entry. */
  move_detail: text("move_detail").notNull(),
  /** Id of the operation that moved the job: the same operation written again finds it and knows that it is done. */
  move_id: text("move_id"),
}, (t) => [
  index("jobs_task").on(t.task_id),
  index("jobs_parent").on(t.parent_job_id).where(rule("parent_job_id IS NOT NULL")),
  index("jobs_queue").on(t.required_role, t.queue_key, t.created_at).where(rule("status = 'queued'")),
  index("jobs_retry").on(t.next_retry_at, t.required_role, t.queue_key, t.created_at).where(rule("status = 'retry'")),
  uniqueIndex("jobs_lock").on(t.lock_key).where(rule("status = 'running'")),
  index("jobs_lease").on(t.lease_expires_at).where(rule("status = 'running'")),
  index("jobs_attention").on(t.status, t.task_id).where(oneOf("status", ["waiting_human", "waiting_subtasks", "failed", "cancelled"])),
  check("jobs_status", oneOf("status", STATUSES)),
  check("jobs_kind", oneOf("kind", ["agent", "reflection"])),
  check("jobs_abort_reason", nullOrOneOf("abort_reason", ABORT_REASONS)),
  check("jobs_wait_reason", nullOrOneOf("wait_reason", WAIT_REASONS)),
  check("jobs_running", rule("(status = 'running') = (lease_expires_at IS NOT NULL) AND (status <> 'running' OR (worker_id IS NOT NULL AND node_id IS NOT NULL))")),
  check("jobs_started", rule("status <> 'running' OR (started_at IS NOT NULL AND fence >= 1)")),
  check("jobs_finished", rule(`(${anyOf("status", TERMINAL)}) = (finished_at IS NOT NULL)`)),
  check("jobs_retry_time", rule("(status = 'retry') = (next_retry_at IS NOT NULL)")),
  check("jobs_waiting_human", rule("status <> 'waiting_human' OR wait_reason IS NOT NULL")),
  check("jobs_failed", rule("status <> 'failed' OR abort_reason IS NOT NULL OR error_summary IS NOT NULL")),
  check("jobs_succeeded", rule("status <> 'succeeded' OR (result IS NOT NULL AND abort_reason IS NULL AND error_summary IS NULL)")),
  check("jobs_attempts", rule("attempt BETWEEN 1 AND max_attempts")),
  check("jobs_counts", rule("fence >= 0 AND ask_count >= 0 AND give_backs >= 0 AND subtask_depth >= 0")),
])

/** The exact texts that jobs play (P1), each once. Never deleted: there are few, and a job may come back to one at any time. */
export const pieceTexts = sqliteTable("piece_texts", {
  hash: text("hash").primaryKey(),
  text: text("text").notNull(),
})

export const journal = sqliteTable("journal", {
  job_id: text("job_id").notNull(),
  seq: integer("seq").notNull(),
  fence: integer("fence").notNull(),
  attempt: integer("attempt").notNull(),
  at: integer("at").notNull(),
  kind: text("kind").notNull(),
  /** The entry as JSON. */
  data: text("data").notNull(),
}, (t) => [primaryKey({ columns: [t.job_id, t.seq] }), check("journal_seq", rule("seq >= 1 AND fence >= 1 AND attempt >= 1"))])

export const events = sqliteTable("events", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  task_id: integer("task_id").notNull(),
  job_id: text("job_id").notNull(),
  at: integer("at").notNull(),
  event: text("event").notNull(),
  /** JSON. */
  data: text("data").notNull(),
  /** On the first event of an append: writing the same append again finds it and adds nothing. */
  uid: text("uid"),
}, (t) => [index("events_task").on(t.task_id), uniqueIndex("events_uid").on(t.uid).where(rule("uid IS NOT NULL"))])

export const comments = sqliteTable("comments", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  task_id: integer("task_id").notNull(),
  job_id: text("job_id"),
  author: text("author", { enum: ["user", "agent", "system"] }).notNull(),
  kind: text("kind", { enum: COMMENT_KINDS }).notNull(),
  body: text("body").notNull(),
  mode: text("mode", { enum: ["steer", "queue", "interrupt"] }),
  created_at: integer("created_at").notNull(),
  injected_at: integer("injected_at"),
  uid: text("uid"),
}, (t) => [
  index("comments_task").on(t.task_id),
  uniqueIndex("comments_uid").on(t.uid).where(rule("uid IS NOT NULL")),
  check("comments_author", oneOf("author", ["user", "agent", "system"])),
  check("comments_kind", oneOf("kind", COMMENT_KINDS)),
  check("comments_mode", nullOrOneOf("mode", ["steer", "queue", "interrupt"])),
])

export const audit = sqliteTable("audit", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  at: integer("at").notNull(),
  actor: text("actor").notNull(),
  action: text("action").notNull(),
  task_id: integer("task_id"),
  job_id: text("job_id"),
  /** JSON. */
  detail: text("detail").notNull(),
  uid: text("uid"),
}, (t) => [
  index("audit_job").on(t.job_id).where(rule("job_id IS NOT NULL")),
  uniqueIndex("audit_uid").on(t.uid).where(rule("uid IS NOT NULL")),
])

export const nodes = sqliteTable("nodes", {
  id: text("id").primaryKey(),
  url: text("url").notNull(),
  version: text("version").notNull(),
  started_at: integer("started_at").notNull(),
  last_seen_at: integer("last_seen_at").notNull(),
})

export const workers = sqliteTable("workers", {
  node_id: text("node_id").notNull(),
  id: text("id").notNull(),
  endpoint: text("endpoint").notNull(),
  enabled: integer("enabled", { mode: "boolean" }).notNull(),
  healthy: integer("healthy", { mode: "boolean" }).notNull(),
  claims: integer("claims", { mode: "boolean" }).notNull(),
  roles: text("roles", { mode: "json" }).$type<ReadonlyArray<string>>().notNull(),
  models: text("models", { mode: "json" }).$type<ReadonlyArray<string>>().notNull(),
  inflight: integer("inflight").notNull(),
  max_concurrency: integer("max_concurrency").notNull(),
  context_limit_tokens: integer("context_limit_tokens"),
  last_error: text("last_error"),
  last_seen_at: integer("last_seen_at").notNull(),
}, (t) => [primaryKey({ columns: [t.node_id, t.id] })])

export const pieces = sqliteTable("pieces", {
  owner: text("owner").notNull(),
  name: text("name").notNull(),
  text: text("text").notNull(),
  updated_at: integer("updated_at").notNull(),
}, (t) => [primaryKey({ columns: [t.owner, t.name] })])
