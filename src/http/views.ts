// Turns records of the store into the shapes of the API (answers.ts): times as RFC 3339, nested figures, and the reason why
// a queued job waits. Pure; called by the routes.
import type { WaitReason } from "../job/outcome.ts"
import type { AuditRecord, CommentRecord, JobRecord } from "../job/record.ts"
import type { StoredEntry } from "../job/turn.ts"
import { maskAddress } from "../settings/masked.ts"
import type { NodeRecord, WorkerRecord } from "../store/Registry.ts"
import type { TaskWithJob } from "../store/TaskStore.ts"
import type { FileEntry } from "../workspace/Workspace.ts"
import type { AuditView, CommentView, FileView, JobView, NodeView, TaskView, WorkerView } from "./answers.ts"

/** RFC 3339 in UTC of milliseconds since the epoch. */
export const time = (ms: number): string => new Date(ms).toISOString()
/** A message without the credentials of the addresses in it (S2). */
export const withoutCredentials = (text: string): string => text.replace(/[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, maskAddress)
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : time(ms))

/** What is known besides the job when it is shown. */
export interface Surroundings {
  readonly workers: ReadonlyArray<WorkerRecord>
  /** Another job of the same task holds the task's lock (Q8). */
  readonly locked: boolean
}

/** Why a job waits: what is stored, else for a job in the queue what keeps it there; null when it is about to start. */
export const waitReason = (job: JobRecord, around: Surroundings): WaitReason | null => {
  if (job.wait_reason !== null) return job.wait_reason
  if (job.status === "retry") return "backoff"
  if (job.status !== "queued") return null
  const serving = around.workers.filter((w) => w.enabled && w.claims && w.roles.includes(job.required_role))
  if (serving.length === 0) return "role"
  const { required_model } = job
  if (required_model !== null && !serving.some((w) => w.models.length === 0 || w.models.includes(required_model))) return "model"
  return around.locked ? "lock" : null
}

export const jobView = (job: JobRecord, around: Surroundings): JobView => ({
  id: job.id, task_id: job.task_id, parent_job_id: job.parent_job_id, continued_from_job_id: job.continued_from_job_id, kind: job.kind,
  status: job.status, piece: job.piece, required_role: job.required_role, required_model: job.required_model,
  attempt: job.attempt, max_attempts: job.max_attempts, next_retry_at: timeOrNull(job.next_retry_at), error_summary: job.error_summary,
  abort_reason: job.abort_reason, wait_reason: waitReason(job, around),
  resume_movement: job.resume_movement, current_movement: job.current_movement, current_activity: job.current_activity,
  ask_count: job.ask_count, subtask_depth: job.subtask_depth, give_backs: job.give_backs, worker_id: job.worker_id, node_id: job.node_id, fence: job.fence,
  lease_expires_at: timeOrNull(job.lease_expires_at), last_backend_id: job.last_backend_id,
  context: { used_tokens: job.context_used_tokens, limit_tokens: job.context_limit_tokens },
  usage: {
    prompt_tokens: job.prompt_tokens, completion_tokens: job.completion_tokens, cached_tokens: job.cached_tokens,
    llm_calls: job.llm_calls, tool_calls: job.tool_calls,
  },
  result: job.result, created_at: time(job.created_at), started_at: timeOrNull(job.started_at), finished_at: timeOrNull(job.finished_at),
})

export const fileView = (file: FileEntry): FileView => ({ path: file.path, bytes: file.bytes, modified_at: time(file.modified_at) })

export interface TaskFiles {
  readonly input: ReadonlyArray<FileEntry>
  readonly output: ReadonlyArray<FileEntry>
}

/** A task without a job is a schedule that has not fired. */
export const taskView = ({ task, job }: TaskWithJob, files: TaskFiles, around: Surroundings): TaskView => ({
  id: task.id, title: task.title, instruction: task.instruction, status: job?.status ?? "scheduled", piece: task.piece, role: task.role,
  priority: task.priority, output_format: task.output_format, ask_policy: task.ask_policy, options: task.options,
  owner: task.owner, visibility: task.visibility, notice: task.notice, idempotency_key: task.idempotency_key,
  created_at: time(task.created_at), updated_at: time(task.updated_at), job: job === null ? null : jobView(job, around),
  files: { input: files.input.map(fileView), output: files.output.map(fileView) },
  mission_brief: task.mission_brief, result: job?.result ?? null,
})

export const commentView = (comment: CommentRecord): CommentView => ({
  id: comment.id, task_id: comment.task_id, job_id: comment.job_id, author: comment.author, kind: comment.kind, body: comment.body,
  created_at: time(comment.created_at), injected_at: timeOrNull(comment.injected_at),
})

export const auditView = (entry: AuditRecord): AuditView => ({ ...entry, at: time(entry.at) })

/** A journal entry with its place. */
export const turnView = ({ seq, fence, attempt, at, entry }: StoredEntry) => ({ ...entry, seq, fence, attempt, at: time(at) })

const sum = (workers: ReadonlyArray<WorkerRecord>, of: (worker: WorkerRecord) => number) => workers.reduce((total, worker) => total + of(worker), 0)
const union = (lists: ReadonlyArray<ReadonlyArray<string>>) => [...new Set(lists.flat())].sort()

const errorText = ({ last_error }: WorkerRecord): string | null => (last_error === null ? null : withoutCredentials(last_error))

export const workerView = (worker: WorkerRecord): WorkerView =>
  ({ ...worker, endpoint: maskAddress(worker.endpoint), last_error: errorText(worker), last_seen_at: time(worker.last_seen_at) })

/** A node with the sums of its enabled workers. */
export const nodeView = (node: NodeRecord, workers: ReadonlyArray<WorkerRecord>): NodeView => {
  const own = workers.filter((worker) => worker.node_id === node.id && worker.enabled)
  return {
    id: node.id, url: node.url, version: node.version, healthy: node.healthy, started_at: time(node.started_at), last_seen_at: time(node.last_seen_at),
    inflight: sum(own, (w) => w.inflight), max_concurrency: sum(own, (w) => w.max_concurrency), roles: union(own.map((w) => w.roles)), models: union(own.map((w) => w.models)),
    last_error: own.map(errorText).find((text) => text !== null) ?? null,
  }
}
