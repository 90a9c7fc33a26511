// The one contract of every tool (decision 9): built-in, and later WASM, browser, MCP and sub-task tools differ only in
// who makes the value. A tool's failure is an answer to the model (`isError`), never an exception through the loop.
import type { Effect } from "effect"
import type { DurableEvent } from "../job/event.ts"
import type { JsonSchema } from "../job/piece.ts"

/** read: no effect, may be repeated and cached; idempotent: repeating gives the same state; effectful: must not repeat unseen. */
export type ToolEffect = "read" | "idempotent" | "effectful"

export interface ToolContext {
  readonly job_id: string
  readonly task_id: number
  readonly movement: string
  /** Absolute real path of the workspace. */
  readonly workspace: string
  /** A path in the workspace, checked by the jail; `write` refuses `input/` and `logs/`. Rejects with a message for the model. */
  readonly resolve: (path: string, access: "read" | "write") => Promise<string>
  /** An event that the call gives rise to (a checklist); committed together with its result. */
  readonly emit: (event: DurableEvent) => void
  /** Hard bound on the text that goes back to the model, derived from the context limit. */
  readonly max_output_chars: number
}

export type ToolOutcome =
  | { readonly _tag: "Output"; readonly output: string; readonly isError: boolean }
  /** Parks the job: the person's answer becomes this call's result (Q14). */
  | { readonly _tag: "Ask"; readonly question: string; readonly options: ReadonlyArray<string> }

export interface Tool {
  readonly name: string
  readonly description: string
  /** JSON Schema (object) of the arguments. */
  readonly input: JsonSchema
  readonly effect: ToolEffect
  readonly timeout_ms: number
  /** Arguments were checked against `input` before. Interruption must stop the work. */
  readonly run: (args: Readonly<Record<string, unknown>>, context: ToolContext) => Effect.Effect<ToolOutcome>
  /** For read tools: the paths (absolute) whose state the result depends on; null means do not cache. */
  readonly dependsOn?: (args: Readonly<Record<string, unknown>>, context: ToolContext) => Promise<ReadonlyArray<string> | null>
}

export const output = (text: string): ToolOutcome => ({ _tag: "Output", output: text, isError: false })
export const failure = (text: string): ToolOutcome => ({ _tag: "Output", output: text, isError: true })
