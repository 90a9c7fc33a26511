import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import fc from "fast-check"
import { parseEvents, taskEvents } from "../../src/cli/events.ts"
import { CommandFailure } from "../../src/cli/failure.ts"
import type { TaskEvent } from "../../src/cli/shapes.ts"
import { startFakeApi } from "../support/fakeApi.ts"
import type { FakeApi } from "../support/fakeApi.ts"

const collect = async (chunks: ReadonlyArray<Uint8Array>): Promise<Array<TaskEvent>> => {
  const source = async function*() { yield* chunks }
  const found: Array<TaskEvent> = []
  for await (const event of parseEvents(source())) found.push(event)
  return found
}
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

describe("parsing a stream", () => {
  const STREAM = ': hello\n\nid: 7\nevent: text\ndata: {"text":"ä🎼\\n"}\n\nevent: done\r\nid: 8\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: ping\n\nid: 9\n\ndata: plain\n\n'
  const WANTED = [
    { id: "7", event: "text", data: { text: "ä🎼\n" } }, { id: "8", event: "done", data: { a: 1 } }, { id: "9", event: "message", data: { value: "plain" } },
  ]

  it("reads the same events wherever the chunks end", async () => {
    const all = bytesOf(STREAM)
    await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 0, max: all.length }), { maxLength: 8 }), async (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), all.length]
      expect(await collect(edges.slice(1).map((edge, i) => all.slice(edges[i], edge)))).toEqual(WANTED)
    }))
  })

  it("leaves out an event that was cut off before its empty line", async () => {
    expect(await collect([bytesOf('id: 1\nevent: a\ndata: {}\n\nid: 2\nevent: b\ndata: {"x"')])).toEqual([{ id: "1", event: "a", data: {} }])
  })
})

describe("following a stream", () => {
  let api: FakeApi
  beforeEach(() => { api = startFakeApi() })
  afterEach(() => api.stop())

  const read = async (until: string, log: Array<string>, patience_ms = 5_000, seen: Array<string> = []): Promise<Array<string>> => {
    const events = taskEvents({ base: api.base, task_id: 1, after: "", signal: new AbortController().signal, patience_ms, onLost: () => log.push("lost"), onBack: () => log.push("back") })
    for await (const event of events) {
      seen.push(`${event.id} ${event.event}`)
      if (event.event === until) break
    }
    return seen
  }

  it("takes up a cut stream after the last id: nothing lost, nothing twice", async () => {
    const log: Array<string> = []
    const seen: Array<string> = []
    const reading = read("done", log, 5_000, seen)
    await api.streams(1)
    api.push("status")
    api.push("movement_start")
    for (let i = 2; i <= 4; i++) {
      await vi.waitUntil(() => seen.length === i)
      api.drop()
      api.push("tool_use")
    }
    await vi.waitUntil(() => seen.length === 5)
    api.push("done")
    expect(await reading).toEqual(["1 status", "2 movement_start", "3 tool_use", "4 tool_use", "5 tool_use", "6 done"])
    expect(log).toEqual(["lost", "back", "lost", "back", "lost", "back"])
  })

  it("fails with the unreachable code when the node stays away", async () => {
    await api.stop()
    const log: Array<string> = []
    await expect(read("done", log, 150)).rejects.toMatchObject({ exit_code: 4 })
    expect(log).toEqual(["lost"])
  })

  it("tells of an unknown task instead of trying for ever", async () => {
    api.on("GET /api/tasks/1/events", () => ({ status: 404, json: { detail: "no task 1" } }))
    await expect(read("done", [])).rejects.toSatisfy((cause: unknown) => cause instanceof CommandFailure && cause.message === "no task 1" && cause.exit_code === 1)
  })

  it("ends at once when its reader leaves, in the middle of a stream and in a pause", async () => {
    const stop = new AbortController()
    const seen: Array<string> = []
    const running = (async () => {
      for await (const event of taskEvents({ base: api.base, task_id: 1, after: "", signal: stop.signal, patience_ms: 60_000, onLost: () => {}, onBack: () => {} })) seen.push(event.event)
    })()
    await api.streams(1)
    stop.abort()
    await running
    expect(seen).toEqual([])
    await api.stop()
    const later = new AbortController()
    const pausing = (async () => {
      for await (const _event of taskEvents({ base: api.base, task_id: 1, after: "", signal: later.signal, patience_ms: 60_000, onLost: () => later.abort(), onBack: () => {} })) seen.push("none")
    })()
    await pausing
    expect(seen).toEqual([])
  })
})
