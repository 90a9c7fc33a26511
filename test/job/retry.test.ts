import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { retryDelayMs } from "../../src/job/retry.ts"

const defaults = { max_attempts: 3, backoff_seconds: [60, 300, 900] }

describe("when a failed attempt runs again", () => {
  it("waits 60 s after the first and 300 s after the second attempt, and never runs a fourth", () => {
    expect([1, 2, 3, 4].map((attempt) => retryDelayMs(attempt, defaults))).toEqual([60_000, 300_000, null, null])
  })

  it("repeats the last delay when there are more attempts than delays", () => {
    expect([1, 2, 3, 4].map((attempt) => retryDelayMs(attempt, { max_attempts: 9, backoff_seconds: [1, 2] }))).toEqual([1000, 2000, 2000, 2000])
  })

  it("gives a delay for exactly max_attempts − 1 attempts, never a negative one", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat({ max: 10_000 }), { minLength: 1, maxLength: 6 }), (max_attempts, backoff_seconds) => {
      const delays = Array.from({ length: max_attempts + 3 }, (_, i) => retryDelayMs(i + 1, { max_attempts, backoff_seconds }))
      return delays.filter((d) => d !== null).length === max_attempts - 1 && delays.every((d) => d === null || d >= 0)
    }))
  })
})
