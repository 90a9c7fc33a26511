// The gates before a run, in the order of Q29 (role, lock, piece, model, workspace; the claim has checked role and lock), and
// then the run itself: settings, worker and files become the agent loop's port. Given to Runner by app.ts.
import { Effect, Result } from "effect"
import type { PromptContext } from "../agent/prompt.ts"
import type { RunLimits, RunPort } from "../agent/run.ts"
import type { Outcome } from "../job/outcome.ts"
import type { Piece } from "../job/piece.ts"
import type { ClaimedJob } from "../job/record.ts"
import { LlmClient } from "../llm/LlmClient.ts"
import { Metrics } from "../metrics/Metrics.ts"
import { offeredTools } from "../piece/offer.ts"
import { parseCache } from "../piece/PieceSource.ts"
import { play, type Played } from "../piece/play.ts"
import { EventLog } from "../store/EventLog.ts"
import { Journal } from "../store/Journal.ts"
import { TaskStore } from "../store/TaskStore.ts"
import type { Tool } from "../tools/Tool.ts"
import { Workspace } from "../workspace/Workspace.ts"
import { activityListener, liveListener, metricsListener, ProgressComments } from "./listeners.ts"
import { makeRecorder } from "./recorder.ts"
import type { PlayJob } from "./Runner.ts"
import { Workers } from "./Workers.ts"

export interface PrepareOptions {
  readonly limits: RunLimits
  readonly time_zone: string
  readonly tools: ReadonlyArray<Tool>
}

/** A person's own messages that a prompt may hold; a run's progress comments are no part of it and do not count. */
const MAX_COMMENTS = 1_000

const ended = (outcome: Outcome): Played => ({ outcome, closing: Effect.void })
const refused = (abort_reason: "unknown_piece" | "worker_exception", error: string, retryable: boolean): Played =>
  ended({ _tag: "Failed", abort_reason, error, retryable, resume_movement: null })

export const preparePlay = (options: PrepareOptions) => Effect.gen(function*() {
  const [workers, journal, tasks, workspace, events, metrics, llm] = [yield* Workers, yield* Journal, yield* TaskStore, yield* Workspace, yield* EventLog, yield* Metrics, yield* LlmClient]
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const listeners = [activityListener(workspace.log), metricsListener(metrics), liveListener(events)]
  // A job plays the exact text that it started with, and many jobs play the same one.
  const parsed = parseCache()

  /** Optional context that cannot be read is left out with a warning and never fails the job (Q29). */
  const optional = <A>(what: string, effect: Effect.Effect<A, { readonly message: string }>, fallback: A) =>
    effect.pipe(Effect.catch((error) => Effect.as(Effect.logWarning(`${what} left out of the prompt: ${error.message}`), fallback)))

  const paths = (job: ClaimedJob, folder: "input" | "output") =>
    Effect.map(optional(`the list of ${folder} files`, workspace.list(job.task.workspace, folder), []), (files) => files.map((file) => file.path))
  const filesOf = (job: ClaimedJob) => Effect.all({ input: paths(job, "input"), output: paths(job, "output") })

  const promptContext = (job: ClaimedJob): Effect.Effect<PromptContext> => Effect.gen(function*() {
    const comments = yield* optional("comments", tasks.comments(job.task_id, { limit: MAX_COMMENTS, cursor: null, kind: "message" }), { items: [], next_cursor: null })
    const { input, output } = yield* filesOf(job)
    return { task: job.task, comments: comments.items, input_files: input, output_files: output, hand_off: null, continuation: null }
  })

  const runPort = (job: ClaimedJob, piece: Piece, path: string, endpoint: NonNullable<ReturnType<typeof workers.endpoint>>, recorder: ReturnType<typeof makeRecorder>, draining: () => boolean): RunPort => {
    const since = performance.now()
    const before = job.started_at === null ? 0 : Math.max(0, Date.now() - job.started_at)
    return {
      ...recorder, job, piece, endpoint: endpoint.endpoint, context_limit_tokens: workers.contextLimit(job.worker_id), limits: options.limits, draining,
      elapsed_ms: () => before + performance.now() - since,
      toolContext: (movement, max_output_chars, emit) => ({
        job_id: job.id, task_id: job.task_id, movement, workspace: path, max_output_chars, emit,
        resolve: (file, access) => Effect.runPromise(workspace.resolve(job.task.workspace, file, access)),
      }),
      warn: (message) => {
        workspace.log(job.task.workspace, `[${job.worker_id}/${job.required_role}] ${message}`)
        runFork(Effect.logWarning(message))
      },
    }
  }

  const playJob: PlayJob = (job, tally, draining) => Effect.gen(function*() {
    const piece = parsed(job.piece_text)
    if (piece._tag === "Invalid") return refused("unknown_piece", `the piece "${job.piece}" is not valid: ${piece.errors.map((e) => `${e.path}: ${e.message}`).join("; ")}`, false)
    const endpoint = workers.endpoint(job.worker_id, job.required_model)
    if (endpoint === null) return ended({ _tag: "GivenBack", cause: "model", reason: `worker ${job.worker_id} does not offer the model "${job.required_model ?? ""}"` })
    if (endpoint.note !== null) yield* Effect.logInfo(endpoint.note)
    const opened = yield* Effect.result(workspace.open(job.task.workspace))
    if (Result.isFailure(opened)) return refused("worker_exception", `the workspace cannot be used: ${opened.failure.message}`, true)
    // The first claim of a job has nothing journaled, so the common case reads nothing.
    const stored = job.fence === 1 ? [] : yield* journal.read(job.id)
    // Sub-jobs post no progress comments (P17).
    const progress = job.parent_job_id === null ? new ProgressComments() : null
    const recorder = makeRecorder({ comments: (entries, evs) => progress?.bodies(entries, evs) ?? [], job, journal, first_seq: (stored.at(-1)?.seq ?? 0) + 1, tally, context_limit_tokens: workers.contextLimit(job.worker_id), listeners })
    const run = runPort(job, piece.piece, opened.success, endpoint, recorder, draining)
    return yield* play({
      run, entries: stored.filter((entry) => entry.attempt === job.attempt).map((entry) => entry.entry), start_movement: job.resume_movement,
      now: Date.now(), time_zone: options.time_zone, promptContext: promptContext(job),
      offeredTools: (movement) => Effect.map(filesOf(job), ({ input, output }) => offeredTools(movement, options.tools, { files: [...input, ...output], task: job.task.instruction })),
      saveLessons: (lessons) => workspace.appendLessons(job.task.workspace, lessons).pipe(Effect.catch((error) => Effect.logWarning(`lessons not written: ${error.message}`))),
    }).pipe(
      Effect.tap(({ outcome }) => Effect.sync(() => { if (outcome._tag === "GivenBack" && outcome.cause === "model") workers.refuse(job.worker_id, endpoint.endpoint.model, outcome.reason) })),
      Effect.provideService(LlmClient, llm),
    )
  })
  return playJob
})
