// The model behind the engine's HTTP surface: loads the weights, finds the context that memory allows, renders prompts,
// and answers requests one at a time on the conversation whose evaluated beginning fits best. Lives in the engine's own
// process (`server.ts`); a request is checked by `plan` before it waits.
import { availableParallelism, freemem } from "node:os"
import { basename } from "node:path"
import { formOf } from "./form.ts"
import { callGrammar, schemaGrammar } from "./grammar.ts"
import { gbnf } from "./gbnf.ts"
import { CALL_PREFIX, Generation, type Answer, type Delta, type Plan, type Tools } from "./generate.ts"
import { CONTEXT_MEMORY_RATIO, DEFAULT_MAX_TOKENS, MAX_CONTEXT_TOKENS, MAX_GRAMMARS, MAX_SLOTS, MIN_CONTEXT_TOKENS } from "./limits.ts"
import { Turnstile } from "./queue.ts"
import { RequestRefused, type ChatBody, type ToolDefinition } from "./request.ts"
import { loadRuntime, type GpuKind, type LlamaContext, type LlamaGrammar, type LlamaModel, type Runtime, type Sequence, type Token } from "./runtime.ts"
import { samplingOf } from "./sampling.ts"
import { ChatTemplate, NATIVE } from "./template.ts"
import { messageOf } from "./values.ts"
import type { Grammar } from "./nodes.ts"

export interface EngineOptions {
  readonly engineDir: string
  readonly modelPath: string
  readonly gpu: GpuKind
  /** Null: as large as the model was trained for and memory allows. */
  readonly context: number | null
  /** Null: one core less than there are. */
  readonly threads: number | null
}

export interface EngineInfo {
  readonly model: string
  readonly context: number
  readonly train_context: number
  readonly parameters: number | null
  readonly gpu: GpuKind
  readonly threads: number
  readonly slots: number
}

const BATCH_TOKENS = 512

interface Slot {
  readonly sequence: Sequence
  used_at: number
}

/** A conversation loses what the new prompt does not share: the best slot shares much and loses little. */
const pick = (slots: ReadonlyArray<Slot>, tokens: ReadonlyArray<Token>): Slot => {
  const worth = (slot: Slot) => {
    const shared = Math.min(slot.sequence.compareContextTokens([...tokens]).firstDifferentIndex, tokens.length)
    return shared - (slot.sequence.nextTokenIndex - shared) / 2
  }
  const best = slots.map((slot) => ({ slot, worth: worth(slot) })).toSorted((a, b) => b.worth - a.worth || a.slot.used_at - b.slot.used_at)[0]
  if (best === undefined) throw new Error("unreachable: an engine has a slot")
  return best.slot
}

const freeMemory = (): number => process.availableMemory?.() ?? freemem()

const createContext = async (model: LlamaModel, options: EngineOptions, threads: number): Promise<{ readonly context: LlamaContext; readonly slots: number }> => {
  const most = Math.min(model.trainContextSize, options.context ?? MAX_CONTEXT_TOKENS)
  const make = (contextSize: number | { min?: number; max?: number }, sequences: number) =>
    model.createContext({ contextSize, sequences, threads: { ideal: threads, min: threads }, batchSize: BATCH_TOKENS })
  if (model.gpuLayers > 0) return { context: await make(options.context === null ? { min: Math.min(most, MIN_CONTEXT_TOKENS), max: most } : most, 1), slots: 1 }
  const budget = freeMemory() * CONTEXT_MEMORY_RATIO
  const cost = async (contextSize: number, sequences: number) =>
    (await model.fileInsights.estimateContextResourceRequirementsV2({ contextSize, sequences, modelGpuLayers: 0, batchSize: BATCH_TOKENS, flashAttention: "auto" })).cpuRam
  let size = most
  if (options.context === null) while (size / 2 >= MIN_CONTEXT_TOKENS && await cost(size, 1) > budget) size = Math.floor(size / 2)
  let slots = MAX_SLOTS
  while (slots > 1 && await cost(size, slots) > budget) slots--
  return { context: await make(size, slots), slots }
}

export class Engine {
  readonly info: EngineInfo
  readonly line = new Turnstile()
  readonly #runtime: Runtime
  readonly #model: LlamaModel
  readonly #template: ChatTemplate
  readonly #slots: ReadonlyArray<Slot>
  readonly #tools: Tools
  readonly #grammars = new Map<string, LlamaGrammar>()
  readonly #gbnf = new WeakMap<Grammar, string>()

