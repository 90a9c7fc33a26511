// Folds the chunks of one chat stream into an answer and gives out each delta as it comes (P9). Forgiving about the many
// dialects: whole tool calls in one delta, calls without index or id, arguments as objects, a missing finish reason,
// usage in odd places, a whole answer in place of a stream. No I/O; used by `attempt.ts`.
import type { EphemeralEvent, Usage } from "../job/event.ts"
import type { ToolCall } from "../job/turn.ts"
import { makeThinkSplitter } from "./think.ts"

/** A longer answer is a runaway model; the call stops. */
export const MAX_ANSWER_CHARS = 8 * 1024 * 1024

interface OpenCall {
  readonly call_id: string
  readonly index: number | null
  /** The endpoint's id, to notice a new call under an old index. */
  readonly given_id: string
  name: string
  arguments: string
}

type Fields = Readonly<Record<string, unknown>>
const fields = (value: unknown): Fields | null => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null)
const str = (value: unknown): string => (typeof value === "string" ? value : "")
const count = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.round(value) : null)

export interface FoldedAnswer {
  readonly text: string
  readonly reasoning: string
  readonly calls: ReadonlyArray<ToolCall>
  readonly finish_reason: string
  readonly usage: Usage | null
  readonly model: string | null
}

export class AnswerFold {
  #text = ""
  #reasoning = ""
  #usage: Usage | null = null
  #model: string | null = null
  #finish: string | null = null
  #cached: number | null = null
  readonly #calls: Array<OpenCall> = []
  readonly #emit: (event: EphemeralEvent) => void
  readonly #think = makeThinkSplitter((text) => this.#addText(text), (text) => this.#addReasoning(text))
  /** A part of the answer has been given out; a break from here on voids it. */
  started = false
  /** Characters of text, reasoning and arguments so far. */
  chars = 0

  constructor(emit: (event: EphemeralEvent) => void) {
    this.#emit = emit
  }

  /** Whether the endpoint said how the answer ended; without that and without [DONE] a stream's end is a cut. */
  get finished(): boolean {
    return this.#finish !== null
  }

  /** One parsed event of a stream, or a whole `chat.completion`. */
  push(chunk: unknown): void {
    const all = fields(chunk)
    if (all === null) return
    if (this.#model === null && str(all["model"]) !== "") this.#model = str(all["model"])
    const progress = fields(all["prompt_progress"])
    if (progress !== null) this.#progress(progress)
    const choices = all["choices"]
    const choice = Array.isArray(choices) ? fields(choices[0]) : null
    if (choice !== null) this.#choice(choice)
    const usage = fields(all["usage"]) ?? fields(choice?.["usage"])
    if (usage !== null) this.#readUsage(usage, all)
    this.#cached ??= count(fields(all["timings"])?.["cache_n"])
  }

  result(): FoldedAnswer {
    this.#think.flush()
    return {
      text: this.#text, reasoning: this.#reasoning, model: this.#model,
      calls: this.#calls.map(({ call_id, name, arguments: args }) => ({ call_id, name, arguments: args })),
      finish_reason: this.#finish ?? (this.#calls.length > 0 ? "tool_calls" : "stop"),
      usage: this.#usage === null || this.#cached === null || this.#usage.cached_tokens > 0 ? this.#usage : { ...this.#usage, cached_tokens: this.#cached },
    }
  }

  #choice(choice: Fields): void {
    const delta = fields(choice["delta"]) ?? fields(choice["message"])
    if (delta !== null) {
      const reasoning = str(delta["reasoning_content"]) || str(delta["reasoning"])
      if (reasoning !== "") this.#addReasoning(reasoning)
      const { content } = delta
      if (typeof content === "string") {
        if (content !== "") this.#think.push(content)
      } else if (Array.isArray(content)) for (const part of content) this.#part(fields(part))
      if (Array.isArray(delta["tool_calls"])) for (const call of delta["tool_calls"]) this.#call(fields(call))
    }
    if (str(choice["finish_reason"]) !== "") this.#finish = str(choice["finish_reason"])
  }

  /** Content as a list of parts (Mistral): text and thinking. */
  #part(part: Fields | null): void {
    if (part === null) return
    if (part["type"] === "text") this.#think.push(str(part["text"]))
    else if (part["type"] === "thinking") {
      const inner = part["thinking"]
      const text = Array.isArray(inner) ? inner.map((p) => str(fields(p)?.["text"])).join("") : str(inner)
      if (text !== "") this.#addReasoning(text)
    }
  }

  #addText(text: string): void {
    this.started = true
    this.#text += text
    this.chars += text.length
    this.#emit({ event: "text", data: { text } })
  }

  #addReasoning(text: string): void {
    this.started = true
    this.#reasoning += text
    this.chars += text.length
    this.#emit({ event: "reasoning", data: { text } })
  }

  #progress(progress: Fields): void {
    this.#emit({
      event: "prompt_progress",
      data: { processed: count(progress["processed"]) ?? 0, total: count(progress["total"]) ?? 0, time_ms: count(progress["time_ms"]) ?? 0, cache: count(progress["cache"]) ?? 0 },
    })
  }

  #call(delta: Fields | null): void {
    const called = fields(delta?.["function"])
    if (delta === null || called === null) return
    this.started = true
    const given_id = str(delta["id"])
    const name = str(called["name"])
    const raw = called["arguments"]
    const chunk = typeof raw === "string" ? raw : raw === undefined || raw === null ? "" : JSON.stringify(raw)
    const index = count(delta["index"])
    let call = this.#find(index, given_id, name)
    if (call === undefined) {
      call = { call_id: this.#freshId(given_id), index, given_id, name, arguments: "" }
      this.#calls.push(call)
    } else if (name !== "" && name !== call.name && call.arguments === "") call.name += name
    call.arguments += chunk
    this.chars += chunk.length
    this.#emit({ event: "tool_use_delta", data: { call_id: call.call_id, name: call.name, chunk } })
  }

  /** The open call that a delta goes on with; undefined: it begins a new one. */
  #find(index: number | null, given_id: string, name: string): OpenCall | undefined {
    const call = index === null ? this.#calls.at(-1) : this.#calls.findLast((open) => open.index === index)
    if (call === undefined) return undefined
    if (given_id !== "" && call.given_id !== "" && given_id !== call.given_id) return undefined
    // A name after arguments, where no id tells, is the next call of a server that does not count.
    if (name !== "" && call.arguments !== "" && (index === null || name !== call.name) && given_id === "") return undefined
    if (index === null && given_id !== "" && call.given_id === "") return undefined
    return call
  }

  /** The endpoint's id unless it is missing or taken. */
  #freshId(given_id: string): string {
    if (given_id !== "" && !this.#calls.some((call) => call.call_id === given_id)) return given_id
    return `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`
  }

  #readUsage(usage: Fields, chunk: Fields): void {
    const prompt = count(usage["prompt_tokens"])
    if (prompt === null) return
    const cached = count(fields(usage["prompt_tokens_details"])?.["cached_tokens"]) ?? count(usage["cached_tokens"]) ?? count(usage["prompt_cache_hit_tokens"]) ?? count(chunk["cached_tokens"])
    this.#usage = { prompt_tokens: prompt, completion_tokens: count(usage["completion_tokens"]) ?? 0, cached_tokens: cached ?? 0 }
  }
}
