// Follows one job of a task to its end, its question or the user's leave, with live progress. Used by the commands and, for
// the sample of a first start, by the node's own process against its own address.
import { ask } from "./api.ts"
import { taskEvents } from "./events.ts"
import { EXIT } from "./failure.ts"
import type { ExitCode } from "./failure.ts"
import type { Output } from "./output.ts"
import { Progress } from "./progress.ts"
import { endText } from "./result.ts"
import type { Job, Page, Task, TaskEvent, Worker } from "./shapes.ts"
import { waitingText } from "./waiting.ts"

const LIVE_MS = 250
/** A job that has said nothing for this long while it is not running is asked why. */
const QUIET_MS = 1_500
const ASK_EVERY_MS = 2_000
/** How long the node may be away: enough for a restart. */
const PATIENCE_MS = 60_000

export interface FollowOptions {
  /** Address of the node, without a slash at the end. */
  readonly base: string
  readonly task_id: number
  readonly out: Output
  /** Default: the task's latest job. Events of earlier jobs are not shown. */
  readonly job_id?: string
  /** Only events after this time (RFC 3339) are shown; earlier ones were seen before. */
  readonly since?: string
  /** Leaves the task as it is and ends with `left`. */
  readonly signal?: AbortSignal
  readonly patience_ms?: number
}

export interface Followed {
  /** succeeded, failed, cancelled, waiting_human, or the last status known when the user left. */
  readonly status: string
  readonly left: boolean
  /** Time of the last event that was shown, to go on from; null when none was. */
  readonly last_at: string | null
  readonly exit_code: ExitCode
  /** Null only when the user left before anything was read. */
  readonly task: Task | null
}

export const exitCodeOf = (status: string): ExitCode =>
  status === "succeeded" ? EXIT.succeeded : status === "waiting_human" ? EXIT.waiting : EXIT.failed

const getTask = (options: FollowOptions): Promise<Task> => ask<Task>(options.base, `/api/tasks/${options.task_id}`)

class Following {
  private root: string | null
  private readonly progress: Progress
  private started = false
  private quietSince = Date.now()
  private askedAt = 0
  private toldAttempt = 0
  last_at: string | null = null
  private status = "queued"

  constructor(private readonly options: FollowOptions, task: Task) {
    this.root = options.job_id ?? task.job?.id ?? null
    this.progress = new Progress(options.out, () => this.root)
  }

  /** The task when there is nothing more to wait for, else null. */
  async take(event: TaskEvent): Promise<Task | null> {
    const job = event.data["job_id"]
    this.root ??= typeof job === "string" ? job : null
    if (job === this.root) this.started = true
    if (!this.started) return null
    this.quietSince = Date.now()
    const at = event.data["at"]
    if (this.options.since === undefined || typeof at !== "string" || at > this.options.since) this.progress.show(event)
    if (typeof at === "string") this.last_at = at
    if (job !== this.root) return null
    if (event.event === "done") return this.ended(event)
    if (event.event !== "status") return null
    this.status = String(event.data["status"])
    if (this.status !== "waiting_human") return null
    // An old event may tell of a question that was answered since; the task says how it is now.
    const task = await getTask(this.options)
    return task.status === "waiting_human" ? task : null
  }

  /** The task as it stands with this job's end, also when another job of it has begun since. */
  private async ended(event: TaskEvent): Promise<Task> {
    const task = await getTask(this.options)
    if (task.job === null || task.job.id === this.root) return task
    const job = await ask<Job>(this.options.base, `/api/jobs/${this.root}`)
    const { result } = event.data
    return { ...task, job, status: job.status, result: typeof result === "string" ? result : null }
  }

  /** Called on a timer: draws the live line, and asks why a job waits. */
  async tick(): Promise<void> {
    this.progress.tick()
    const now = Date.now()
    if (this.status === "running" || now - this.quietSince < QUIET_MS || now - this.askedAt < ASK_EVERY_MS) return
    this.askedAt = now
    const task = await getTask(this.options)
    if (task.job === null || (task.status !== "queued" && task.status !== "retry")) return
    const workers = task.status === "queued" ? (await ask<Page<Worker>>(this.options.base, "/api/workers")).items : []
    // The time that is left changes with every look, and one line a try is enough.
    if (task.status === "retry" && this.toldAttempt === task.job.attempt) return
    this.progress.notice(waitingText(task.job, workers, now))
    if (task.status === "retry") this.toldAttempt = task.job.attempt
  }

  lost(why: string): void {
    this.progress.notice(`connection to the node lost (${why}); trying again`)
  }

  back(): void {
    this.progress.notice("connected again")
  }

  close(): void {
    this.progress.close()
  }
}

/**
 * Follows until the job ends or waits for a person. Rejects with a CommandFailure when the task is unknown or the node stays
 * away. A sub-job's events are shown, but only the followed job's end is an end.
 */
export const followTask = async (options: FollowOptions): Promise<Followed> => {
  const first = await getTask(options)
  const following = new Following(options, first)
  if (first.notice !== null && first.notice !== undefined && options.since === undefined) options.out.line(options.out.paint("yellow", first.notice))
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal])
  let ticking = false
  const timer = setInterval(() => {
    if (ticking) return
    ticking = true
    // What the timer reads is an extra; the stream itself reports a node that is away.
    following.tick().catch(() => undefined).finally(() => { ticking = false })
  }, LIVE_MS)
  try {
    const events = taskEvents({
      base: options.base, task_id: options.task_id, after: "", signal, patience_ms: options.patience_ms ?? PATIENCE_MS,
      onLost: (why) => following.lost(why), onBack: () => following.back(),
    })
    for await (const event of events) {
      const task = await following.take(event)
      if (task === null) continue
      following.close()
      endText(options.base, task, options.out)
      return { status: task.status, left: false, last_at: following.last_at, exit_code: exitCodeOf(task.status), task }
    }
    following.close()
    return { status: first.status, left: true, last_at: following.last_at, exit_code: exitCodeOf(first.status), task: first }
  } finally {
    clearInterval(timer)
    following.close()
    stop.abort()
  }
}
