// The clock of an attempt, in real milliseconds.
import { expect, test } from "vitest"
import { startWatch, type Watch } from "../../src/llm/watch.ts"

interface Limits {
  readonly deadline_ms: number
  readonly idle_ms: number
  readonly connect_ms: number
}

/** Resolves with what ended it; `during` acts on the running clock. */
const expiry = (limits: Limits, during: (watch: Watch) => void = () => {}): Promise<{ readonly why: string; readonly noHead: number }> =>
  new Promise((resolve) => {
    let noHead = 0
    const watch = startWatch({
      deadline: performance.now() + limits.deadline_ms, idle_ms: limits.idle_ms, connect_ms: limits.connect_ms,
      onExpire: (why) => resolve({ why, noHead }), onNoHead: () => { noHead++ },
    })
    during(watch)
  })

test("silence ends an attempt, unless bytes come", async () => {
  expect((await expiry({ deadline_ms: 10_000, idle_ms: 30, connect_ms: 10_000 })).why).toBe("silent")
  const ticking = await expiry({ deadline_ms: 700, idle_ms: 450, connect_ms: 10_000 }, (watch) => {
    const tick = setInterval(() => watch.alive(), 10)
    setTimeout(() => clearInterval(tick), 1_000)
  })
  expect(ticking.why).toBe("timeout")
})

test("a head that does not come is reported once, and not after it came", async () => {
  expect(await expiry({ deadline_ms: 80, idle_ms: 10_000, connect_ms: 20 })).toEqual({ why: "timeout", noHead: 1 })
  expect(await expiry({ deadline_ms: 80, idle_ms: 10_000, connect_ms: 20 }, (watch) => watch.head())).toEqual({ why: "timeout", noHead: 0 })
})

test("a stopped clock is silent", async () => {
  let fired = false
  const watch = startWatch({ deadline: performance.now() + 10, idle_ms: 10, connect_ms: 10, onExpire: () => { fired = true }, onNoHead: () => { fired = true } })
  watch.stop()
  await expiry({ deadline_ms: 40, idle_ms: 10_000, connect_ms: 10_000 })
  expect(fired).toBe(false)
})
