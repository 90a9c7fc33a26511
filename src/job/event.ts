// Everything that happens in a run, as data (design: "The life of a job"). Durable events are committed with the
// journal entry that they belong to; ephemeral ones are sent live only. The shapes of `data` are the SSE contract.
import type { Status } from "./state.ts"

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly cached_tokens: number
}

export type DurableEvent =
  | { readonly event: "status"; readonly data: { readonly status: Status; readonly worker_id?: string | null; readonly attempt?: number; readonly reason?: string | null } }
  | { readonly event: "movement_start"; readonly data: { readonly movement: string } }
  | { readonly event: "movement_complete"; readonly data: { readonly movement: string; readonly next: string; readonly output: string; readonly duration_ms: number } }
  | { readonly event: "tool_use"; readonly data: { readonly call_id: string; readonly name: string; readonly input: unknown } }
  | { readonly event: "tool_result"; readonly data: { readonly call_id: string; readonly name: string; readonly is_error: boolean; readonly output: string; readonly duration_ms: number; readonly cache_hit: boolean } }
  | { readonly event: "llm_call"; readonly data: { readonly duration_ms: number; readonly ttft_ms: number | null; readonly usage: Usage; readonly model: string; readonly backend_id: string | null; readonly text: string } }
  | { readonly event: "context"; readonly data: { readonly used_tokens: number; readonly limit_tokens: number; readonly action?: string } }
  | { readonly event: "checklist"; readonly data: { readonly name: string; readonly items: ReadonlyArray<{ readonly text: string; readonly done: boolean; readonly note?: string }>; readonly summary: string } }
  | { readonly event: "comment"; readonly data: { readonly comment_id: number; readonly author: string; readonly kind: string; readonly body: string } }
  | { readonly event: "ask"; readonly data: { readonly question: string; readonly options?: ReadonlyArray<string> } }
  | { readonly event: "done"; readonly data: { readonly status: Status; readonly result: string | null } }

export type EphemeralEvent =
  | { readonly event: "text"; readonly data: { readonly text: string } }
  | { readonly event: "reasoning"; readonly data: { readonly text: string } }
  | { readonly event: "tool_use_delta"; readonly data: { readonly call_id: string; readonly name: string; readonly chunk: string } }
  | { readonly event: "prompt_progress"; readonly data: { readonly processed: number; readonly total: number; readonly time_ms: number; readonly cache: number } }

export type RunEvent = DurableEvent | EphemeralEvent

export const DURABLE_EVENTS = ["status", "movement_start", "movement_complete", "tool_use", "tool_result", "llm_call", "context", "checklist", "comment", "ask", "done"] as const
export const EPHEMERAL_EVENTS = ["text", "reasoning", "tool_use_delta", "prompt_progress"] as const
const ephemeral: ReadonlySet<string> = new Set(EPHEMERAL_EVENTS)
export const isDurable = (event: RunEvent): event is DurableEvent => !ephemeral.has(event.event)
