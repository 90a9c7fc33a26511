// The context manager's decisions (P8), pure: what to do before a prompt is sent. At `drop_results_ratio` of the limit old
// tool results go, at `summarise_ratio` old turns are summarised, over `prompt_guard_ratio` nothing is sent.
import type { ChatMessage, ToolSpec } from "../llm/LlmClient.ts"
import { type Item, type Transcript } from "./transcript.ts"

export interface ContextRatios {
  readonly drop_results_ratio: number
  readonly summarise_ratio: number
  readonly prompt_guard_ratio: number
}

export type ContextStep =
  | { readonly _tag: "Send" }
  | { readonly _tag: "DropResults"; readonly call_ids: ReadonlyArray<string> }
  | { readonly _tag: "Summarise"; readonly keep_from: number }
  | { readonly _tag: "TooLong" }

/** The newest turns that stay word for word. */
const KEEP_TURNS = 2
/** Used until the endpoint's own figures are known; English text has about four characters a token, code about three. */
export const DEFAULT_CHARS_PER_TOKEN = 3.5

/** Size of a request in characters, the measure that usage figures calibrate. */
export const requestChars = (messages: ReadonlyArray<ChatMessage>, tools: ReadonlyArray<ToolSpec>): number => {
  let chars = tools.length === 0 ? 0 : JSON.stringify(tools).length
  for (const message of messages) {
    chars += 16 + (message.content?.length ?? 0)
    for (const call of message.tool_calls ?? []) chars += 32 + call.function.name.length + call.function.arguments.length
  }
  return chars
}

/** Characters a token from one answered request, kept within what real tokenizers give. */
export const calibrate = (chars: number, promptTokens: number): number =>
  promptTokens <= 0 ? DEFAULT_CHARS_PER_TOKEN : Math.min(8, Math.max(1, chars / promptTokens))

/** Index of the first item that belongs to the newest KEEP_TURNS turns. */
export const keepFrom = (items: ReadonlyArray<Item>): number => {
  let turns = 0
  for (let index = items.length - 1; index >= 0; index--) {
    if (items[index]?._tag === "Answer" && ++turns === KEEP_TURNS) return index
  }
  return 0
}

const droppable = (transcript: Transcript): ReadonlyArray<string> => {
  const ids: Array<string> = []
  for (const item of transcript.items.slice(0, keepFrom(transcript.items))) {
    if (item._tag !== "Answer") continue
    for (const [id, result] of item.results) if (!transcript.dropped.has(id) && result.output.length > 200) ids.push(id)
  }
  return ids
}

export const nextStep = (transcript: Transcript, promptTokens: number, limitTokens: number, ratios: ContextRatios): ContextStep => {
  const used = promptTokens / limitTokens
  if (used <= ratios.drop_results_ratio) return { _tag: "Send" }
  const call_ids = droppable(transcript)
  if (call_ids.length > 0) return { _tag: "DropResults", call_ids }
  if (used <= ratios.summarise_ratio) return { _tag: "Send" }
  const keep_from = keepFrom(transcript.items)
  // A summary of a single item, itself perhaps a summary, would gain nothing.
  if (keep_from > 1) return { _tag: "Summarise", keep_from }
  return used > ratios.prompt_guard_ratio ? { _tag: "TooLong" } : { _tag: "Send" }
}

/** The turns that a summary replaces, as text for the model that writes it, cut in the middle to `maxChars`. */
export const oldTurnsAsText = (transcript: Transcript, keep_from: number, maxChars: number): string => {
  const parts: Array<string> = []
  for (const item of transcript.items.slice(0, keep_from)) {
    if (item._tag === "User") parts.push(`[message] ${item.text}`)
    else {
      if (item.text.trim() !== "") parts.push(`[assistant] ${item.text}`)
      for (const call of item.calls) {
        const result = item.results.get(call.call_id)
        const shown = transcript.dropped.has(call.call_id) ? "(removed)" : (result?.output ?? "(none)")
        parts.push(`[call] ${call.name} ${call.arguments.slice(0, 500)}\n[result] ${shown}`)
      }
    }
  }
  const text = parts.join("\n")
  if (text.length <= maxChars) return text
  const half = Math.floor(maxChars / 2) - 20
  return `${text.slice(0, half)}\n… (cut) …\n${text.slice(-half)}`
}
