// The journal's entries (Q6): what a run has done, in order, so that another process can go on from the last one.
// One `answer` entry a turn and one `results` entry for what its tools gave; the transcript is a fold over them.
import type { Usage } from "./event.ts"

export interface ToolCall {
  /** Unique in the job; the endpoint's id where it gave a fresh one. */
  readonly call_id: string
  readonly name: string
  /** The model's own text of the arguments, as it came. */
  readonly arguments: string
}

export interface ToolResult {
  readonly call_id: string
  readonly name: string
  readonly output: string
  readonly is_error: boolean
  readonly duration_ms: number
  readonly cache_hit: boolean
}

export type JournalEntry =
  /** A run began (start, retry, resume): its note about time and cause is appended to the prompt where it stands. */
  | { readonly kind: "run"; readonly attempt: number; readonly note: string }
  | { readonly kind: "movement"; readonly movement: string; readonly iteration: number; readonly at: number; readonly prompt: { readonly system: string; readonly task: string } }
  | { readonly kind: "answer"; readonly movement: string; readonly turn: number; readonly text: string; readonly reasoning: string; readonly calls: ReadonlyArray<ToolCall>; readonly usage: Usage; readonly model: string; readonly worker_id: string; readonly backend_id: string | null; readonly duration_ms: number; readonly ttft_ms: number | null; readonly finish_reason: string }
  | { readonly kind: "results"; readonly movement: string; readonly turn: number; readonly results: ReadonlyArray<ToolResult> }
  /** A user message put into the transcript by the runtime: a nudge, an injected comment. */
  | { readonly kind: "note"; readonly movement: string; readonly text: string; readonly comment_ids: ReadonlyArray<number> }
  /** The context manager replaced the transcript's beginning; `keep_from` counts messages of the transcript before it. */
  | { readonly kind: "context"; readonly movement: string; readonly action: "drop_results" | "summarise"; readonly detail: string; readonly dropped_call_ids: ReadonlyArray<string>; readonly summary: string | null; readonly keep_from: number }
  | { readonly kind: "transition"; readonly movement: string; readonly next: string; readonly output: string; readonly lessons: ReadonlyArray<string>; readonly by: "model" | "runtime"; readonly duration_ms: number }

/** A journal entry as it is stored: `seq` counts from 1 within the job. */
export interface StoredEntry {
  readonly seq: number
  readonly fence: number
  readonly attempt: number
  readonly at: number
  readonly entry: JournalEntry
}
