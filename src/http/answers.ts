// The schemas of JSON answers: the types of views.ts come from them and /openapi.json publishes them, so what is answered and
// what is documented cannot part. Times are RFC 3339 in UTC.
import { Schema } from "effect"
import { ABORT_REASONS, WAIT_REASONS } from "../job/outcome.ts"
import { ASK_POLICIES, COMMENT_KINDS, OUTPUT_FORMATS, PRIORITIES, VISIBILITIES } from "../job/record.ts"
import { STATUSES } from "../job/state.ts"

const Text = Schema.String
const Count = Schema.Int
const orNull = Schema.NullOr
const Time = Schema.String.annotate({ format: "date-time" })

export const JobView = Schema.Struct({
  id: Text, task_id: Count, parent_job_id: orNull(Text), continued_from_job_id: orNull(Text), kind: Schema.Literals(["agent", "reflection"]),
  status: Schema.Literals(STATUSES), piece: Text, required_role: Text, required_model: orNull(Text),
  attempt: Count, max_attempts: Count, next_retry_at: orNull(Time), error_summary: orNull(Text),
  abort_reason: orNull(Schema.Literals(ABORT_REASONS)), wait_reason: orNull(Schema.Literals(WAIT_REASONS)),
  resume_movement: orNull(Text), current_movement: orNull(Text), current_activity: orNull(Text),
  ask_count: Count, subtask_depth: Count, give_backs: Count, worker_id: orNull(Text), node_id: orNull(Text), fence: Count,
  lease_expires_at: orNull(Time), last_backend_id: orNull(Text),
  context: Schema.Struct({ used_tokens: Count, limit_tokens: Count }),
  usage: Schema.Struct({ prompt_tokens: Count, completion_tokens: Count, cached_tokens: Count, llm_calls: Count, tool_calls: Count }),
  result: orNull(Text), created_at: Time, started_at: orNull(Time), finished_at: orNull(Time),
}).annotate({ identifier: "Job" })
export type JobView = typeof JobView.Type

export const FileView = Schema.Struct({ path: Text, bytes: Count, modified_at: Time }).annotate({ identifier: "File" })
export type FileView = typeof FileView.Type

export const TaskView = Schema.Struct({
  id: Count, title: Text, instruction: Text, status: Schema.Literals([...STATUSES, "scheduled"]), piece: Text, role: Text,
  priority: Schema.Literals(PRIORITIES), output_format: Schema.Literals(OUTPUT_FORMATS), ask_policy: Schema.Literals(ASK_POLICIES),
  options: Schema.Struct({ mcp_disabled: Schema.optionalKey(Schema.Boolean), skills_disabled: Schema.optionalKey(Schema.Boolean) }),
  owner: Text, visibility: Schema.Literals(VISIBILITIES), notice: orNull(Text), idempotency_key: orNull(Text),
  created_at: Time, updated_at: Time, job: orNull(JobView),
  files: Schema.Struct({ input: Schema.Array(FileView), output: Schema.Array(FileView) }),
  mission_brief: orNull(Text), result: orNull(Text),
}).annotate({ identifier: "Task" })
export type TaskView = typeof TaskView.Type

const comment = {
  id: Count, task_id: Count, job_id: orNull(Text), author: Schema.Literals(["user", "agent", "system"]), kind: Schema.Literals(COMMENT_KINDS),
  body: Text, created_at: Time, injected_at: orNull(Time),
}
export const CommentView = Schema.Struct(comment).annotate({ identifier: "Comment" })
export type CommentView = typeof CommentView.Type
export const PostedCommentView = Schema.Struct({ ...comment, effect: Schema.Literals(["answer", "interjection", "continuation", "comment"]) }).annotate({ identifier: "PostedComment" })
export type PostedCommentView = typeof PostedCommentView.Type

export const TurnView = Schema.Struct({
  seq: Count, fence: Count, attempt: Count, at: Time, kind: Text,
}).annotate({ identifier: "JournalEntry", description: "One journal entry; its other fields depend on `kind`: run, movement, answer, results, note, context, transition." })

export const AuditView = Schema.Struct({
  id: Count, at: Time, actor: Text, action: Text, task_id: orNull(Count), job_id: orNull(Text), detail: Schema.Record(Text, Schema.Unknown),
}).annotate({ identifier: "AuditEntry" })
export type AuditView = typeof AuditView.Type

export const WorkerView = Schema.Struct({
  id: Text, node_id: Text, endpoint: Text, enabled: Schema.Boolean, healthy: Schema.Boolean, claims: Schema.Boolean, roles: Schema.Array(Text),
  models: Schema.Array(Text), inflight: Count, max_concurrency: Count, context_limit_tokens: orNull(Count), last_error: orNull(Text), last_seen_at: Time,
}).annotate({ identifier: "Worker" })
export type WorkerView = typeof WorkerView.Type

export const NodeView = Schema.Struct({
  id: Text, url: Text, version: Text, healthy: Schema.Boolean, started_at: Time, last_seen_at: Time,
  inflight: Count, max_concurrency: Count, roles: Schema.Array(Text), models: Schema.Array(Text), last_error: orNull(Text),
}).annotate({ identifier: "Node" })
export type NodeView = typeof NodeView.Type

const piece = { name: Text, description: Text, origin: Schema.Literals(["owner", "site", "built-in"]), valid: Schema.Boolean, errors: Count }
export const PieceView = Schema.Struct(piece).annotate({ identifier: "Piece", description: "`errors` counts what is wrong with it." })
export const PieceWithText = Schema.Struct({ ...piece, model: orNull(Text), yaml: Text }).annotate({ identifier: "PieceWithText" })

const Issue = Schema.Struct({ path: Text, message: Text, line: Schema.optionalKey(Count), column: Schema.optionalKey(Count) }).annotate({ identifier: "Issue" })
export const LintView = Schema.Struct({ valid: Schema.Boolean, errors: Schema.Array(Issue), warnings: Schema.Array(Issue) }).annotate({ identifier: "Lint" })

export const ReloadView = Schema.Struct({
  changed: Schema.Array(Text), added: Schema.Array(Text), removed: Schema.Array(Text), restart: Schema.Array(Text).annotate({ description: "Keys whose new value counts only after a restart." }),
}).annotate({ identifier: "Reload" })
export const HealthView = Schema.Struct({ status: Schema.Literal("ok"), version: Text }).annotate({ identifier: "Health" })
export const ReadyView = Schema.Struct({ status: Schema.Literal("ready"), node_id: orNull(Text) }).annotate({ identifier: "Ready" })

export const ProblemView = Schema.Struct({
  type: Text, title: Text, status: Count, detail: Text, errors: Schema.optionalKey(Schema.Array(Issue)),
}).annotate({ identifier: "Problem", description: "RFC 9457; `errors` names every wrong place of invalid input." })

/** `{"items": [...], "next_cursor": string|null}` */
export const listOf = <S extends Schema.Top>(item: S) => Schema.Struct({ items: Schema.Array(item), next_cursor: orNull(Text) })
