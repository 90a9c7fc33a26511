import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { AuditView, CommentView, JobView, NodeView, TaskView, WorkerView } from "../../src/http/answers.ts"
import { auditView, commentView, jobView, nodeView, taskView, turnView, waitReason, workerView } from "../../src/http/views.ts"
import type { JobRecord, TaskRecord } from "../../src/job/record.ts"
import type { WorkerRecord } from "../../src/store/Registry.ts"

const job = (over: Partial<JobRecord> = {}): JobRecord => ({
  id: "0199a3f0-0000-7000-8000-000000000000", task_id: 7, parent_job_id: null, continued_from_job_id: null, kind: "agent", status: "queued", piece: "general",
  required_role: "auto", required_model: null, attempt: 1, max_attempts: 3, next_retry_at: null, error_summary: null, abort_reason: null, wait_reason: null,
  resume_movement: null, current_movement: null, current_activity: null, ask_count: 0, subtask_depth: 0, give_backs: 0, worker_id: null, node_id: null, fence: 0,
  lease_expires_at: null, last_backend_id: null, context_used_tokens: 1, context_limit_tokens: 2, prompt_tokens: 3, completion_tokens: 4, cached_tokens: 5,
  llm_calls: 6, tool_calls: 7, result: null, created_at: 0, started_at: null, finished_at: null, ...over,
})
const task: TaskRecord = {
  id: 7, title: "t", instruction: "i", piece: "general", role: "auto", priority: "medium", output_format: "markdown", ask_policy: "low", options: {}, visibility: "private",
  owner: "local", idempotency_key: null, workspace: "w", notice: null, mission_brief: null, created_at: 0, updated_at: 1,
}
const worker = (over: Partial<WorkerRecord> = {}): WorkerRecord => ({
  id: "w1", node_id: "n1", endpoint: "http://127.0.0.1:1/v1", enabled: true, healthy: true, claims: true, roles: ["auto"], models: ["m"], inflight: 1, max_concurrency: 2,
  context_limit_tokens: null, last_error: null, last_seen_at: 0, ...over,
})
const exact = <T, E>(schema: Schema.Codec<T, E>, value: unknown) => Schema.decodeUnknownSync(schema)(value, { onExcessProperty: "error" })
const free = { workers: [worker()], locked: false }

describe("why a job waits", () => {
  it("is what is stored, whatever else is true", () => {
    expect(waitReason(job({ status: "waiting_human", wait_reason: "question" }), { workers: [], locked: true })).toBe("question")
    expect(waitReason(job({ wait_reason: "give_backs" }), free)).toBe("give_backs")
  })

  it("is backoff between attempts, and nothing while it runs or has ended", () => {
    expect(waitReason(job({ status: "retry" }), free)).toBe("backoff")
    for (const status of ["running", "succeeded", "failed", "cancelled"] as const) expect(waitReason(job({ status }), { workers: [], locked: false })).toBe(null)
  })

  it("is role when no enabled worker of any node serves it", () => {
    expect(waitReason(job(), free)).toBe(null)
    expect(waitReason(job(), { workers: [worker({ healthy: false, node_id: "n2" })], locked: false })).toBe(null)
    for (const over of [{ enabled: false }, { claims: false }, { roles: ["fast"] }]) expect(waitReason(job(), { workers: [worker(over)], locked: false })).toBe("role")
  })

  it("is model when none that serves its role offers it, and lock behind another job of its task", () => {
    expect(waitReason(job({ required_model: "big" }), free)).toBe("model")
    expect(waitReason(job({ required_model: "big" }), { workers: [worker(), worker({ models: ["big"] })], locked: true })).toBe("lock")
    expect(waitReason(job({ required_model: "big" }), { workers: [worker({ models: [] })], locked: false })).toBe(null)
  })
})

describe("what the API shows", () => {
  it("is exactly what it publishes", () => {
    const shown = jobView(job({ status: "running", lease_expires_at: 5, started_at: 1_700_000_000_123 }), free)
    expect(exact(JobView, shown)).toMatchObject({
      context: { used_tokens: 1, limit_tokens: 2 }, usage: { prompt_tokens: 3, completion_tokens: 4, cached_tokens: 5, llm_calls: 6, tool_calls: 7 },
      started_at: "2023-11-14T22:13:20.123Z", finished_at: null,
    })
    const files = { input: [{ path: "input/a", bytes: 1, modified_at: 0 }], output: [] }
    expect(exact(TaskView, taskView({ task, job: job({ status: "succeeded", result: "r" }) }, files, free))).toMatchObject({ status: "succeeded", result: "r", files: { input: [{ path: "input/a", modified_at: "1970-01-01T00:00:00.000Z" }] } })
    expect(exact(TaskView, taskView({ task, job: null }, files, free))).toMatchObject({ status: "scheduled", job: null, result: null })
    expect(exact(CommentView, commentView({ id: 1, task_id: 7, job_id: null, author: "user", kind: "message", body: "b", mode: null, created_at: 0, injected_at: 1 }))).toMatchObject({ injected_at: "1970-01-01T00:00:00.001Z" })
    expect(exact(AuditView, auditView({ id: 1, at: 0, actor: "local", action: "job.cancelled", task_id: 7, job_id: null, detail: { a: 1 } }))).toMatchObject({ detail: { a: 1 } })
    expect(turnView({ seq: 1, fence: 2, attempt: 1, at: 0, entry: { kind: "run", attempt: 1, note: "n" } })).toEqual({ seq: 1, fence: 2, attempt: 1, at: "1970-01-01T00:00:00.000Z", kind: "run", note: "n" })
  })

  it("hides credentials in a worker's address and sums a node's enabled workers", () => {
    expect(exact(WorkerView, workerView(worker({ endpoint: "https://user:pass@host/v1?api_key=x" }))).endpoint).toBe("https://***@host/v1?api_key=***")
    expect(workerView(worker({ last_error: "GET http://u:p@h/v1/models: refused" })).last_error).toBe("GET http://***@h/v1/models: refused")
    const workers = [worker(), worker({ id: "w2", roles: ["fast", "auto"], models: ["n"], last_error: "down" }), worker({ id: "w3", node_id: "n2" }), worker({ id: "w4", enabled: false })]
    expect(exact(NodeView, nodeView({ id: "n1", url: "http://x", version: "1", healthy: true, started_at: 0, last_seen_at: 0 }, workers))).toMatchObject({
      inflight: 2, max_concurrency: 4, roles: ["auto", "fast"], models: ["m", "n"], last_error: "down",
    })
  })
})
