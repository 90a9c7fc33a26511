// Prometheus metrics (S3) in a registry of their own; the only importer of prom-client, which is loaded in the background
// since a start does not need it: what happens before is counted then. Label sets are closed (T8) and no call can break a job.
import { Context, Effect, Layer } from "effect"
import type { Counter, Gauge, Histogram, Registry } from "prom-client"
import type { Outcome } from "../job/outcome.ts"
import type { ClaimedJob } from "../job/record.ts"
import { type Lag, measureLag } from "./lag.ts"

export const METRICS = [
  { name: "jobs_total", kind: "counter", labels: ["piece", "status", "profile"], help: "Jobs that reached succeeded, failed, aborted, cancelled, waiting_human or waiting_subtasks; a retry or a hand-back counts in none" },
  { name: "active_jobs", kind: "gauge", labels: [], help: "Jobs running on this node" },
  { name: "job_duration_seconds", kind: "histogram", labels: ["piece", "status", "profile"], help: "From the first start of a job to that status" },
  { name: "llm_calls_total", kind: "counter", labels: ["worker_id", "backend_id", "model"], help: "Answered LLM calls" },
  { name: "llm_call_duration_seconds", kind: "histogram", labels: ["worker_id", "backend_id", "model"], help: "Duration of answered LLM calls" },
  { name: "tool_calls_total", kind: "counter", labels: ["tool_name", "success"], help: "Tool calls that gave a result" },
  { name: "queue_depth", kind: "gauge", labels: [], help: "Jobs waiting to be claimed, in the whole database" },
  { name: "queue_oldest_age_seconds", kind: "gauge", labels: [], help: "Age of the oldest job waiting to be claimed" },
  { name: "claims_total", kind: "counter", labels: [], help: "Jobs claimed by this node" },
  { name: "event_loop_lag_seconds", kind: "gauge", labels: ["quantile"], help: "How late timers fired in the last minute" },
  { name: "lease_losses_total", kind: "counter", labels: [], help: "Runs of this node that lost their lease" },
] as const
type Name = (typeof METRICS)[number]["name"]
type Labels = Readonly<Record<string, string>>

/** For the documentation, which must name every metric. */
export const metricsReference = (): ReadonlyArray<{ readonly name: string; readonly labels: ReadonlyArray<string>; readonly help: string }> => METRICS

const DURATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600, 1800, 7200]
/** Values of an open label (models, backends) that are told apart; further ones share `other`. */
const MAX_LABEL_VALUES = 64
const LAG_QUANTILES = [0.5, 0.99, 1] as const
const LOAD_AFTER_MS = 1_500
const MAX_PENDING = 10_000

export interface QueueFigures {
  readonly queued: number
  readonly oldest_queued_at: number | null
  readonly now: number
}

export interface MetricsOptions {
  /** Pieces with a label of their own; others share `other`. */
  readonly pieces: ReadonlySet<string>
  /** Label of a tool's name (T8). */
  readonly toolLabel: (name: string) => string
}

export interface MetricsShape {
  readonly jobEnded: (job: ClaimedJob, outcome: Outcome) => void
  readonly jobCancelled: (job: { readonly piece: string; readonly required_role: string; readonly started_at: number | null }) => void
  readonly activeJobs: (count: number) => void
  readonly claimed: (count: number) => void
  readonly leasesLost: (count: number) => void
  readonly llmCall: (call: { readonly worker_id: string; readonly backend_id: string | null; readonly model: string; readonly duration_ms: number }) => void
  readonly toolCall: (call: { readonly name: string; readonly success: boolean }) => void
  /** Prometheus text; `queue` is read at the scrape, null when it could not be read. */
  readonly text: (queue: QueueFigures | null) => Promise<{ readonly type: string; readonly text: string }>
}

/** The `status` label of a run's end, or null where none is counted: a hand-back, or an attempt that another one follows. */
export const statusLabel = (job: Pick<ClaimedJob, "attempt" | "max_attempts">, outcome: Outcome): string | null => {
  switch (outcome._tag) {
    case "Succeeded": return "succeeded"
    case "Failed": return outcome.retryable && job.attempt < job.max_attempts ? null : outcome.abort_reason === "abort" ? "aborted" : "failed"
    case "Cancelled": return "cancelled"
    case "WaitingHuman": return "waiting_human"
    case "WaitingSubtasks": return "waiting_subtasks"
    case "GivenBack": return null
  }
}

interface Loaded {
  readonly registry: Registry
  readonly of: (name: Name) => Counter | Gauge | Histogram
}

