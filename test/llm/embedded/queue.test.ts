import { describe, expect, it } from "vitest"
import { MAX_WAITING_REQUESTS } from "../../../src/llm/embedded/limits.ts"
import { QueueFull, Turnstile } from "../../../src/llm/embedded/queue.ts"

const quiet = new AbortController().signal

describe("the line before the model", () => {
  it("lets one in at a time, in the order of arrival", async () => {
    const line = new Turnstile()
    const order: Array<number> = []
    let inside = 0
    await Promise.all([1, 2, 3, 4].map(async (n) => {
      const leave = await line.enter(quiet)
      inside++
      expect(inside).toBe(1)
      order.push(n)
      await Promise.resolve()
      inside--
      leave()
    }))
    expect(order).toEqual([1, 2, 3, 4])
    expect([line.busy, line.waiting]).toEqual([false, 0])
  })

  it("forgets who gives up, and does not hold up the others", async () => {
    const line = new Turnstile()
    const leave = await line.enter(quiet)
    const second = new AbortController()
    const [given, third] = [line.enter(second.signal), line.enter(quiet)]
    expect(line.waiting).toBe(2)
    second.abort(new Error("gone"))
    await expect(given).rejects.toThrow("gone")
    expect(line.waiting).toBe(1)
    leave()
    ;(await third)()
    expect(line.busy).toBe(false)
    await expect(line.enter(AbortSignal.abort(new Error("before")))).rejects.toThrow("before")
  })

  it("refuses when too many wait, and leaving twice lets only one in", async () => {
    const line = new Turnstile()
    const leave = await line.enter(quiet)
    const waiting = Array.from({ length: MAX_WAITING_REQUESTS }, () => line.enter(quiet))
    await expect(line.enter(quiet)).rejects.toBeInstanceOf(QueueFull)
    leave()
    leave()
    const first = await waiting[0]
    expect(line.waiting).toBe(MAX_WAITING_REQUESTS - 1)
    first?.()
    for (const next of waiting.slice(1)) (await next)()
    expect(line.busy).toBe(false)
  })
})
