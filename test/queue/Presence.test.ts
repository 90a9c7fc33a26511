// What other nodes see of this one: its row and its workers' in the registry.
import { Effect, Layer } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { Presence } from "../../src/queue/Presence.ts"
import { Workers } from "../../src/queue/Workers.ts"
import { Database } from "../../src/store/Database.ts"
import { storeLayer } from "../../src/store/layer.ts"
import { Registry } from "../../src/store/Registry.ts"
import { optionsFor } from "../support/database.ts"
import { eventually, startQueue, temporaryDir, worker } from "../support/queue.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"

const scripted = (port = 0) => {
  const llm = startScriptedLlm({ port, models: ["m1"] })
  onTestFinished(() => llm.close())
  return llm
}
const seen = Registry.use((registry) => registry.workers(60_000))

describe("a node's presence", () => {
  it("is published at the start and again when a worker's state changes, long before the next interval", async () => {
    const llm = scripted()
    const { port, url } = llm
    const queue = await startQueue({ workers: [worker({ endpoint: url, max_concurrency: 3 }), worker({ id: "off", enabled: false })] })
    expect(await queue.run(Registry.use((registry) => registry.nodes(60_000)))).toMatchObject([{ id: "n1", url: "http://127.0.0.1:1", version: "0.0.0", healthy: true }])
    await eventually(async () => ((await queue.run(seen)).find(({ id }) => id === "w1")?.healthy === true ? true : null), () => queue.run(seen))
    expect(await queue.run(seen)).toMatchObject([
      { id: "off", node_id: "n1", enabled: false, healthy: false }, { id: "w1", node_id: "n1", endpoint: url, models: ["m1"], roles: ["auto", "fast", "quality"], max_concurrency: 3, claims: true, last_error: null },
    ])
    llm.close()
    await queue.run(Workers.use((workers) => Effect.sync(() => workers.markUnhealthy("w1", "connection refused"))))
    await eventually(async () => ((await queue.run(seen)).find(({ id }) => id === "w1")?.last_error ?? null), () => queue.run(seen), 2_000)
    scripted(port)
    await eventually(async () => ((await queue.run(seen)).find(({ id }) => id === "w1")?.healthy === true ? true : null), () => queue.run(seen))
  })

  it("is withdrawn when the node ends in order, its workers with it", async () => {
    const dir = temporaryDir()
    const queue = await startQueue({ dir, llm: scripted().url })
    await queue.stop()
    await Effect.runPromise(Effect.gen(function*() {
      const registry = yield* Registry
      expect(yield* registry.nodes(60_000)).toEqual([])
      expect(yield* registry.workers(60_000)).toEqual([])
    }).pipe(Effect.provide(storeLayer({ ...optionsFor(`file:${dir}/attacca.db`) }))))
  })

  it("says when it is registered and when others may take it for gone; a node not seen for so long is unhealthy", async () => {
    const dir = temporaryDir()
    const layer = Presence.layer({ node_id: "n1", url: "http://n1", version: "1", interval_ms: 20 }).pipe(
      Layer.provideMerge(Workers.layer([])), Layer.provideMerge(storeLayer(optionsFor(`file:${dir}/attacca.db`))),
    )
    await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const context = yield* Layer.build(layer)
      yield* Effect.gen(function*() {
        const presence = yield* Presence
        expect([presence.registered(), presence.stale_ms]).toEqual([true, 60])
        const registry = yield* Registry
        const [first] = yield* registry.nodes(60_000)
        const run = Effect.runPromiseWith(context)
        yield* Effect.promise(() => eventually(async () => (((await run(registry.nodes(60_000)))[0]?.last_seen_at ?? 0) > (first?.last_seen_at ?? 0) ? true : null), () => first))
        yield* registry.publish({ id: "gone", url: "http://gone", version: "1" }, [])
        yield* Database.use((database) => database.read({ sql: "UPDATE nodes SET last_seen_at = last_seen_at - 61 WHERE id = 'gone' RETURNING id", args: [] }))
        expect((yield* registry.nodes(60)).find(({ id }) => id === "gone")).toMatchObject({ healthy: false })
      }).pipe(Effect.provideContext(context))
    })))
  })
})
