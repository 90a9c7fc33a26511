import { describe, expect, it } from "vitest"
import { chooseModel, DEFAULT_MODELS, sizeOf } from "../../../src/llm/embedded/models.ts"

const GB = 1024 ** 3
const pick = (memory: number, gpu = 0, cores = 4) => chooseModel({ memory_bytes: memory * GB, gpu_bytes: gpu * GB, cores }).title

describe("the default model", () => {
  it("is one that a plain processor answers with at reading speed", () => {
    expect([pick(2), pick(4), pick(8), pick(64)]).toEqual(["Qwen2.5 0.5B Instruct", "Qwen2.5 1.5B Instruct", "Qwen2.5 1.5B Instruct", "Qwen2.5 1.5B Instruct"])
    expect([pick(16, 0, 16), pick(8, 0, 16)]).toEqual(["Qwen3 4B", "Qwen2.5 1.5B Instruct"])
  })

  it("is the largest that the GPU holds with room for a context", () => {
    expect([pick(8, 3), pick(8, 6), pick(8, 8), pick(8, 12), pick(8, 24), pick(8, 80)]).toEqual(["Qwen2.5 1.5B Instruct", "Qwen3 4B", "Qwen3 8B", "Qwen3 14B", "Qwen3 30B A3B", "Qwen3 30B A3B"])
  })

  it("is pinned to a revision, a size and a hash, under a permissive licence", () => {
    for (const model of DEFAULT_MODELS) {
      expect(model.revision).toMatch(/^[0-9a-f]{40}$/)
      expect(model.sha256).toMatch(/^[0-9a-f]{64}$/)
      expect([model.licence, model.file.endsWith(".gguf"), model.bytes > 1e8]).toEqual(["Apache-2.0", true, true])
    }
    expect([sizeOf(98_362_432), sizeOf(1_117_320_736), sizeOf(2_497_280_256)]).toEqual(["small", "small", "normal"])
  })
})
