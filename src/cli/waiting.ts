// Why a job does not run yet, in words: from the job's own reason, else from the state of the workers. Pure.
import type { WaitReason } from "../job/outcome.ts"
import type { Job, Worker } from "./shapes.ts"
import { duration, oneLine } from "./text.ts"

const named = (worker: Worker): string => `${oneLine(worker.id, 40)}: ${oneLine(worker.last_error ?? "no answer", 120)}`

const workersText = (job: Job, workers: ReadonlyArray<Worker>): string => {
  const serving = workers.filter((worker) => worker.enabled && worker.claims && worker.roles.includes(job.required_role))
  if (serving.length === 0) return `no enabled worker serves the role "${oneLine(job.required_role, 60)}"; add it to a worker's roles in attacca.yaml`
  const healthy = serving.filter((worker) => worker.healthy)
  if (healthy.length === 0) return `no healthy worker (${serving.slice(0, 3).map(named).join("; ")})`
  if (healthy.every((worker) => worker.inflight >= worker.max_concurrency)) return "all workers are busy"
  return ""
}

const STORED: Readonly<Record<WaitReason, (job: Job) => string>> = {
  question: () => "a person has to answer its question",
  approval: () => "a person has to approve a step",
  quarantined: () => "it was running at two unclean deaths of the node; look at its log, then resume it",
  mcp_auth_required: () => "an MCP server needs a login",
  model: () => "no enabled worker offers the model that its piece names",
  role: (job) => `no enabled worker serves the role "${oneLine(job.required_role, 60)}"`,
  lock: () => "another job of this task is running",
  backoff: () => "it waits for its next try",
  give_backs: () => "the model's endpoint could not be reached too many times in a row",
  take_over: () => "a person has taken over its browser page",
}

/** Empty when the job is about to start. `now` in ms since the epoch. */
export const waitingText = (job: Job, workers: ReadonlyArray<Worker>, now: number): string => {
  if (job.status === "retry" && job.next_retry_at !== null) {
    const left = Math.max(0, Date.parse(job.next_retry_at) - now)
    return `attempt ${job.attempt} of ${job.max_attempts} failed${job.error_summary === null ? "" : `: ${oneLine(job.error_summary, 200)}`}; next try in ${duration(Math.ceil(left / 1000) * 1000)}`
  }
  const fromWorkers = job.status === "queued" && (job.wait_reason === null || job.wait_reason === "role") ? workersText(job, workers) : ""
  if (fromWorkers !== "") return `waiting: ${fromWorkers}`
  if (job.wait_reason === null) return ""
  const stored = (STORED as Readonly<Record<string, (job: Job) => string>>)[job.wait_reason]
  return `waiting: ${stored === undefined ? job.wait_reason : stored(job)}`
}