const load = async (): Promise<Loaded> => {
  const prom = await import("prom-client")
  const registry = new prom.Registry()
  prom.collectDefaultMetrics({ register: registry })
  const made = new Map(METRICS.map(({ name, kind, labels, help }) => {
    const config = { name, help, labelNames: labels, registers: [registry] }
    return [name, kind === "counter" ? new prom.Counter(config) : kind === "gauge" ? new prom.Gauge(config) : new prom.Histogram({ ...config, buckets: DURATION_BUCKETS })] as const
  }))
  return { registry, of: (name) => made.get(name)! }
}

/** At most MAX_LABEL_VALUES values of one label. */
const bounded = () => {
  const seen = new Set<string>()
  return (value: string): string => {
    if (seen.has(value)) return value
    if (seen.size >= MAX_LABEL_VALUES) return "other"
    seen.add(value)
    return value
  }
}

const make = (options: MetricsOptions, lag: Lag): { readonly shape: MetricsShape; readonly warm: () => void } => {
  let loaded: Loaded | null = null
  let loading: Promise<Loaded> | null = null
  const pending: Array<(on: Loaded) => void> = []
  const ready = (): Promise<Loaded> => loading ??= load().then((on) => {
    loaded = on
    for (const act of pending.splice(0)) act(on)
    return on
  })
  const act = (change: (on: Loaded) => void): void => {
    try {
      if (loaded !== null) change(loaded)
      else if (pending.length < MAX_PENDING) pending.push(change)
    } catch {
      // A metric that cannot be counted must not end the job that it counts.
    }
  }
  const count = (name: Name, labels: Labels, by = 1) => act((on) => (on.of(name) as Counter).inc(labels, by))
  const set = (name: Name, value: number) => act((on) => (on.of(name) as Gauge).set(value))
  const observe = (name: Name, labels: Labels, seconds: number) => act((on) => (on.of(name) as Histogram).observe(labels, seconds))
  const [model, backend, role] = [bounded(), bounded(), bounded()]
  const ended = (job: { readonly piece: string; readonly required_role: string; readonly started_at: number | null }, status: string) => {
    const labels = { piece: options.pieces.has(job.piece) ? job.piece : "other", status, profile: role(job.required_role) }
    count("jobs_total", labels)
    if (job.started_at !== null) observe("job_duration_seconds", labels, Math.max(0, Date.now() - job.started_at) / 1000)
  }
  return {
    warm: () => void ready().catch(() => {}),
    shape: {
      jobEnded: (job, outcome) => {
        const status = statusLabel(job, outcome)
        if (status !== null) ended(job, status)
      },
      jobCancelled: (job) => ended(job, "cancelled"),
      activeJobs: (value) => set("active_jobs", value),
      claimed: (by) => { if (by > 0) count("claims_total", {}, by) },
      leasesLost: (by) => { if (by > 0) count("lease_losses_total", {}, by) },
      llmCall: (call) => {
        const labels = { worker_id: call.worker_id, backend_id: call.backend_id === null ? "" : backend(call.backend_id), model: model(call.model) }
        count("llm_calls_total", labels)
        observe("llm_call_duration_seconds", labels, call.duration_ms / 1000)
      },
      toolCall: (call) => count("tool_calls_total", { tool_name: options.toolLabel(call.name), success: String(call.success) }),
      text: async (queue) => {
        const on = await ready()
        for (const share of LAG_QUANTILES) act(() => (on.of("event_loop_lag_seconds") as Gauge).set({ quantile: String(share) }, lag.quantile(share) / 1000))
        if (queue !== null) {
          set("queue_depth", queue.queued)
          set("queue_oldest_age_seconds", queue.oldest_queued_at === null ? 0 : Math.max(0, queue.now - queue.oldest_queued_at) / 1000)
        } else for (const name of ["queue_depth", "queue_oldest_age_seconds"] as const) set(name, Number.NaN)
        return { type: on.registry.contentType, text: await on.registry.metrics() }
      },
    },
  }
}

export class Metrics extends Context.Service<Metrics, MetricsShape>()("attacca/metrics/Metrics") {
  static readonly layer = (options: MetricsOptions) => Layer.effect(Metrics, Effect.gen(function*() {
    const lag = measureLag()
    const { shape, warm } = make(options, lag)
    const timer = setTimeout(warm, LOAD_AFTER_MS)
    yield* Effect.addFinalizer(() => Effect.sync(() => {
      clearTimeout(timer)
      lag.stop()
    }))
    return Metrics.of(shape)
  }))
}
