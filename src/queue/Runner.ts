// Runs claimed jobs: one fiber each in a FiberMap, keyed by job and fence (Q3). From the claim on, every way out becomes one
// Outcome and one guarded write; then lease, slot and gauges are released. Shutdown keeps the job, cancel ends it (decision 2).
import { Cause, Context, Effect, Exit, FiberMap, Layer } from "effect"
import type { LeaseLost, StoreError } from "../job/errors.ts"
import type { Outcome } from "../job/outcome.ts"
import type { ClaimedJob, JobRecord } from "../job/record.ts"
import type { LlmClient } from "../llm/LlmClient.ts"
import { Metrics } from "../metrics/Metrics.ts"
import type { Played } from "../piece/play.ts"
import { JobStore, type Lease } from "../store/JobStore.ts"
import { RunTally } from "./recorder.ts"
import { Workers } from "./Workers.ts"

/** Why a run is being interrupted from outside; shutdown when nothing was said. */
type Mark = "cancelled" | "lost" | "silent" | "shutdown"

/** What prepares and plays one job: filled by `prepare.ts`, replaced in tests. */
export type PlayJob = (job: ClaimedJob, tally: RunTally, draining: () => boolean) => Effect.Effect<Played, LeaseLost | StoreError, LlmClient>

export interface RunnerOptions {
  readonly play: PlayJob
  readonly backoff_seconds: ReadonlyArray<number>
}

interface Running {
  readonly job: ClaimedJob
  readonly tally: RunTally
  mark: Mark | null
  /** Its end is being written. */
  ending: boolean
}

export interface RunnerShape {
  readonly start: (job: ClaimedJob) => Effect.Effect<void>
  /** Interrupts the job's run on this node, if it is here; answers after its finalizers. */
  readonly interrupt: (job_id: string, mark: Mark) => Effect.Effect<void>
  /** A job was cancelled in the database: counts it, wherever it was, and stops its run if it is on this node. */
  readonly cancelled: (job: JobRecord) => Effect.Effect<void>
  /** Leases to keep: not those of runs that are ending, were cancelled or are lost already. */
  readonly leases: () => ReadonlyArray<Lease>
  /** Runs without a sign of life for `ms` that nobody has interrupted yet. */
  readonly silent: (ms: number) => ReadonlyArray<string>
  readonly draining: () => boolean
  /** No more claims; each run is handed back at its next turn. Resolves when none runs; `grace_ms` bounds the wait, then the rest is interrupted. */
  readonly drain: (grace_ms: number) => Effect.Effect<void>
}

const LASTING: ReadonlySet<StoreError["reason"]> = new Set(["constraint", "other"])

const outcomeOf = (running: Running, exit: Exit.Exit<Played, LeaseLost | StoreError>): Outcome | null => {
  if (Exit.isSuccess(exit)) return exit.value.outcome
  const { cause } = exit
  if (Cause.hasInterruptsOnly(cause)) {
    switch (running.mark) {
      case "cancelled":
      case "lost":
        return null
      case "silent":
        return { _tag: "Failed", abort_reason: "llm_error", error: "the run gave no sign of life for twice the LLM timeout", retryable: true, resume_movement: null }
      default:
        return { _tag: "GivenBack", cause: "shutdown", reason: "the node is shutting down" }
    }
  }
  if (Cause.hasDies(cause)) return { _tag: "Failed", abort_reason: "worker_exception", error: Cause.pretty(cause).slice(0, 2_000), retryable: true, resume_movement: null }
  const error = Cause.squash(cause) as LeaseLost | StoreError
  if (error._tag === "LeaseLost") return null
  // What the database refuses for good would be refused again at once: that is a failed attempt and no give-back without end.
  return LASTING.has(error.reason)
    ? { _tag: "Failed", abort_reason: "worker_exception", error: error.message, retryable: true, resume_movement: null }
    : { _tag: "GivenBack", cause: "lease", reason: error.message }
}

