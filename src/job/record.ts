// Tasks, jobs and comments as the store gives them. Field names are those of the tables and of the HTTP contract, so
// that one word means one thing from column to client. Times are milliseconds since the epoch (UTC).
import type { AbortReason, WaitReason } from "./outcome.ts"
import type { Status } from "./state.ts"

export const PRIORITIES = ["low", "medium", "high"] as const
export type Priority = (typeof PRIORITIES)[number]
export const OUTPUT_FORMATS = ["text", "markdown", "json"] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]
export const ASK_POLICIES = ["low", "high"] as const
export type AskPolicy = (typeof ASK_POLICIES)[number]
export const VISIBILITIES = ["private", "org", "public"] as const
export type Visibility = (typeof VISIBILITIES)[number]

export interface TaskOptions {
  readonly mcp_disabled?: boolean
  readonly skills_disabled?: boolean
}

export interface NewTask {
  readonly title: string
  readonly instruction: string
  readonly piece: string
  /** The exact YAML that the job will play, kept with the job (P1). */
  readonly piece_text: string
  readonly role: string
  readonly model: string | null
  readonly priority: Priority
  readonly output_format: OutputFormat
  readonly ask_policy: AskPolicy
  readonly options: TaskOptions
  readonly visibility: Visibility
  readonly owner: string
  readonly idempotency_key: string | null
  readonly max_attempts: number
  /** Name of the task's directory (a UUID), chosen and filled with the uploads before the submission. */
  readonly workspace: string
  /** Shown with the task, for example that `digest` is played in place of `general` (W9). */
  readonly notice: string | null
}

export interface TaskRecord extends Omit<NewTask, "piece_text" | "model" | "max_attempts"> {
  readonly id: number
  readonly mission_brief: string | null
  readonly created_at: number
  readonly updated_at: number
}

export interface JobRecord {
  readonly id: string
  readonly task_id: number
  readonly parent_job_id: string | null
  readonly continued_from_job_id: string | null
  readonly kind: "agent" | "reflection"
  readonly status: Status
  readonly piece: string
  readonly required_role: string
  readonly required_model: string | null
  readonly attempt: number
  readonly max_attempts: number
  readonly next_retry_at: number | null
  readonly error_summary: string | null
  readonly abort_reason: AbortReason | null
  readonly wait_reason: WaitReason | null
  readonly resume_movement: string | null
  readonly current_movement: string | null
  readonly current_activity: string | null
  readonly ask_count: number
  readonly subtask_depth: number
  readonly give_backs: number
  readonly worker_id: string | null
  readonly node_id: string | null
  readonly fence: number
  readonly lease_expires_at: number | null
  readonly last_backend_id: string | null
  readonly context_used_tokens: number
  readonly context_limit_tokens: number
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly cached_tokens: number
  readonly llm_calls: number
  readonly tool_calls: number
  readonly result: string | null
  readonly created_at: number
  readonly started_at: number | null
  readonly finished_at: number | null
}

/** What a claim gives to the Runner: everything that a run needs, in the one statement that took the job. */
export interface ClaimedJob extends JobRecord {
  readonly worker_id: string
  readonly node_id: string
  readonly lease_expires_at: number
  readonly piece_text: string
  readonly task: TaskRecord
}

export const COMMENT_KINDS = ["message", "ask", "result", "progress", "event"] as const
export interface CommentRecord {
  readonly id: number
  readonly task_id: number
  readonly job_id: string | null
  readonly author: "user" | "agent" | "system"
  readonly kind: (typeof COMMENT_KINDS)[number]
  readonly body: string
  readonly mode: "steer" | "queue" | "interrupt" | null
  readonly created_at: number
  readonly injected_at: number | null
}

export interface AuditRecord {
  readonly id: number
  readonly at: number
  readonly actor: string
  readonly action: string
  readonly task_id: number | null
  readonly job_id: string | null
  readonly detail: Record<string, unknown>
}

/** Figures of a run that are written to the job row with each journal append. Totals, not increments. */
export interface Progress {
  readonly current_movement: string | null
  readonly current_activity: string | null
  readonly last_backend_id: string | null
  readonly context_used_tokens: number
  readonly context_limit_tokens: number
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly cached_tokens: number
  readonly llm_calls: number
  readonly tool_calls: number
}
