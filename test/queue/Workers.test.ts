import { Effect, Layer } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { freeSlots, Workers } from "../../src/queue/Workers.ts"
import type { WorkerSettings } from "../../src/settings/settings.ts"
import { Wake } from "../../src/store/Wake.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"

const slot = (worker_id: string) => ({ worker_id, roles: ["auto"], models: null })
const settings = (over: Partial<WorkerSettings>): WorkerSettings => ({
  id: "w1", endpoint: "", model: null, api_key: null, roles: ["auto"], max_concurrency: 2, proxy: false, vlm: false, enabled: true, claims: true, size: "normal",
  healthcheck_interval_seconds: 30, context_limit_tokens: null, ...over,
})

/** Runs against workers that were built as in a node; `until` waits for a published change. */
const withWorkers = <A>(configured: ReadonlyArray<WorkerSettings>, use: (workers: (typeof Workers)["Service"], until: (done: () => boolean) => Promise<void>) => Promise<A>) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const workers = yield* Workers
    const waiting = new Set<() => void>()
    workers.onChange(() => waiting.forEach((check) => check()))
    const until = (done: () => boolean) => new Promise<void>((resolve) => {
      const check = () => { if (done()) { waiting.delete(check); resolve() } }
      waiting.add(check)
      check()
    })
    return yield* Effect.promise(() => use(workers, until))
  }).pipe(Effect.provide(Workers.layer(configured).pipe(Layer.provide(Wake.layer))))))

describe("the order in which free slots are filled", () => {
  it("always takes the worker with strictly most free slots, the first of equals", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -2, max: 9 }), { minLength: 1, maxLength: 6 }), (free) => {
      const slots = freeSlots(free.map((n, i) => ({ slot: slot(`w${i}`), free: n })), 256)
      const left = free.map((n) => Math.max(0, n))
      expect(slots).toHaveLength(left.reduce((a, b) => a + b, 0))
      for (const { worker_id } of slots) {
        const index = Number(worker_id.slice(1))
        expect(left[index]).toBe(Math.max(...left))
        expect(left.indexOf(left[index]!)).toBe(index)
        left[index]!--
      }
    }))
  })

  it("is bounded", () => {
    expect(freeSlots([{ slot: slot("a"), free: 10_000 }], 256)).toHaveLength(256)
  })
})

