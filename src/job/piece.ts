// The checked form of a piece: what the player walks. Built from YAML by `piece/parse.ts`, which owns the published
// JSON Schema; by the time a value of this type exists, every name in it resolves.

export const TERMINALS = ["COMPLETE", "ABORT", "ASK", "WAIT_SUBTASKS"] as const
export type Terminal = (typeof TERMINALS)[number]
export const isTerminalNext = (next: string): next is Terminal => (TERMINALS as ReadonlyArray<string>).includes(next)

export interface Rule {
  /** Condition in words that the model judges; null for the catch-all. */
  readonly if: string | null
  readonly next: string
  /** For ASK and WAIT_SUBTASKS: where the job goes on; null is the same movement. */
  readonly resume: string | null
}

/** One entry of a movement's `tools`: a name, glob or group, perhaps narrowed (P15). */
export interface ToolEntry {
  readonly tool: string
  /** Filled in by the runtime and hidden from the model. */
  readonly with: Readonly<Record<string, unknown>>
  /** JSON Schema by argument name; must hold besides the tool's own. */
  readonly narrow: Readonly<Record<string, JsonSchema>>
  /** The runtime asks for this call until it has succeeded (once for each value of a narrowed enum), then moves on by itself. */
  readonly once: boolean
}

export type JsonSchema = { readonly [key: string]: unknown }

export interface Movement {
  readonly name: string
  readonly persona: string | null
  readonly instruction: string
  readonly tools: ReadonlyArray<ToolEntry>
  readonly rules: ReadonlyArray<Rule>
  readonly max_turns: number
  readonly timeout_ms: number
}

export interface Budget {
  readonly turns: number | null
  readonly tokens: number | null
  readonly tool_calls: number | null
  readonly wall_time_ms: number | null
}

export interface Piece {
  readonly name: string
  readonly description: string
  readonly initial_movement: string
  readonly max_movements: number
  readonly model: string | null
  readonly budget: Budget
  readonly movements: ReadonlyArray<Movement>
}
