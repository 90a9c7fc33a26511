// Generated tokens → text pieces that never end inside a character, and the guard against a model that repeats itself
// without end. Pure, given the model's own table.
import { CYCLE_TOKENS, MAX_CYCLE_PERIOD_TOKENS } from "./limits.ts"
import type { LlamaModel, Token } from "./runtime.ts"

/** A character has at most four bytes; more tokens than this without one are bytes that are no text. */
const MAX_PENDING = 8
const MEMORY = 8

export class Pieces {
  readonly #model: Pick<LlamaModel, "detokenize">
  readonly #marks: ReadonlyMap<Token, string>
  #pending: Array<Token> = []
  #last: ReadonlyArray<Token>

  /** `marks`: tokens that stand for a mark such as `<tool_call>` and would otherwise have no text. */
  constructor(model: Pick<LlamaModel, "detokenize">, before: ReadonlyArray<Token>, marks: ReadonlyMap<Token, string>) {
    this.#model = model
    this.#marks = marks
    this.#last = before.slice(-MEMORY)
  }

  push(token: Token): string {
    const mark = this.#marks.get(token)
    if (mark !== undefined) {
      const text = this.#text() + mark
      this.#done([token])
      return text
    }
    this.#pending.push(token)
    const text = this.#text()
    if (text.endsWith("\ufffd") && this.#pending.length < MAX_PENDING) return ""
    this.#done(this.#pending)
    return text
  }

  #text(): string {
    return this.#pending.length === 0 ? "" : this.#model.detokenize(this.#pending, false, this.#last)
  }

  #done(tokens: ReadonlyArray<Token>) {
    this.#last = [...this.#last, ...tokens].slice(-MEMORY)
    this.#pending = []
  }
}

/** The last tokens are one short run of tokens over and over. */
export const cycles = (tokens: ReadonlyArray<Token>): boolean => {
  if (tokens.length < CYCLE_TOKENS) return false
  const start = tokens.length - CYCLE_TOKENS
  for (let period = 1; period <= MAX_CYCLE_PERIOD_TOKENS; period++) {
    let same = true
    for (let i = start + period; i < tokens.length && same; i++) same = tokens[i] === tokens[i - period]
    if (same) return true
  }
  return false
}
