// Pure guards of the turn loop: repeated calls (P4) and the piece's budget (Q26, of a single job so far).
import type { Budget } from "../job/piece.ts"
import type { Progress } from "../job/record.ts"
import { canonical } from "../tools/run.ts"

/** The order in which a model writes its arguments does not hide a repetition. */
export const callKey = (name: string, argumentsText: string): string => {
  try {
    return `${name} ${canonical(JSON.parse(argumentsText))}`
  } catch {
    return `${name} ${argumentsText}`
  }
}

/** Counts how often the same call came in a row. */
export class Repetition {
  private key: string | null = null
  private count = 0

  /** The length of the current row of equal calls, this one included. */
  add(name: string, argumentsText: string): number {
    const key = callKey(name, argumentsText)
    this.count = key === this.key ? this.count + 1 : 1
    this.key = key
    return this.count
  }
}

/** Which part of the budget is spent, in words, or null. Checked before each call that would charge it. */
export const spentBudget = (budget: Budget, progress: Progress, elapsed_ms: number): string | null => {
  const { turns, tokens, tool_calls, wall_time_ms } = budget
  if (turns !== null && progress.llm_calls >= turns) return `turns: ${progress.llm_calls} of ${turns}`
  const used = progress.prompt_tokens + progress.completion_tokens
  if (tokens !== null && used >= tokens) return `tokens: ${used} of ${tokens}`
  if (tool_calls !== null && progress.tool_calls >= tool_calls) return `tool_calls: ${progress.tool_calls} of ${tool_calls}`
  if (wall_time_ms !== null && elapsed_ms >= wall_time_ms) return `wall_time: ${Math.round(elapsed_ms / 1000)} of ${wall_time_ms / 1000} seconds`
  return null
}
