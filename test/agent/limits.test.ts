import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { callKey, Repetition, spentBudget } from "../../src/agent/limits.ts"
import type { Progress } from "../../src/job/record.ts"

const progress: Progress = {
  current_movement: null, current_activity: null, last_backend_id: null, context_used_tokens: 0, context_limit_tokens: 1000,
  prompt_tokens: 900, completion_tokens: 100, cached_tokens: 0, llm_calls: 7, tool_calls: 3,
}
const open = { turns: null, tokens: null, tool_calls: null, wall_time_ms: null }

describe("repeated calls", () => {
  it("counts equal calls in a row, whatever the order of their arguments", () => {
    const repetition = new Repetition()
    expect(repetition.add("Read", "{\"path\":\"a\",\"limit\":1}")).toBe(1)
    expect(repetition.add("Read", "{ \"limit\": 1, \"path\": \"a\" }")).toBe(2)
    expect(repetition.add("Read", "{\"path\":\"b\"}")).toBe(1)
    expect(repetition.add("Ls", "{\"path\":\"b\"}")).toBe(1)
  })

  it("tells apart calls whose arguments differ", () => {
    fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b)
      return !same || callKey("T", JSON.stringify(a)) === callKey("T", JSON.stringify(b))
    }))
    expect(callKey("T", "{\"a\":[1,2]}")).not.toBe(callKey("T", "{\"a\":[2,1]}"))
  })

  it("compares arguments that are no JSON as text", () => {
    expect(callKey("T", "{oops")).toBe("T {oops")
  })
})

describe("a piece's budget", () => {
  it("is open when nothing is named", () => {
    expect(spentBudget(open, progress, 1e9)).toBeNull()
  })

  it("names the part that is spent", () => {
    expect(spentBudget({ ...open, turns: 7 }, progress, 0)).toBe("turns: 7 of 7")
    expect(spentBudget({ ...open, tokens: 1_000 }, progress, 0)).toBe("tokens: 1000 of 1000")
    expect(spentBudget({ ...open, tool_calls: 3 }, progress, 0)).toBe("tool_calls: 3 of 3")
    expect(spentBudget({ ...open, wall_time_ms: 2_000 }, progress, 2_400)).toBe("wall_time: 2 of 2 seconds")
  })

  it("is not spent one call before its end", () => {
    expect(spentBudget({ turns: 8, tokens: 1_001, tool_calls: 4, wall_time_ms: 2_001 }, progress, 2_000)).toBeNull()
  })
})
