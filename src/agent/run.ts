// What the agent loop knows of the run that it belongs to: one port, filled by queue/Runner. Everything that happens goes
// out through `record` (durable, awaited) or `emit` (live only); nothing here knows who listens.
import { Data } from "effect"
import type { Effect } from "effect"
import type { LeaseLost, StoreError } from "../job/errors.ts"
import type { DurableEvent, EphemeralEvent } from "../job/event.ts"
import type { AbortReason, Outcome } from "../job/outcome.ts"
import type { Piece } from "../job/piece.ts"
import type { ClaimedJob, Progress } from "../job/record.ts"
import type { JournalEntry } from "../job/turn.ts"
import type { Endpoint } from "../llm/LlmClient.ts"
import type { ToolContext } from "../tools/Tool.ts"
import type { ContextRatios } from "./context.ts"

/** Ends the run from any depth of the loop with the outcome that the guarded exit will write. */
export class Stop extends Data.TaggedError("Stop")<{ readonly outcome: Outcome }> {}

export interface RunLimits extends ContextRatios {
  readonly llm_timeout_ms: number
  readonly llm_idle_timeout_ms: number
  readonly loop_warn: number
  readonly loop_abort: number
  readonly max_asks: number
}

export interface RunPort {
  readonly job: ClaimedJob
  readonly piece: Piece
  readonly endpoint: Endpoint
  readonly context_limit_tokens: number
  readonly limits: RunLimits
  /** Totals of the job so far; replaced by each `record` that carries a patch. */
  readonly progress: () => Progress
  /** Commits entries, their events and the new figures together, then lets the listeners know. */
  readonly record: (entries: ReadonlyArray<JournalEntry>, events: ReadonlyArray<DurableEvent>, patch?: Partial<Progress>) => Effect.Effect<void, LeaseLost | StoreError>
  readonly emit: (event: EphemeralEvent) => void
  /** True once the node is shutting down: the run is handed back before its next LLM call. */
  readonly draining: () => boolean
  /** Milliseconds since the job first started. */
  readonly elapsed_ms: () => number
  readonly toolContext: (movement: string, maxOutputChars: number, emit: (event: DurableEvent) => void) => ToolContext
  /** Tells the silence watch that a tool is at work within its own limit, or no longer. */
  readonly toolAtWork: (atWork: boolean) => void
  readonly warn: (message: string) => void
}

export type LoopError = Stop | LeaseLost | StoreError

export const abort = (abort_reason: AbortReason, error: string): Stop =>
  new Stop({ outcome: { _tag: "Failed", abort_reason, error, retryable: false, resume_movement: null } })
