// How one run of a job ended: the single value that the guarded exit writes (decision 1). Every way out of a run
// becomes one of these before `JobStore.finish` is called.

/** The published list of `abort_reason` values. */
export const ABORT_REASONS = [
  "abort", "loop", "budget", "max_turns", "max_movements", "timeout", "no_transition", "rule_error", "rule_no_match", "context",
  "unknown_piece", "settings", "profile", "llm_error", "cancelled", "worker_exception",
] as const
export type AbortReason = (typeof ABORT_REASONS)[number]

/** The published list of `wait_reason` values. */
export const WAIT_REASONS = [
  "question", "approval", "quarantined", "mcp_auth_required", "model", "role", "lock", "backoff", "give_backs", "take_over",
] as const
export type WaitReason = (typeof WAIT_REASONS)[number]

export type Outcome =
  | { readonly _tag: "Succeeded"; readonly result: string }
  /** `retryable`: another run may change it (Q9); the store decides by attempts whether it becomes `retry` or `failed`. */
  | { readonly _tag: "Failed"; readonly abort_reason: AbortReason; readonly error: string; readonly retryable: boolean; readonly resume_movement: string | null; readonly result?: string | null }
  | { readonly _tag: "Cancelled"; readonly summary: string }
  /** Parked for a person. `question` is posted as an `ask` comment by the same commit. */
  | { readonly _tag: "WaitingHuman"; readonly wait_reason: WaitReason; readonly question: string; readonly options: ReadonlyArray<string>; readonly call_id: string | null; readonly resume_movement: string }
  | { readonly _tag: "WaitingSubtasks"; readonly resume_movement: string }
  /** Handed back with the attempt unspent; goes on from the journal. `connection` counts towards the give-back limit (Q10). */
  | { readonly _tag: "GivenBack"; readonly cause: "shutdown" | "connection" | "role" | "model" | "lock" | "lease"; readonly reason: string }