export class Runner extends Context.Service<Runner, RunnerShape>()("attacca/queue/Runner") {
  static readonly layer = (options: RunnerOptions) => Layer.effect(Runner, Effect.gen(function*() {
    const [workers, jobs, metrics] = [yield* Workers, yield* JobStore, yield* Metrics]
    const fibers = yield* FiberMap.make<string, void, never>()
    const running = new Map<string, Running>()
    let draining = false
    const keyOf = (job: { readonly id: string; readonly fence: number }) => `${job.id}:${job.fence}`

    const finish = (entry: Running, exit: Exit.Exit<Played, LeaseLost | StoreError>) => Effect.gen(function*() {
      const { job, tally } = entry
      entry.ending = true
      const outcome = outcomeOf(entry, exit)
      // Whoever cancelled or took the job wrote that in the database already.
      if (outcome === null) return yield* Effect.logInfo(entry.mark === "cancelled" ? "cancelled" : "the lease is lost; another run owns this job, or it was cancelled")
      if (outcome._tag === "GivenBack" && outcome.cause === "connection") workers.markUnhealthy(job.worker_id, outcome.reason)
      const closing = Exit.isSuccess(exit) ? exit.value.closing.pipe(Effect.catch((error) => Effect.logWarning(`the journal's last step was not written: ${error.message}`))) : Effect.void
      const finished = jobs.finish({ id: job.id, fence: job.fence, outcome, backoff_seconds: options.backoff_seconds, movements: tally.movements, context_actions: tally.context_actions })
      // Asked in one tick, so that both stand in one batch: the journal's last step first, then the status.
      const [, kept] = yield* Effect.all([closing, finished], { concurrency: "unbounded" })
      yield* Effect.logInfo(kept ? `${outcome._tag}${"error" in outcome ? `: ${outcome.error}` : "reason" in outcome ? `: ${outcome.reason}` : ""}` : "the run's end was not written: another run owns this job or it was cancelled")
      if (kept) metrics.jobEnded(job, outcome)
    }).pipe(
      Effect.catchTag("StoreError", (error) => Effect.logError(`the end of the run could not be written and its lease will run out: ${error.message}`)),
      Effect.catchDefect((defect) => Effect.logError("the end of the run broke and its lease will run out", Cause.die(defect))),
    )

    const release = (entry: Running) => Effect.sync(() => {
      running.delete(keyOf(entry.job))
      workers.giveBack(entry.job.worker_id)
      metrics.activeJobs(running.size)
    })

    const interrupt: RunnerShape["interrupt"] = (job_id, mark) => Effect.forEach([...running.values()].filter((entry) => entry.job.id === job_id), (entry) => {
      entry.mark ??= mark
      return FiberMap.remove(fibers, keyOf(entry.job))
    }, { discard: true })

    return Runner.of({
      start: (job) => {
        const entry: Running = { job, tally: new RunTally(), mark: null, ending: false }
        running.set(keyOf(job), entry)
        workers.take(job.worker_id)
        metrics.activeJobs(running.size)
        return options.play(job, entry.tally, () => draining).pipe(
          Effect.onExit((exit) => finish(entry, exit).pipe(Effect.ensuring(release(entry)))),
          Effect.ignoreCause,
          Effect.annotateLogs({ job: job.id, task: job.task_id, worker: job.worker_id }),
          FiberMap.run(fibers, keyOf(job), { onlyIfMissing: true }),
          Effect.asVoid,
        ) as Effect.Effect<void>
      },
      interrupt,
      cancelled: (job) => Effect.suspend(() => {
        metrics.jobCancelled(job)
        return interrupt(job.id, "cancelled")
      }),
      leases: () => [...running.values()].filter(({ ending, mark }) => !ending && mark !== "cancelled" && mark !== "lost").map(({ job }) => ({ id: job.id, fence: job.fence })),
      silent: (ms) => [...running.values()].filter((entry) => !entry.ending && entry.mark === null && entry.tally.silent_ms() > ms).map((entry) => entry.job.id),
      draining: () => draining,
      drain: (grace_ms) => Effect.gen(function*() {
        draining = true
        yield* FiberMap.awaitEmpty(fibers).pipe(Effect.timeoutOption(grace_ms))
        yield* FiberMap.clear(fibers)
        yield* FiberMap.awaitEmpty(fibers)
      }),
    })
  }))
}
