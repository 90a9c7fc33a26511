// Subscribers of a run's facts: the readable activity log (P17), metrics and live listeners, which can neither hold a run up
// nor fail it; and the progress comments, which the same facts give rise to.
import { cutText } from "../job/cut.ts"
import type { DurableEvent } from "../job/event.ts"
import type { JournalEntry, ToolCall, ToolResult } from "../job/turn.ts"
import type { MetricsShape } from "../metrics/Metrics.ts"
import type { EventLogShape } from "../store/EventLog.ts"
import type { RunListener } from "./recorder.ts"

const PREVIEW_CHARS = 200
const PROGRESS_ARGS_BYTES = 8_192
const PROGRESS_RESULT_BYTES = 16_384
const SUMMARY_BYTES = 2_000

const oneLine = (text: string, max = PREVIEW_CHARS): string => {
  const flat = text.replace(/\s+/g, " ").trim()
  return flat.length <= max ? flat : `${flat.slice(0, max)}…`
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

/** One event as a line that a person reads, or null where it has nothing to say. */
export const activityLine = (event: DurableEvent): string | null => {
  switch (event.event) {
    case "status":
      return `status ${event.data.status}${event.data.reason ? `: ${event.data.reason}` : ""}`
    case "movement_start":
      return `movement ${event.data.movement}`
    case "movement_complete":
      return `movement ${event.data.movement} → ${event.data.next} after ${seconds(event.data.duration_ms)}: ${oneLine(event.data.output)}`
    case "llm_call": {
      const { usage } = event.data
      const text = event.data.text.trim() === "" ? "" : `: ${oneLine(event.data.text)}`
      return `llm call ${seconds(event.data.duration_ms)}, ${usage.prompt_tokens} prompt (${usage.cached_tokens} cached) + ${usage.completion_tokens} tokens, ${event.data.model}${event.data.backend_id === null ? "" : ` on ${event.data.backend_id}`}${text}`
    }
    case "tool_use":
      return `tool ${event.data.name} ${oneLine(typeof event.data.input === "string" ? event.data.input : JSON.stringify(event.data.input))}`
    case "tool_result":
      return `tool ${event.data.name} ${event.data.is_error ? "failed" : "ok"} in ${seconds(event.data.duration_ms)}${event.data.cache_hit ? " (cache hit)" : ""}: ${oneLine(event.data.output)}`
    case "context":
      return event.data.action === undefined ? null : `context ${event.data.used_tokens}/${event.data.limit_tokens}: ${event.data.action}`
    case "checklist":
      return `checklist ${event.data.name}: ${event.data.summary}`
    case "ask":
      return `question: ${oneLine(event.data.question)}`
    case "comment":
    case "done":
      return null
  }
}

export const activityListener = (log: (workspace: string, line: string) => void): RunListener => ({
  onRecorded: (job, entries, events) => {
    const tag = `[${job.worker_id}/${job.required_role}]`
    for (const entry of entries) if (entry.kind === "note") log(job.task.workspace, `${tag} nudge: ${oneLine(entry.text)}`)
    for (const event of events) {
      const line = activityLine(event)
      if (line !== null) log(job.task.workspace, `${tag} ${line}`)
    }
  },
})

export const metricsListener = (metrics: MetricsShape): RunListener => ({
  onRecorded: (job, _entries, events) => {
    for (const event of events) {
      if (event.event === "llm_call") metrics.llmCall({ worker_id: job.worker_id, backend_id: event.data.backend_id, model: event.data.model, duration_ms: event.data.duration_ms })
      else if (event.event === "tool_result") metrics.toolCall({ name: event.data.name, success: !event.data.is_error })
    }
  },
})

export const liveListener = (events: EventLogShape): RunListener => ({
  onRecorded: () => {},
  onEphemeral: (job, event) => events.emit(job.task_id, job.id, event),
})

/** The progress comments of one run: JSON bodies as the HTTP contract names them, committed with the step they tell of. */
export class ProgressComments {
  private calls: ReadonlyArray<ToolCall> = []
  private counts: Record<string, number> = {}

  bodies(entries: ReadonlyArray<JournalEntry>, events: ReadonlyArray<DurableEvent>): ReadonlyArray<string> {
    const bodies: Array<Record<string, unknown>> = []
    for (const entry of entries) {
      if (entry.kind === "movement") this.counts = {}
      else if (entry.kind === "answer") this.calls = entry.calls
      else if (entry.kind === "results") bodies.push(...entry.results.map((result) => this.toolCall(entry.movement, result)))
      else if (entry.kind === "transition") bodies.push({ type: "movement", movement: entry.movement, tools: this.counts, duration_ms: entry.duration_ms, summary: cutText(entry.output, SUMMARY_BYTES) })
    }
    for (const event of events) if (event.event === "checklist") bodies.push({ type: "checklist", ...event.data })
    return bodies.map((body) => JSON.stringify(body))
  }

  private toolCall(movement: string, result: ToolResult): Record<string, unknown> {
    this.counts = { ...this.counts, [result.name]: (this.counts[result.name] ?? 0) + 1 }
    const args = this.calls.find((call) => call.call_id === result.call_id)?.arguments ?? ""
    return {
      type: "tool_call", call_id: result.call_id, movement, name: result.name, args: cutText(args, PROGRESS_ARGS_BYTES),
      result: cutText(result.output, PROGRESS_RESULT_BYTES), is_error: result.is_error, duration_ms: result.duration_ms, cache_hit: result.cache_hit,
    }
  }
}
