import { expect, it } from "vitest"
import { measureLag } from "../../src/metrics/lag.ts"

it("sees a block of the event loop in the upper quantile and in nothing else", async () => {
  const lag = measureLag()
  const timers = async (n: number) => { for (let i = 0; i < n; i++) await new Promise((resolve) => setTimeout(resolve, 21)) }
  await timers(10)
  const until = performance.now() + 300
  while (performance.now() < until) { /* blocks on purpose */ }
  await timers(5)
  lag.stop()
  expect(lag.quantile(1)).toBeGreaterThan(200)
  expect(lag.quantile(0.5)).toBeLessThan(200)
})

it("is 0 before the first timer", () => {
  const lag = measureLag()
  lag.stop()
  expect(lag.quantile(0.99)).toBe(0)
})
