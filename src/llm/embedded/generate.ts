// One answer: evaluates the prompt in small chunks, then samples token by token through the phases of an answer (free
// text, tool calls under a grammar, constrained JSON). Every wait ends soon after the signal. Called by `engine.ts`, one
// at a time.
import { CallStream, type CallDelta } from "./calls.ts"
import { FormStream, type Form } from "./form.ts"
import { Gate } from "./gate.ts"
import { CHUNK_TARGET_MS, MAX_CALLS, MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS } from "./limits.ts"
import { Matcher } from "./match.ts"
import type { Grammar } from "./nodes.ts"
import { evaluateOptions } from "./sampling.ts"
import { cycles, Pieces } from "./tokens.ts"
import type { Sampling } from "./request.ts"
import type { Dialect } from "./template.ts"
import type { GrammarState, LlamaModel, Sequence, Token } from "./runtime.ts"

export type Delta =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  | { readonly kind: "call"; readonly call: CallDelta }
  | { readonly kind: "progress"; readonly processed: number; readonly total: number; readonly cache: number; readonly time_ms: number }

/** What one answer needs, worked out before it enters the line. */
export interface Plan {
  /** The prompt, and behind it what a forced call begins with. */
  readonly tokens: ReadonlyArray<Token>
  readonly start: "text" | "call" | "form" | "json"
  /** Text of the forced beginning. */
  readonly prefix: string
  readonly dialect: Dialect
  /** Of calls and of constrained JSON; null when neither can occur. */
  readonly grammar: Grammar | null
  /** Of a forced call that is written as text or list; its grammar is used then. */
  readonly form: { readonly tool: string; readonly form: Form } | null
  readonly parallel: boolean
  readonly stop: ReadonlyArray<string>
  readonly thinking: boolean
  readonly max_tokens: number
  readonly sampling: Sampling
}

export interface Answer {
  readonly text: string
  readonly reasoning: string
  readonly calls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  readonly finish_reason: "stop" | "length" | "tool_calls"
  readonly prompt_tokens: number
  readonly cached_tokens: number
  readonly completion_tokens: number
  readonly prompt_ms: number
  readonly generation_ms: number
}

export interface Tools {
  readonly model: LlamaModel
  readonly marks: ReadonlyMap<Token, string>
  readonly grammarState: (grammar: Grammar) => Promise<GrammarState>
}

export const CALL_PREFIX = "{\"name\":"
/** Tokens a second of the last prompt; chunks are cut by it. Shared by all answers of the process. */
let speed = 100

export class Generation {
  readonly #tools: Tools
  readonly #plan: Plan
  readonly #sequence: Sequence
  readonly #signal: AbortSignal
  readonly #emit: (delta: Delta) => void
  #context: Array<Token>
  readonly #sampled: Array<Token> = []
  readonly #calls: Array<CallStream> = []
  #text = ""
  #reasoning = ""
  #cut = false

  constructor(tools: Tools, plan: Plan, sequence: Sequence, signal: AbortSignal, emit: (delta: Delta) => void) {
    this.#tools = tools
    this.#plan = plan
    this.#sequence = sequence
    this.#signal = signal
    this.#emit = emit
    this.#context = [...plan.tokens]
  }

