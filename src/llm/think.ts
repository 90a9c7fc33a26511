// Splits reasoning that a server left in the text as a leading `<think>…</think>` block (vLLM without a reasoning parser,
// older Ollama, LM Studio) from the answer itself, while it streams (P14). Used by `answer.ts`.

const OPEN = "<think>"
const CLOSE = "</think>"

export interface ThinkSplitter {
  readonly push: (text: string) => void
  /** The stream has ended: what was held back is given out. */
  readonly flush: () => void
}

/** Length of the longest end of `text` that a closing tag may begin with. */
const heldTail = (text: string): number => {
  for (let n = Math.min(CLOSE.length - 1, text.length); n > 0; n--) if (CLOSE.startsWith(text.slice(-n))) return n
  return 0
}

export const makeThinkSplitter = (onText: (text: string) => void, onReasoning: (text: string) => void): ThinkSplitter => {
  let state: "start" | "thinking" | "gap" | "text" = "start"
  let held = ""
  const thinking = (text: string): void => {
    held += text
    const close = held.indexOf(CLOSE)
    if (close < 0) {
      const keep = heldTail(held)
      if (held.length > keep) onReasoning(held.slice(0, held.length - keep))
      held = keep === 0 ? "" : held.slice(-keep)
      return
    }
    if (close > 0) onReasoning(held.slice(0, close))
    const after = held.slice(close + CLOSE.length)
    held = ""
    state = "gap"
    if (after !== "") gap(after)
  }
  /** White space between the block and the answer belongs to neither. */
  const gap = (text: string): void => {
    const trimmed = text.trimStart()
    if (trimmed === "") return
    state = "text"
    onText(trimmed)
  }
  const start = (text: string): void => {
    held += text
    const trimmed = held.trimStart()
    if (trimmed.startsWith(OPEN)) {
      state = "thinking"
      held = ""
      thinking(trimmed.slice(OPEN.length))
    } else if (!OPEN.startsWith(trimmed)) {
      state = "text"
      const all = held
      held = ""
      onText(all)
    }
  }
  return {
    push: (text) => {
      if (state === "text") onText(text)
      else if (state === "start") start(text)
      else if (state === "thinking") thinking(text)
      else gap(text)
    },
    flush: () => {
      if (held === "") return
      if (state === "thinking") onReasoning(held)
      else onText(held)
      held = ""
    },
  }
}
