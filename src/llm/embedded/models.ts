// The default models: official GGUF files of instruct models under Apache-2.0, each pinned to a revision, size and hash
// as their publisher's repository states them. Qwen2.5-3B is left out on purpose: its licence is for research only.
import type { Machine } from "./machine.ts"

export interface DefaultModel {
  readonly repo: string
  readonly revision: string
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly licence: string
  /** In words, for a person. */
  readonly title: string
}

const GB = 1024 ** 3

const QWEN25_05B: DefaultModel = {
  repo: "Qwen/Qwen2.5-0.5B-Instruct-GGUF", revision: "9217f5db79a29953eb74d5343926648285ec7e67", file: "qwen2.5-0.5b-instruct-q4_k_m.gguf",
  bytes: 491_400_032, sha256: "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db", licence: "Apache-2.0", title: "Qwen2.5 0.5B Instruct",
}
const QWEN25_15B: DefaultModel = {
  repo: "Qwen/Qwen2.5-1.5B-Instruct-GGUF", revision: "91cad51170dc346986eccefdc2dd33a9da36ead9", file: "qwen2.5-1.5b-instruct-q4_k_m.gguf",
  bytes: 1_117_320_736, sha256: "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e", licence: "Apache-2.0", title: "Qwen2.5 1.5B Instruct",
}
const QWEN3_4B: DefaultModel = {
  repo: "Qwen/Qwen3-4B-GGUF", revision: "bc640142c66e1fdd12af0bd68f40445458f3869b", file: "Qwen3-4B-Q4_K_M.gguf",
  bytes: 2_497_280_256, sha256: "7485fe6f11af29433bc51cab58009521f205840f5b4ae3a32fa7f92e8534fdf5", licence: "Apache-2.0", title: "Qwen3 4B",
}
const QWEN3_8B: DefaultModel = {
  repo: "Qwen/Qwen3-8B-GGUF", revision: "7c41481f57cb95916b40956ab2f0b139b296d974", file: "Qwen3-8B-Q4_K_M.gguf",
  bytes: 5_027_783_488, sha256: "d98cdcbd03e17ce47681435b5150e34c1417f50b5c0019dd560e4882c5745785", licence: "Apache-2.0", title: "Qwen3 8B",
}
const QWEN3_14B: DefaultModel = {
  repo: "Qwen/Qwen3-14B-GGUF", revision: "530227a7d994db8eca5ab5ced2fb692b614357fd", file: "Qwen3-14B-Q4_K_M.gguf",
  bytes: 9_001_752_960, sha256: "500a8806e85ee9c83f3ae08420295592451379b4f8cf2d0f41c15dffeb6b81f0", licence: "Apache-2.0", title: "Qwen3 14B",
}
const QWEN3_30B: DefaultModel = {
  repo: "Qwen/Qwen3-30B-A3B-GGUF", revision: "e4d4bafdfb96a411a163846265362aceb0b9c63a", file: "Qwen3-30B-A3B-Q4_K_M.gguf",
  bytes: 18_556_685_824, sha256: "0d003f6662faee786ed5da3e31b29c978de5ae5d275c8794c606a7f3c01aa8f5", licence: "Apache-2.0", title: "Qwen3 30B A3B",
}

export const DEFAULT_MODELS: ReadonlyArray<DefaultModel> = [QWEN25_05B, QWEN25_15B, QWEN3_4B, QWEN3_8B, QWEN3_14B, QWEN3_30B]

/** The weights, a tenth for the engine's own buffers, and room for a context. */
const needs = (model: DefaultModel): number => model.bytes * 1.1 + 1.5 * GB

const LITTLE_MEMORY = 3 * GB
const STRONG_CORES = 8
const STRONG_MEMORY = 12 * GB

/** The largest that the GPU holds; on a processor alone one that answers at reading speed. */
export const chooseModel = (machine: Pick<Machine, "memory_bytes" | "gpu_bytes" | "cores">): DefaultModel => {
  const fits = DEFAULT_MODELS.filter((model) => model.bytes > QWEN25_15B.bytes && needs(model) <= machine.gpu_bytes).at(-1)
  if (fits !== undefined) return fits
  if (machine.memory_bytes < LITTLE_MEMORY) return QWEN25_05B
  return machine.cores >= STRONG_CORES && machine.memory_bytes >= STRONG_MEMORY ? QWEN3_4B : QWEN25_15B
}

/** Up to about two billion parameters at four bits: what the piece `digest` is made for (W9). */
const SMALL_BYTES = 2e9
export const sizeOf = (bytes: number): "small" | "normal" => (bytes < SMALL_BYTES ? "small" : "normal")
