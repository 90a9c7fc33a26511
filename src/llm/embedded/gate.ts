// Between the sampler and the client while a model writes free text: holds back what may turn out to be a stop text, the
// beginning of a tool call or a thinking mark, and lets the rest through at once. Pure, but for the text it holds.
import { Matcher } from "./match.ts"
import { alt, lit, optional, rep, seq, set, type Grammar } from "./nodes.ts"

const space = rep(set([[9, 10], [13, 13], [32, 32]]), 0, null)
/** How a plain call begins: perhaps in a code fence, as models that saw much Markdown write it. */
const PLAIN_CALL: Grammar = {
  rules: new Map([["root", seq(space, optional(seq(lit("```"), optional(alt(lit("json"), lit("JSON"))), space)), lit("{"), space, lit("\"name\""), space, lit(":"))]]),
  root: "root",
}
const THINK = "<think>"
const THOUGHT = "</think>"

export interface GateOptions {
  readonly stop: ReadonlyArray<string>
  /** The mark that opens a native call, without white space around it; null when no tool may be called. */
  readonly open: string | null
  /** A JSON object with a name at the very beginning is a call. */
  readonly plainCalls: boolean
  /** The prompt ends inside the model's thinking. */
  readonly thinking: boolean
}

export interface Passed {
  readonly text: string
  readonly reasoning: string
  /** What ended the text; the mark itself is not part of it. */
  readonly found: "stop" | "call" | null
}

/** Longest end of `text` that is a beginning of one of `marks`. */
const heldLength = (text: string, marks: ReadonlyArray<string>): number => {
  let held = 0
  for (const mark of marks) {
    for (let n = Math.min(mark.length - 1, text.length); n > held; n--) if (mark.startsWith(text.slice(-n))) held = n
  }
  return held
}

export class Gate {
  readonly #options: GateOptions
  #state: "start" | "text" | "thinking"
  #held = ""
  /** All text that was let through, which is what stands before a call. */
  passed = ""

  constructor(options: GateOptions) {
    this.#options = options
    this.#state = options.thinking ? "thinking" : "start"
  }

  push(piece: string): Passed {
    this.#held += piece
    let [text, reasoning] = ["", ""]
    for (;;) {
      if (this.#state === "thinking") {
        const end = this.#held.indexOf(THOUGHT)
        if (end < 0) {
          reasoning += this.#release(heldLength(this.#held, [THOUGHT]))
          return { text, reasoning, found: null }
        }
        reasoning += this.#held.slice(0, end).trimEnd()
        this.#held = this.#held.slice(end + THOUGHT.length)
        this.#state = "start"
      } else if (this.#state === "start") {
        const begun = this.#held.trimStart()
        if (begun.startsWith(THINK)) {
          this.#held = begun.slice(THINK.length).trimStart()
          this.#state = "thinking"
          continue
        }
        const call = this.#plainCall()
        if (call === "yes") return { text, reasoning, found: "call" }
        if (begun === "" || THINK.startsWith(begun) || call === "maybe") return { text, reasoning, found: null }
        this.#held = begun
        this.#state = "text"
      } else {
        const marks = [...this.#options.stop, ...(this.#options.open === null ? [] : [this.#options.open])]
        const found = marks.map((mark) => [this.#held.indexOf(mark), mark] as const).filter(([at]) => at >= 0).toSorted((a, b) => a[0] - b[0])[0]
        if (found === undefined) {
          text += this.#through(this.#release(heldLength(this.#held, marks)))
          return { text, reasoning, found: null }
        }
        text += this.#through(this.#held.slice(0, found[0]))
        this.#held = ""
        return { text, reasoning, found: found[1] === this.#options.open ? "call" : "stop" }
      }
    }
  }

  /** The answer ended: nothing held back can become a mark any more. */
  flush(): Passed {
    const rest = this.#held
    this.#held = ""
    return this.#state === "thinking" ? { text: "", reasoning: rest, found: null } : { text: this.#through(this.#state === "start" ? rest.trim() : rest), reasoning: "", found: null }
  }

  #release(keep: number): string {
    const out = this.#held.slice(0, this.#held.length - keep)
    this.#held = this.#held.slice(this.#held.length - keep)
    return out
  }

  #through(text: string): string {
    this.passed += text
    return text
  }

  #plainCall(): "yes" | "maybe" | "no" {
    if (!this.#options.plainCalls) return "no"
    const matcher = new Matcher(PLAIN_CALL)
    for (const c of this.#held) {
      if (!matcher.read(c)) return "no"
      if (matcher.complete) return "yes"
    }
    return "maybe"
  }
}
