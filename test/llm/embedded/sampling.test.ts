import { describe, expect, it } from "vitest"
import { evaluateOptions, samplingOf } from "../../../src/llm/embedded/sampling.ts"

describe("how the next token is chosen", () => {
  it("is greedy for small models and mild for larger ones, and as the request says where it says", () => {
    expect(samplingOf({}, 135e6)).toMatchObject({ temperature: 0, repeat_penalty: 1.05, seed: 1 })
    expect(samplingOf({}, 4e9).temperature).toBeGreaterThan(0)
    expect(samplingOf({ temperature: 0.7, seed: 5 }, 135e6)).toMatchObject({ temperature: 0.7, seed: 5 })
  })

  it("looks at the latest tokens only, as they are when it looks", () => {
    const generated = Array.from({ length: 100 }, (_, i) => i)
    const options = evaluateOptions(samplingOf({ repeat_penalty: 1.2 }, null), generated, null)
    expect(options.repeatPenalty?.punishTokens()).toHaveLength(64)
    generated.push(777)
    expect(options.repeatPenalty?.punishTokens().at(-1)).toBe(777)
    expect(options.grammarEvaluationState).toBeUndefined()
    expect(evaluateOptions(samplingOf({ repeat_penalty: 1 }, null), [], null).repeatPenalty).toBeUndefined()
    expect(evaluateOptions(samplingOf({ seed: -1 }, null), [], null).seed).toBeGreaterThanOrEqual(0)
  })
})