  async run(): Promise<Answer> {
    const began = performance.now()
    const cached = await this.#seek(true)
    const prompted = performance.now()
    if (this.#plan.start === "json") await this.#json()
    else if (this.#plan.form !== null) await this.#written(this.#plan.form)
    else {
      let call = this.#plan.start === "call" || await this.#freeText()
      for (let prefix = this.#plan.prefix; call && !this.#cut; prefix = "") {
        await this.#call(prefix)
        call = this.#plan.parallel && this.#calls.length < MAX_CALLS && !this.#cut && await this.#another()
      }
    }
    const calls = this.#calls.map(({ id, name, arguments: args }) => ({ id, name: name ?? "", arguments: args }))
    return {
      text: this.#text, reasoning: this.#reasoning, calls, finish_reason: this.#cut ? "length" : calls.length > 0 ? "tool_calls" : "stop",
      prompt_tokens: this.#plan.tokens.length, cached_tokens: cached, completion_tokens: this.#sampled.length,
      prompt_ms: prompted - began, generation_ms: performance.now() - prompted,
    }
  }

  /** Brings the model's state to the context but for its last token; answers how many tokens were there already. */
  async #seek(report: boolean): Promise<number> {
    const began = performance.now()
    const wanted = this.#context.slice(0, -1)
    this.#signal.throwIfAborted()
    await this.#sequence.adaptStateToTokens(wanted, false)
    const cache = this.#sequence.nextTokenIndex
    const total = this.#context.length
    const progress = (processed: number) => {
      if (report) this.#emit({ kind: "progress", processed, total, cache, time_ms: Math.round(performance.now() - began) })
    }
    progress(cache)
    for (let at = cache; at < wanted.length;) {
      this.#signal.throwIfAborted()
      const size = Math.max(MIN_CHUNK_TOKENS, Math.min(MAX_CHUNK_TOKENS, Math.floor(speed * CHUNK_TARGET_MS / 1000)))
      const chunk = wanted.slice(at, at + size)
      const t0 = performance.now()
      await this.#sequence.evaluateWithoutGeneratingNewTokens(chunk)
      if (chunk.length >= MIN_CHUNK_TOKENS) speed = Math.max(1, chunk.length * 1000 / Math.max(1, performance.now() - t0))
      at += chunk.length
      progress(at)
    }
    this.#signal.throwIfAborted()
    return cache
  }

  /** Samples until the model ends its answer, the bound is reached or the caller leaves the loop. */
  async *#sample(grammar: GrammarState | null): AsyncGenerator<string> {
    const pieces = new Pieces(this.#tools.model, this.#context, this.#tools.marks)
    const before = this.#context.length
    for await (const token of this.#sequence.evaluate(this.#context.slice(-1), evaluateOptions(this.#plan.sampling, this.#sampled, grammar))) {
      this.#signal.throwIfAborted()
      if (this.#tools.model.isEogToken(token)) return
      this.#sampled.push(token)
      this.#context.push(token)
      yield pieces.push(token)
      if (this.#sampled.length >= this.#plan.max_tokens || (this.#sampled.length % 8 === 0 && cycles(this.#context.slice(before)))) {
        this.#cut = true
        return
      }
    }
  }

  #pass(passed: { readonly text: string; readonly reasoning: string }) {
    if (passed.reasoning !== "") this.#emit({ kind: "reasoning", text: passed.reasoning })
    if (passed.text !== "") this.#emit({ kind: "text", text: passed.text })
    this.#reasoning += passed.reasoning
    this.#text += passed.text
  }

  /** True when the model began a call. */
  async #freeText(): Promise<boolean> {
    const { dialect, grammar, stop, thinking } = this.#plan
    const gate = new Gate({ stop, open: grammar !== null && dialect.native ? dialect.open.trim() : null, plainCalls: grammar !== null, thinking })
    const start = this.#context.length
    for await (const piece of this.#sample(null)) {
      const passed = gate.push(piece)
      this.#pass(passed)
      if (passed.found === "stop") return false
      if (passed.found === "call") {
        // The call is written anew from its mark on, so that its form does not hang on how the model cut its tokens.
        this.#context = [...this.#context.slice(0, start), ...this.#tokens(gate.passed)]
        return true
      }
    }
    this.#pass(gate.flush())
    return false
  }

  #tokens(text: string): Array<Token> {
    return text === "" ? [] : this.#tools.model.tokenize(text, true, "trimLeadingSpace")
  }

  /** `prefix`: what of the call stands in the context already; "" when all of it is still to be written. */
  async #call(prefix: string): Promise<void> {
    const { grammar, dialect } = this.#plan
    if (grammar === null) return
    const write = this.#newCall()
    // Only a first call may have its tool fixed; a further one chooses among what the grammar allows.
    const named = prefix.length > dialect.open.length + CALL_PREFIX.length
    if (prefix === "") {
      this.#context.push(...this.#tokens(dialect.open + CALL_PREFIX))
      await this.#seek(false)
    }
    write(prefix === "" || !named ? CALL_PREFIX : prefix.slice(dialect.open.length))
    await this.#constrained(grammar, write)
  }

  #newCall(): (piece: string) => void {
    const stream = new CallStream(this.#calls.length, `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`)
    this.#calls.push(stream)
    return (piece) => {
      const delta = stream.push(piece)
      if (delta !== null) this.#emit({ kind: "call", call: delta })
    }
  }

  async #written({ tool, form }: NonNullable<Plan["form"]>): Promise<void> {
    const write = this.#newCall()
    const stream = new FormStream(form)
    write(`${CALL_PREFIX} ${JSON.stringify(tool)}, "arguments": `)
    await this.#constrained(form.grammar, (piece) => write(stream.push(piece)))
    write(`${stream.end()}}`)
  }

  async #json(): Promise<void> {
    if (this.#plan.grammar !== null) await this.#constrained(this.#plan.grammar, (piece) => this.#pass({ text: piece, reasoning: "" }))
  }

  /** Writes a text of the grammar. When it must end early it is closed with the shortest text that makes it whole. */
  async #constrained(grammar: Grammar, write: (piece: string) => void): Promise<void> {
    const matcher = new Matcher(grammar)
    for await (const piece of this.#sample(await this.#tools.grammarState(grammar))) {
      if (!matcher.read(piece)) {
        this.#cut = true
        break
      }
      if (piece !== "") write(piece)
      if (matcher.complete && matcher.ended) return void (this.#cut = false)
    }
    if (matcher.complete) return
    this.#cut = true
    const rest = matcher.completion()
    if (rest === null) throw new Error("the grammar cannot be completed")
    write(rest)
  }

  /** After a native call the model may begin another one; anything else ends the answer. */
  async #another(): Promise<boolean> {
    const { dialect } = this.#plan
    if (!dialect.native) return false
    const start = this.#context.length
    this.#context.push(...this.#tokens(dialect.close))
    await this.#seek(false)
    const open = dialect.open.trim()
    let seen = ""
    for await (const piece of this.#sample(null)) {
      seen = (seen + piece).trimStart()
      if (seen.startsWith(open)) {
        this.#context = [...this.#context.slice(0, start), ...this.#tokens(`${dialect.close}\n`)]
        return true
      }
      if (!open.startsWith(seen)) break
    }
    this.#cut = false
    return false
  }
}
