// The conversation of one movement as a fold over its journal entries (Q6, P6): a fresh run and a resumed one build the
// same messages, and each prompt extends the one before it unless the context manager cut it. Pure.
import type { ChatMessage } from "../llm/LlmClient.ts"
import type { JournalEntry, ToolCall, ToolResult } from "../job/turn.ts"

export interface AnswerItem {
  readonly _tag: "Answer"
  readonly turn: number
  readonly text: string
  readonly calls: ReadonlyArray<ToolCall>
  /** By call id; a call without a result was not finished when the journal ended. */
  readonly results: Map<string, ToolResult>
}

export type Item = AnswerItem | { readonly _tag: "User"; readonly text: string }

export const DROPPED = "[result removed to save context; call the tool again if you need it]"

/** Arguments that some servers' templates can parse: the model's own text if it is a JSON object, else an empty object. */
const sendableArguments = (text: string): string => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? text : "{}"
  } catch {
    return "{}"
  }
}

export class Transcript {
  readonly items: Array<Item> = []
  readonly dropped = new Set<string>()
  /** Turns asked so far in the movement, also those that were summarised away. */
  turns = 0
  /** Text answers without a tool call since the last call. */
  nudges = 0

  constructor(readonly prompt: { readonly system: string; readonly task: string }) {}

  apply(entry: JournalEntry): void {
    switch (entry.kind) {
      case "answer":
        this.items.push({ _tag: "Answer", turn: entry.turn, text: entry.text, calls: entry.calls, results: new Map() })
        this.turns = Math.max(this.turns, entry.turn)
        this.nudges = entry.calls.length > 0 ? 0 : this.nudges + 1
        return
      case "results": {
        const item = this.items.findLast((i): i is AnswerItem => i._tag === "Answer" && i.turn === entry.turn)
        for (const result of entry.results) item?.results.set(result.call_id, result)
        return
      }
      case "note":
        this.items.push({ _tag: "User", text: entry.text })
        return
      case "run":
        // Between a call and its result a message would break the pairing; the results then carry on without the note.
        if (this.pending() === null) this.items.push({ _tag: "User", text: entry.note })
        return
      case "context":
        for (const id of entry.dropped_call_ids) this.dropped.add(id)
        if (entry.summary !== null) this.items.splice(0, entry.keep_from, { _tag: "User", text: `Summary of the work so far in this movement:\n${entry.summary}` })
        return
      case "movement":
      case "transition":
        return
    }
  }

  /** The answer whose calls (or whose lack of them) the loop has to deal with next; null when the model is to be asked. */
  pending(): AnswerItem | null {
    const last = this.items.at(-1)
    if (last?._tag !== "Answer") return null
    return last.calls.length === 0 || last.calls.some((call) => !last.results.has(call.call_id)) ? last : null
  }

  has(callId: string): boolean {
    return this.items.some((item) => item._tag === "Answer" && item.calls.some((call) => call.call_id === callId))
  }

  messages(): Array<ChatMessage> {
    const out: Array<ChatMessage> = [{ role: "system", content: this.prompt.system }, { role: "user", content: this.prompt.task }]
    for (const item of this.items) {
      if (item._tag === "User") out.push({ role: "user", content: item.text })
      else this.answerMessages(item, out)
    }
    return out
  }

  private answerMessages(item: AnswerItem, out: Array<ChatMessage>): void {
    if (item.calls.length === 0) {
      if (item.text.trim() !== "") out.push({ role: "assistant", content: item.text })
      return
    }
    out.push({
      role: "assistant",
      content: item.text === "" ? null : item.text,
      tool_calls: item.calls.map((call) => ({ id: call.call_id, type: "function", function: { name: call.name, arguments: sendableArguments(call.arguments) } })),
    })
    for (const call of item.calls) {
      const result = item.results.get(call.call_id)
      if (result === undefined) continue
      out.push({ role: "tool", tool_call_id: call.call_id, content: this.dropped.has(call.call_id) ? DROPPED : result.output })
    }
  }
}

/** Builds the transcript of the movement that the entries end in; null when they hold no open movement. */
export const foldMovement = (entries: ReadonlyArray<JournalEntry>): Transcript | null => {
  const start = entries.findLastIndex((entry) => entry.kind === "movement")
  const first = entries[start]
  if (first?.kind !== "movement" || entries.slice(start).some((entry) => entry.kind === "transition")) return null
  const transcript = new Transcript(first.prompt)
  for (const entry of entries.slice(start + 1)) transcript.apply(entry)
  return transcript
}
