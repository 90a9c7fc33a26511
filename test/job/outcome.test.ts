import { expect, it } from "vitest"
import { ABORT_REASONS, WAIT_REASONS } from "../../src/job/outcome.ts"

it("the published reasons are those of the HTTP contract, each once", () => {
  expect(new Set(ABORT_REASONS)).toEqual(new Set(["abort", "loop", "budget", "max_turns", "max_movements", "timeout", "no_transition", "rule_error", "rule_no_match", "context", "unknown_piece", "settings", "profile", "llm_error", "cancelled", "worker_exception"]))
  expect(new Set(WAIT_REASONS)).toEqual(new Set(["question", "approval", "quarantined", "mcp_auth_required", "model", "role", "lock", "backoff", "give_backs", "take_over"]))
  expect(ABORT_REASONS).toHaveLength(new Set(ABORT_REASONS).size)
})
