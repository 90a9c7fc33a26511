// What is used of node-llama-cpp and @huggingface/jinja, typed by hand: both are installed on demand into a folder of
// their own and never resolved from this project. Loaded in the engine's process only.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

export type Token = number
export type GpuKind = "cuda" | "vulkan" | "metal" | false

export interface EvaluateOptions {
  readonly temperature?: number
  readonly minP?: number
  readonly topK?: number
  readonly topP?: number
  readonly seed?: number
  readonly grammarEvaluationState?: () => GrammarState | undefined
  readonly repeatPenalty?: { readonly punishTokens: () => Array<Token>; readonly maxPunishTokens?: number; readonly penalty?: number; readonly frequencyPenalty?: number; readonly presencePenalty?: number }
  readonly dryRepeatPenalty?: { readonly strength: number; readonly allowedLength?: number; readonly lastTokens?: number | null; readonly sequenceBreakers?: Array<string> }
  readonly yieldEogToken?: boolean
}

export interface Sequence {
  readonly nextTokenIndex: number
  compareContextTokens(tokens: Array<Token>): { readonly firstDifferentIndex: number }
  adaptStateToTokens(tokens: Array<Token>, allowShift: boolean): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: Array<Token>): Promise<void>
  evaluate(tokens: Array<Token>, options: EvaluateOptions): AsyncGenerator<Token, void, undefined>
}

export interface LlamaContext {
  readonly contextSize: number
  getSequence(): Sequence
}

export interface LlamaModel {
  readonly filename?: string
  readonly trainContextSize: number
  readonly gpuLayers: number
  readonly tokens: { readonly bos: Token | null; readonly bosString?: string | null; readonly eosString?: string | null; readonly shouldPrependBosToken: boolean }
  readonly fileInfo: { readonly metadata?: { readonly general?: { readonly name?: string }; readonly tokenizer?: { readonly chat_template?: string } } }
  readonly fileInsights: {
    readonly totalParameters?: number
    estimateContextResourceRequirementsV2(options: { contextSize: number; sequences: number; modelGpuLayers: number; batchSize: number; flashAttention: "auto" }): Promise<{ readonly cpuRam: number }>
  }
  tokenize(text: string, specialTokens: boolean, options?: "trimLeadingSpace"): Array<Token>
  detokenize(tokens: ReadonlyArray<Token>, specialTokens: boolean, lastTokens?: ReadonlyArray<Token>): string
  isEogToken(token: Token): boolean
  createContext(options: { contextSize: number | { min?: number; max?: number }; sequences: number; threads: { ideal: number; min: number }; batchSize: number }): Promise<LlamaContext>
}

export interface LlamaGrammar {
  readonly grammar: string
}
export interface GrammarState {
  clone(): GrammarState
}

export interface Llama {
  readonly gpu: GpuKind
  loadModel(options: { modelPath: string; gpuLayers: number | "auto" }): Promise<LlamaModel>
  createGrammar(options: { grammar: string }): Promise<LlamaGrammar>
}

interface LlamaLibrary {
  readonly LlamaLogLevel: { readonly error: unknown }
  getLlama(options: { gpu: GpuKind; build: "never"; skipDownload: true; usePrebuiltBinaries: true; logLevel: unknown; progressLogs: false; maxThreads: number }): Promise<Llama>
  readonly LlamaGrammarEvaluationState: new (options: { model: LlamaModel; grammar: LlamaGrammar }) => GrammarState
}

/** Renders a chat template; throws what the template raises. */
export interface Template {
  render(items: Record<string, unknown>): string
}
interface JinjaLibrary {
  readonly Template: new (source: string) => Template
}

export interface Runtime {
  readonly llama: Llama
  readonly grammarState: (model: LlamaModel, grammar: LlamaGrammar) => GrammarState
  readonly template: (source: string) => Template
}

/** The binary for the wanted GPU does not load on this machine. */
export class BinaryRefused extends Error {}

const load = async <A>(engineDir: string, file: string): Promise<A> => {
  const path = join(engineDir, "node_modules", file)
  if (!existsSync(path)) throw new Error(`the engine is not installed in ${engineDir}: ${file} is missing`)
  const module: A = await import(pathToFileURL(path).href)
  return module
}

/** Loads the library and its native binary. Rejects with BinaryRefused when the binary does not fit the machine. */
export const loadRuntime = async (engineDir: string, gpu: GpuKind, threads: number): Promise<Runtime> => {
  const jinja = await load<JinjaLibrary>(engineDir, "@huggingface/jinja/dist/index.js")
  const library = await load<LlamaLibrary>(engineDir, "node-llama-cpp/dist/index.js")
  const llama = await library.getLlama({
    gpu, build: "never", skipDownload: true, usePrebuiltBinaries: true, logLevel: library.LlamaLogLevel.error, progressLogs: false, maxThreads: threads,
  }).catch((cause: unknown) => {
    throw new BinaryRefused(`the ${gpu === false ? "CPU" : gpu} binary does not load here: ${cause instanceof Error ? cause.message : String(cause)}`)
  })
  return {
    llama,
    grammarState: (model, grammar) => new library.LlamaGrammarEvaluationState({ model, grammar }),
    template: (source) => new jinja.Template(source),
  }
}
