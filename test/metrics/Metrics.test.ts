import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import type { Outcome } from "../../src/job/outcome.ts"
import type { ClaimedJob } from "../../src/job/record.ts"
import { Metrics, METRICS, metricsReference, statusLabel } from "../../src/metrics/Metrics.ts"

const job = { piece: "general", required_role: "auto", attempt: 1, max_attempts: 3, started_at: Date.now() - 2_000 } as ClaimedJob
const failed = (over: Partial<Extract<Outcome, { _tag: "Failed" }>>): Outcome => ({ _tag: "Failed", abort_reason: "loop", error: "", retryable: false, resume_movement: null, ...over })

const scraped = (use: (metrics: (typeof Metrics)["Service"]) => void) => Effect.runPromise(Effect.gen(function*() {
  const metrics = yield* Metrics
  use(metrics)
  return yield* Effect.promise(() => metrics.text({ queued: 3, oldest_queued_at: 1_000, now: 6_000 }))
}).pipe(Effect.provide(Metrics.layer({ pieces: new Set(["general"]), toolLabel: (name) => (name === "Read" ? name : "unknown") })), Effect.scoped))

describe("metrics", () => {
  it("count what happened before the scrape, also before the library was loaded", async () => {
    const { text } = await scraped((m) => {
      m.jobEnded(job, { _tag: "Succeeded", result: "" })
      m.llmCall({ worker_id: "w1", backend_id: null, model: "m", duration_ms: 1500 })
      m.toolCall({ name: "Read", success: true })
      m.toolCall({ name: "made up by a model", success: false })
      m.claimed(2)
      m.activeJobs(1)
    })
    for (const line of [
      "jobs_total{piece=\"general\",status=\"succeeded\",profile=\"auto\"} 1", "llm_calls_total{worker_id=\"w1\",backend_id=\"\",model=\"m\"} 1",
      "tool_calls_total{tool_name=\"Read\",success=\"true\"} 1", "tool_calls_total{tool_name=\"unknown\",success=\"false\"} 1",
      "claims_total 2", "active_jobs 1", "queue_depth 3", "queue_oldest_age_seconds 5",
    ]) expect(text).toContain(line)
    expect(text).toMatch(/job_duration_seconds_sum\{[^}]*\} 2(\.|\n)/)
  })

  it("count a job once: neither a retry to come nor a hand-back, but the last failed attempt", async () => {
    const { text } = await scraped((m) => {
      m.jobEnded(job, failed({ retryable: true }))
      m.jobEnded(job, { _tag: "GivenBack", cause: "shutdown", reason: "" })
      m.jobEnded({ ...job, attempt: 3 }, failed({ retryable: true }))
    })
    expect(text.match(/^jobs_total\{.*/gm)).toEqual(["jobs_total{piece=\"general\",status=\"failed\",profile=\"auto\"} 1"])
  })

  it("tell apart a rule's ABORT from a failure", () => {
    expect(statusLabel(job, failed({ abort_reason: "abort" }))).toBe("aborted")
    expect(statusLabel(job, failed({}))).toBe("failed")
  })

  it("bound their labels: unknown pieces and too many models share one", async () => {
    const { text } = await scraped((m) => {
      for (let i = 0; i < 200; i++) m.llmCall({ worker_id: "w1", backend_id: null, model: `m${i}`, duration_ms: 1 })
      m.jobEnded({ ...job, piece: "somebody's own" }, { _tag: "Succeeded", result: "" })
    })
    expect(text.match(/^llm_calls_total\{/gm)!.length).toBe(65)
    expect(text).toContain("llm_calls_total{worker_id=\"w1\",backend_id=\"\",model=\"other\"} 136")
    expect(text).toContain("jobs_total{piece=\"other\"")
  })

  it("are all published with a help text, and the process's own beside them", async () => {
    const { text, type } = await scraped(() => {})
    for (const { name, help } of metricsReference()) expect(text).toContain(`# HELP ${name} ${help}`)
    expect(metricsReference()).toHaveLength(METRICS.length)
    expect(text).toContain("process_resident_memory_bytes")
    expect(text).toContain("event_loop_lag_seconds{quantile=\"0.99\"}")
    expect(type).toContain("text/plain")
  })
})