  private constructor(info: EngineInfo, runtime: Runtime, model: LlamaModel, context: LlamaContext) {
    this.info = info
    this.#runtime = runtime
    this.#model = model
    this.#template = new ChatTemplate(model.fileInfo.metadata?.tokenizer?.chat_template ?? null, runtime.template,
      { bos_token: model.tokens.bosString ?? "", eos_token: model.tokens.eosString ?? "" })
    this.#slots = Array.from({ length: info.slots }, () => ({ sequence: context.getSequence(), used_at: 0 }))
    const marks = [NATIVE.open.trim(), NATIVE.close.trim(), "<think>", "</think>"].flatMap((mark) => {
      const tokens = model.tokenize(mark, true)
      return tokens.length === 1 && tokens[0] !== undefined ? [[tokens[0], mark] as const] : []
    })
    this.#tools = {
      model, marks: new Map(marks),
      grammarState: async (grammar) => runtime.grammarState(model, await this.#compiled(grammar)),
    }
  }

  static async load(options: EngineOptions): Promise<Engine> {
    const threads = options.threads ?? Math.max(1, availableParallelism() - 1)
    const runtime = await loadRuntime(options.engineDir, options.gpu, threads)
    const model = await runtime.llama.loadModel({ modelPath: options.modelPath, gpuLayers: options.gpu === false ? 0 : "auto" }).catch((cause: unknown) => {
      throw new Error(`${options.modelPath} does not load: ${messageOf(cause)}`)
    })
    const { context, slots } = await createContext(model, options, threads)
    return new Engine({
      model: basename(options.modelPath).replace(/\.gguf$/i, ""),
      // The last place of the context cannot be written without shifting it.
      context: Math.min(context.contextSize, options.context ?? context.contextSize) - 1, train_context: model.trainContextSize,
      parameters: model.fileInsights.totalParameters ?? null, gpu: runtime.llama.gpu, threads, slots,
    }, runtime, model, context)
  }

  async #compiled(grammar: Grammar): Promise<LlamaGrammar> {
    const text = this.#gbnf.get(grammar) ?? gbnf(grammar)
    this.#gbnf.set(grammar, text)
    const known = this.#grammars.get(text)
    if (known !== undefined) return known
    const made = await this.#runtime.llama.createGrammar({ grammar: text })
    const oldest = this.#grammars.keys().next().value
    if (this.#grammars.size >= MAX_GRAMMARS && oldest !== undefined) this.#grammars.delete(oldest)
    this.#grammars.set(text, made)
    return made
  }

  /** Checks a request and works out what its answer needs. Throws RequestRefused. */
  plan(body: ChatBody): Plan {
    const thinking = body.thinking && body.choice.mode !== "required" && body.schema === null
    const allowed = this.#allowed(body)
    const forced = body.choice.mode === "required" && allowed.length > 0
    const only = forced && allowed.length === 1 ? allowed[0] : undefined
    const form = only === undefined || this.#template.dialect.native ? null : formOf({ ...only.parameters, type: "object" })
    // A call that is written as plain text needs no word about tools, and a small model is better off without.
    const prompt = this.#template.render(body.messages, form === null ? body.tools : [], thinking)
    const grammar = body.schema !== null && allowed.length === 0 ? schemaGrammar(body.schema) : callGrammar(allowed, "arguments", only !== undefined)
    if (grammar === null && (forced || body.schema !== null)) {
      const what = forced ? `no arguments can satisfy the schema of ${allowed.map((tool) => tool.name).join(", ")}` : "nothing can satisfy response_format"
      throw new RequestRefused(400, "invalid_value", what, forced ? "tools" : "response_format")
    }
    const { dialect } = prompt
    // A template may open the model's thinking itself: a forced answer closes it again.
    const inThought = /<think>\s*$/.test(prompt.text)
    const start = form !== null ? "form" : forced ? "call" : body.schema !== null && grammar !== null && allowed.length === 0 ? "json" : "text"
    const closing = inThought && start !== "text" ? "\n</think>\n\n" : ""
    const prefix = form !== null ? form.prefix : start === "call" ? dialect.open + CALL_PREFIX + (only === undefined ? "" : ` ${JSON.stringify(only.name)}, "arguments":`) : ""
    const tokens = this.#tokens(prompt.text + closing + prefix)
    const room = this.info.context - tokens.length
    if (room < 1) {
      throw new RequestRefused(400, "context_length_exceeded",
        `This model's maximum context length is ${this.info.context} tokens, but the messages hold ${tokens.length} tokens.`, "messages")
    }
    return {
      tokens, start, prefix, dialect, grammar, form: form === null || only === undefined ? null : { tool: only.name, form }, parallel: body.parallel && only === undefined, stop: [...body.stop, ...prompt.stop],
      thinking: inThought && start === "text", max_tokens: Math.min(room, body.max_tokens ?? DEFAULT_MAX_TOKENS), sampling: samplingOf(body.sampling, this.info.parameters),
    }
  }

  #allowed(body: ChatBody): ReadonlyArray<ToolDefinition> {
    if (body.choice.mode === "none") return []
    const { names } = body.choice
    const allowed = names === null ? body.tools : body.tools.filter((tool) => names.includes(tool.name))
    if (body.choice.mode === "required" && allowed.length === 0) throw new RequestRefused(400, "invalid_value", "tool_choice asks for a call, but there is no tool", "tool_choice")
    return allowed
  }

  #tokens(text: string): ReadonlyArray<Token> {
    const tokens = this.#model.tokenize(text, true)
    const { bos, shouldPrependBosToken } = this.#model.tokens
    return bos !== null && shouldPrependBosToken && tokens[0] !== bos ? [bos, ...tokens] : tokens
  }

  /**
   * Waits for its turn and answers. Rejects with the signal's reason once it fires, with QueueFull when too many wait.
   * `emit` is called as the answer grows.
   */
  async answer(plan: Plan, signal: AbortSignal, emit: (delta: Delta) => void): Promise<Answer> {
    const leave = await this.line.enter(signal)
    try {
      const slot = pick(this.#slots, plan.tokens)
      slot.used_at = performance.now()
      return await new Generation(this.#tools, plan, slot.sequence, signal, emit).run()
    } finally {
      leave()
    }
  }
}
