// Fills the agent loop's RunPort for one run: counts journal positions, keeps the run's totals, commits, and then tells the
// listeners. Also the run's signs of life for the silence watch (Q4). Made by Runner for each run.
import { Effect } from "effect"
import type { RunPort } from "../agent/run.ts"
import type { DurableEvent, EphemeralEvent } from "../job/event.ts"
import type { ClaimedJob, Progress } from "../job/record.ts"
import type { JournalEntry } from "../job/turn.ts"
import type { JournalShape } from "../store/Journal.ts"

/** Subscribers of a run's facts. They must not throw and never hold the run up. */
export interface RunListener {
  readonly onRecorded: (job: ClaimedJob, entries: ReadonlyArray<JournalEntry>, events: ReadonlyArray<DurableEvent>) => void
  readonly onEphemeral?: (job: ClaimedJob, event: EphemeralEvent) => void
}

export const progressOf = (job: ClaimedJob, context_limit_tokens: number): Progress => ({
  current_movement: job.current_movement, current_activity: job.current_activity, last_backend_id: job.last_backend_id,
  context_used_tokens: job.context_used_tokens, context_limit_tokens,
  prompt_tokens: job.prompt_tokens, completion_tokens: job.completion_tokens, cached_tokens: job.cached_tokens,
  llm_calls: job.llm_calls, tool_calls: job.tool_calls,
})

/** What a run has done so far, for the closing audit entry, and when it last gave a sign of life. */
export class RunTally {
  movements = 0
  context_actions = 0
  private last_life = performance.now()
  private tools_at_work = 0

  alive(): void {
    this.last_life = performance.now()
  }

  toolAtWork(atWork: boolean): void {
    this.tools_at_work += atWork ? 1 : -1
    this.alive()
  }

  /** Milliseconds without a token, tool result or journal write, outside a tool that is within its own limit. */
  silent_ms(): number {
    return this.tools_at_work > 0 ? 0 : performance.now() - this.last_life
  }

  count(entries: ReadonlyArray<JournalEntry>): void {
    this.alive()
    for (const entry of entries) {
      if (entry.kind === "movement") this.movements++
      else if (entry.kind === "context") this.context_actions++
    }
  }
}

export interface RecorderOptions {
  readonly job: ClaimedJob
  readonly journal: JournalShape
  readonly first_seq: number
  readonly tally: RunTally
  readonly context_limit_tokens: number
  readonly listeners: ReadonlyArray<RunListener>
  /** Bodies of the progress comments that a step gives rise to. */
  readonly comments: (entries: ReadonlyArray<JournalEntry>, events: ReadonlyArray<DurableEvent>) => ReadonlyArray<string>
}

/** The recording part of a RunPort. Appends are awaited one after the other by the loop, so `seq` needs no lock. */
export const makeRecorder = (options: RecorderOptions): Pick<RunPort, "record" | "emit" | "progress" | "toolAtWork"> => {
  const { job, journal, tally, listeners } = options
  let seq = options.first_seq
  let progress = progressOf(job, options.context_limit_tokens)
  return {
    progress: () => progress,
    record: (entries, events, patch) => Effect.suspend(() => {
      const first = seq
      seq += entries.length
      if (patch !== undefined) progress = { ...progress, ...patch }
      return journal.append({ job_id: job.id, task_id: job.task_id, fence: job.fence, attempt: job.attempt, seq: first, entries, events, comments: options.comments(entries, events), progress }).pipe(
        Effect.tap(() => Effect.sync(() => {
          tally.count(entries)
          for (const listener of listeners) listener.onRecorded(job, entries, events)
        })),
      )
    }),
    emit: (event) => {
      tally.alive()
      for (const listener of listeners) listener.onEphemeral?.(job, event)
    },
    toolAtWork: (atWork) => tally.toolAtWork(atWork),
  }
}
