// The registry of nodes and workers and the stored pieces, over a real database file.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Registry } from "../../src/store/Registry.ts"
import type { WorkerRecord } from "../../src/store/Registry.ts"
import { publishWrite } from "../../src/store/registryWrites.ts"
import { sql, withStore } from "../support/database.ts"
import { withLostReplies } from "../support/lostReply.ts"

const STALE_MS = 30_000
const node = (id = "n1", url = "http://127.0.0.1:3000") => ({ id, url, version: "0.1.0" })
const worker = (id: string, changes: Partial<WorkerRecord> = {}) => ({
  id, endpoint: "http://127.0.0.1:1/v1", enabled: true, healthy: true, claims: true, roles: ["auto", "it's"], models: ["a\"b"], inflight: 1, max_concurrency: 4,
  context_limit_tokens: null, last_error: null, ...changes,
})
const nodes = (stale_ms = STALE_MS) => Registry.use((registry) => registry.nodes(stale_ms))
const workers = (stale_ms = STALE_MS) => Registry.use((registry) => registry.workers(stale_ms))
const publish = (...args: Parameters<typeof Registry.Service["publish"]>) => Registry.use((registry) => registry.publish(...args))

describe("a node", () => {
  it("publishes itself and its workers with the database's time", () => withStore(Effect.gen(function*() {
    const before = Date.now()
    yield* publish(node(), [worker("w2", { healthy: false, last_error: "refused", context_limit_tokens: 4096 }), worker("w1")])
    const [found] = yield* nodes()
    expect(found).toMatchObject({ ...node(), healthy: true })
    expect(found?.started_at).toBe(found?.last_seen_at)
    expect(Math.abs((found?.last_seen_at ?? 0) - before)).toBeLessThan(2_000)
    expect(yield* workers()).toEqual([
      { ...worker("w1"), node_id: "n1", last_seen_at: expect.any(Number) },
      { ...worker("w2", { healthy: false, last_error: "refused", context_limit_tokens: 4096 }), node_id: "n1", last_seen_at: expect.any(Number) },
    ])
  })))

  it("keeps its start while it publishes again, and loses the workers that it no longer has", () => withStore(Effect.gen(function*() {
    yield* publish(node(), [worker("w1"), worker("w2")])
    yield* sql("UPDATE nodes SET started_at = 5, last_seen_at = 5")
    yield* publish(node("n1", "http://127.0.0.1:4000"), [worker("w2", { inflight: 3, enabled: false })])
    expect(yield* nodes()).toMatchObject([{ url: "http://127.0.0.1:4000", started_at: 5, healthy: true }])
    expect(yield* workers()).toMatchObject([{ id: "w2", inflight: 3, enabled: false }])
    yield* publish(node(), [])
    expect(yield* workers()).toEqual([])
  })))

  it("starts anew in a process that has not published it, whatever an earlier one left", () => withStore(Effect.gen(function*() {
    yield* sql("INSERT INTO nodes (id, url, version, started_at, last_seen_at) VALUES ('n1', 'old', '0', 5, 5)")
    yield* publish(node(), [])
    expect((yield* nodes())[0]?.started_at).toBeGreaterThan(5)
    expect(publishWrite.plan([{ node: node(), workers: [], first: true }], false).statements).toHaveLength(3)
  })))

  it("that was not seen for long is unhealthy, and so are its workers", () => withStore(Effect.gen(function*() {
    yield* publish(node("n1"), [worker("w1")])
    yield* publish(node("n2"), [worker("w1")])
    yield* sql("UPDATE nodes SET last_seen_at = last_seen_at - 40000 WHERE id = 'n1'")
    yield* sql("UPDATE workers SET last_seen_at = last_seen_at - 40000 WHERE node_id = 'n1'")
    expect((yield* nodes()).map(({ id, healthy }) => [id, healthy])).toEqual([["n1", false], ["n2", true]])
    expect((yield* workers()).map(({ node_id, healthy }) => [node_id, healthy])).toEqual([["n1", false], ["n2", true]])
    expect((yield* nodes(60_000)).every(({ healthy }) => healthy)).toBe(true)
  })))

  it("withdraws itself with its workers and no other", () => withStore(Effect.gen(function*() {
    yield* publish(node("n1"), [worker("w1")])
    yield* publish(node("n2"), [worker("w1")])
    yield* Registry.use((registry) => registry.withdraw("n1"))
    expect((yield* nodes()).map(({ id }) => id)).toEqual(["n2"])
    expect((yield* workers()).map(({ node_id }) => node_id)).toEqual(["n2"])
    yield* Registry.use((registry) => registry.withdraw("n1"))
  })))

  it("stands once when its reply is lost", () => withLostReplies(Effect.gen(function*() {
    yield* publish(node(), [worker("w1")])
    expect([(yield* nodes()).length, (yield* workers()).length]).toEqual([1, 1])
  })))
})

describe("stored pieces", () => {
  it("belong to an owner, are replaced by name and told apart from new ones", () => withStore(Effect.gen(function*() {
    const registry = yield* Registry
    expect(yield* registry.putPiece("ana", "b", "name: b\n")).toBe(true)
    expect(yield* registry.putPiece("ana", "a", "name: a\0\n")).toBe(true)
    expect(yield* registry.putPiece("ana", "b", "name: b2\n")).toBe(false)
    expect(yield* registry.putPiece("bo", "b", "his")).toBe(true)
    expect((yield* registry.pieces("ana")).map(({ name, text, owner }) => [name, text, owner])).toEqual([["a", "name: a\ufffd\n", "ana"], ["b", "name: b2\n", "ana"]])
    expect(yield* registry.piece("bo", "b")).toMatchObject({ owner: "bo", name: "b", text: "his" })
    expect(yield* registry.piece("bo", "a")).toBeNull()
    expect(yield* registry.deletePiece("ana", "b")).toBe(true)
    expect(yield* registry.deletePiece("ana", "b")).toBe(false)
    expect((yield* registry.pieces("ana")).map(({ name }) => name)).toEqual(["a"])
    expect(yield* registry.piece("bo", "b")).not.toBeNull()
  })))
})