describe("the node's workers", () => {
  it("offer no slot until their endpoint was found healthy, then all that are free", async () => {
    const llm = startScriptedLlm({ models: ["m1", "m2:latest"] })
    try {
      await withWorkers([settings({ endpoint: llm.url })], async (workers, until) => {
        await until(() => workers.records()[0]!.healthy)
        expect(workers.slots()).toEqual([{ worker_id: "w1", roles: ["auto"], models: ["m1", "m2:latest", "m2"] }, { worker_id: "w1", roles: ["auto"], models: ["m1", "m2:latest", "m2"] }])
        workers.take("w1")
        expect(workers.slots()).toHaveLength(1)
        workers.giveBack("w1")
        expect(workers.slots()).toHaveLength(2)
      })
    } finally {
      await llm.close()
    }
  })

  it("take no jobs while they are disabled or endpoint-only, but stay listed", async () => {
    const llm = startScriptedLlm({ models: ["m1"] })
    try {
      await withWorkers([settings({ id: "off", endpoint: llm.url, enabled: false }), settings({ id: "eyes", endpoint: llm.url, claims: false })], async (workers, until) => {
        await until(() => workers.records().some((w) => w.id === "eyes" && w.healthy))
        expect(workers.slots()).toEqual([])
        expect(workers.records().map((w) => [w.id, w.enabled, w.claims])).toEqual([["off", false, true], ["eyes", true, false]])
      })
    } finally {
      await llm.close()
    }
  })

  it("say why an endpoint is unhealthy and come back when it answers again", async () => {
    const llm = startScriptedLlm({ models: ["m1"] })
    const { port } = llm
    await llm.close()
    await withWorkers([settings({ endpoint: llm.url })], async (workers, until) => {
      await until(() => workers.records()[0]!.last_error !== null)
      expect(workers.slots()).toEqual([])
      const again = startScriptedLlm({ port, models: ["m1"] })
      try {
        await until(() => workers.records()[0]!.healthy)
        expect(workers.slots()).toHaveLength(2)
      } finally {
        await again.close()
      }
    })
  })

  it("stop claiming at a connection failure of a call until a probe succeeds", async () => {
    const llm = startScriptedLlm({ models: ["m1"] })
    try {
      await withWorkers([settings({ endpoint: llm.url })], async (workers, until) => {
        await until(() => workers.records()[0]!.healthy)
        workers.markUnhealthy("w1", "connection refused")
        expect(workers.slots()).toEqual([])
        expect(workers.records()[0]!.last_error).toBe("connection refused")
        await until(() => workers.records()[0]!.healthy)
        expect(workers.slots()).toHaveLength(2)
      })
    } finally {
      await llm.close()
    }
  })

  it("never replace a piece's model by another, but their own by the first that is offered", async () => {
    const llm = startScriptedLlm({ models: ["m1"] })
    try {
      await withWorkers([settings({ endpoint: llm.url, model: "gone" })], async (workers, until) => {
        await until(() => workers.records()[0]!.healthy)
        expect(workers.endpoint("w1", "m9")).toBeNull()
        expect(workers.endpoint("w1", null)).toMatchObject({ endpoint: { model: "m1", url: llm.url }, note: expect.stringContaining("gone") })
        expect(workers.endpoint("w1", "m1")).toMatchObject({ endpoint: { model: "m1", server: "openai" }, note: null })
      })
    } finally {
      await llm.close()
    }
  })

  it("are not asked again for a model that a call found missing, until the next probe", async () => {
    const llm = startScriptedLlm({ models: ["m1", "m2:latest"] })
    try {
      await withWorkers([settings({ endpoint: llm.url, model: "m1", max_concurrency: 1 })], async (workers, until) => {
        await until(() => workers.records()[0]!.healthy)
        workers.refuse("w1", "m2:latest", "no model m2")
        expect(workers.slots()).toEqual([{ worker_id: "w1", roles: ["auto"], models: ["m1"], refuses: ["m2:latest", "m2"] }])
        expect(workers.records()[0]).toMatchObject({ models: ["m1"], last_error: "no model m2" })
        workers.refuse("w1", "m1", "no model m1")
        expect(workers.slots()).toEqual([])
        workers.markUnhealthy("w1", "probe again")
        await until(() => workers.records()[0]!.healthy)
        expect(workers.slots()).toEqual([{ worker_id: "w1", roles: ["auto"], models: ["m1", "m2:latest", "m2"] }])
      })
    } finally {
      await llm.close()
    }
  })

  it("without a list keep taking jobs that name no model after one that was named was missing", async () => {
    const llm = startScriptedLlm({ models: [] })
    try {
      await withWorkers([settings({ endpoint: llm.url, max_concurrency: 1 })], async (workers, until) => {
        await until(() => workers.records()[0]!.healthy)
        workers.refuse("w1", "m9", "no model m9")
        expect(workers.slots()).toEqual([{ worker_id: "w1", roles: ["auto"], models: null, refuses: ["m9"] }])
      })
    } finally {
      await llm.close()
    }
  })

  it("wait with the reason while their endpoint is still being prepared", async () => {
    const llm = startScriptedLlm({ models: ["embedded"] })
    try {
      await withWorkers([settings({ id: "embedded" })], async (workers, until) => {
        workers.setEndpoint("embedded", { waiting: "downloading 10 %" })
        expect(workers.records()[0]).toMatchObject({ healthy: false, last_error: "downloading 10 %" })
        workers.setEndpoint("embedded", { url: llm.url, model: "embedded", size: "small" })
        await until(() => workers.records()[0]!.healthy)
        expect(workers.endpoint("embedded", null)?.endpoint.url).toBe(llm.url)
      })
    } finally {
      await llm.close()
    }
  })
})
