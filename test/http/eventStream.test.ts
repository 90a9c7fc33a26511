import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { resultEvent } from "../../src/agent/calls.ts"
import { EVENT_BATCH, openEventStream } from "../../src/http/eventStream.ts"
import type { EphemeralEvent } from "../../src/job/event.ts"
import type { EventListener, StoredEvent } from "../../src/store/EventLog.ts"
import type { TaskWithJob } from "../../src/store/TaskStore.ts"

/** A log with one task, whose listeners are called as the store calls them. */
class Log {
  readonly stored: Array<StoredEvent> = []
  readonly listeners = new Set<EventListener>()
  status = "running"
  reads = 0
  ends = 0
  fails = false
  /** Called at the start of each read. */
  onRead = () => {}

  write(event: string, data: Record<string, unknown> = {}, silently = false) {
    this.stored.push({ id: this.stored.length + 1, task_id: 1, job_id: "j", event, at: 1_700_000_000_000, data })
    if (!silently) for (const listener of this.listeners) listener.onCommit()
  }
  end() {
    this.status = "succeeded"
    this.write("done", { status: "succeeded", result: "r" })
  }
  emit(event: EphemeralEvent) {
    for (const listener of this.listeners) listener.onEphemeral("j", 1_700_000_000_001, event)
  }
  text(text: string) {
    this.emit({ event: "text", data: { text } })
  }
  open(after = 0, times: { ping_ms?: number; poll_ms?: number | null } = {}) {
    return openEventStream({
      task_id: 1, after, ping_ms: times.ping_ms ?? 60_000, poll_ms: times.poll_ms ?? null, onEnd: () => { this.ends++ },
      source: {
        after: async (id) => {
          this.reads++
          this.onRead()
          if (this.fails) throw new Error("the log cannot be read")
          return this.stored.filter((event) => event.id > id).slice(0, EVENT_BATCH)
        },
        task: async () => ({ task: {}, job: { status: this.status } }) as unknown as TaskWithJob,
        subscribe: (_task, listener) => {
          this.listeners.add(listener)
          return () => this.listeners.delete(listener)
        },
      },
    })
  }
}

interface Frame { readonly id: string; readonly event: string; readonly data: Record<string, unknown> }
const framesOf = (text: string): Array<Frame> => text.split("\n\n").filter((block) => block !== "" && !block.startsWith(":")).map((block) => {
  const field = (name: string) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ""
  return { id: field("id"), event: field("event"), data: JSON.parse(field("data")) as Record<string, unknown> }
})
const reader = (body: ReadableStream<Uint8Array>) => {
  const source = body.getReader()
  let text = ""
  return {
    cancel: () => source.cancel(),
    next: async () => { const { done, value } = await source.read(); return done ? null : new TextDecoder().decode(value) },
    until: async (has: (frames: ReadonlyArray<Frame>) => boolean) => {
      while (!has(framesOf(text))) {
        const { done, value } = await source.read()
        if (done) break
        text += new TextDecoder().decode(value)
      }
      return framesOf(text)
    },
  }
}
const all = () => false

describe("the event stream of a task", () => {
  it("starts with a comment, replays the log from the start and ends after done of an ended task", async () => {
    const log = new Log()
    for (const event of ["status", "movement_start"]) log.write(event)
    log.end()
    const client = reader(log.open().body)
    expect(await client.next()).toBe(":\n\n")
    const frames = await client.until(all)
    expect(frames.map((f) => [f.id, f.event])).toEqual([["1", "status"], ["2", "movement_start"], ["3", "done"]])
    expect(frames[2]?.data).toEqual({ job_id: "j", at: "2023-11-14T22:13:20.000Z", status: "succeeded", result: "r" })
    expect([log.ends, log.listeners.size]).toEqual([1, 0])
  })

  it("goes on after the given id, past any number of events, and past the done of an earlier job", async () => {
    const log = new Log()
    for (let i = 0; i < EVENT_BATCH * 2 + 7; i++) log.write(i === 3 ? "done" : "tool_use")
    log.end()
    const frames = await reader(log.open(2).body).until(all)
    expect(frames.map((f) => Number(f.id))).toEqual(Array.from({ length: EVENT_BATCH * 2 + 6 }, (_, i) => i + 3))
  })

  it("follows live and gives ephemeral events the id of the last durable one", async () => {
    const log = new Log()
    log.write("status")
    const client = reader(log.open().body)
    await client.until((f) => f.length === 1)
    const call = client.until((f) => f.some(({ event }) => event === "llm_call"))
    await expect.poll(() => log.reads).toBeGreaterThanOrEqual(2)
    log.text("a")
    log.text("b")
    log.write("llm_call")
    await call
    log.text("c")
    const text = client.until((f) => f.some(({ data }) => data["text"] === "c"))
    await text
    log.end()
    expect((await client.until(all)).map((f) => [f.id, f.event, f.data["text"]])).toEqual([
      ["1", "status", undefined], ["1", "text", "a"], ["1", "text", "b"], ["2", "llm_call", undefined], ["2", "text", "c"], ["3", "done", undefined],
    ])
  })

  it("does not end at the done of a job whose task goes on", async () => {
    const log = new Log()
    log.write("done")
    const client = reader(log.open().body)
    const frames = client.until(all)
    await expect.poll(() => log.reads).toBeGreaterThanOrEqual(2)
    log.write("status")
    log.end()
    expect((await frames).map((f) => f.event)).toEqual(["done", "status", "done"])
  })

  it("misses nothing that is committed between the last read and the look at the task's status", async () => {
    const log = new Log()
    log.write("status")
    let empty = 0
    log.onRead = () => {
      if (log.reads === 2 && empty++ === 0) queueMicrotask(() => log.end())
    }
    expect((await reader(log.open().body).until(all)).map((f) => f.event)).toEqual(["status", "done"])
  })

  it("keeps a bounded number of ephemeral events for a client that does not read, and every durable one", async () => {
    const log = new Log()
    const stream = log.open()
    for (let i = 0; i < 5_000; i++) {
      log.text(String(i))
      if (i % 1000 === 0) log.write("llm_call", { i })
    }
    log.end()
    const frames = await reader(stream.body).until(all)
    expect(frames.filter((f) => f.event !== "text").map((f) => f.event)).toEqual([...Array<string>(5).fill("llm_call"), "done"])
    expect(frames.filter((f) => f.event === "text").length).toBeLessThanOrEqual(1_000)
  })

  it("sends a comment when nothing happens and then looks at the log again", async () => {
    const log = new Log()
    const client = reader(log.open(0, { ping_ms: 5 }).body)
    expect([await client.next(), await client.next()]).toEqual([":\n\n", ":\n\n"])
    log.write("status", {}, true)
    expect(framesOf(await client.next() ?? "").map((f) => f.event)).toEqual(["status"])
    await client.cancel()
    expect(log.listeners.size).toBe(0)
  })

  it("reads what another node wrote by polling", async () => {
    const log = new Log()
    const client = reader(log.open(0, { poll_ms: 5 }).body)
    const first = client.until((f) => f.length === 1)
    await expect.poll(() => log.reads).toBeGreaterThanOrEqual(2)
    log.write("status", {}, true)
    expect((await first).map((f) => f.event)).toEqual(["status"])
    await client.cancel()
  })

  it("frees everything when the client leaves, when the node closes it, and when the log cannot be read", async () => {
    const log = new Log()
    const leaving = reader(log.open().body)
    await leaving.next()
    await leaving.cancel()
    const closing = log.open()
    const rest = reader(closing.body).until(all)
    await expect.poll(() => log.reads).toBeGreaterThanOrEqual(1)
    closing.close()
    closing.close()
    expect(await rest).toEqual([])
    log.fails = true
    const failing = reader(log.open().body)
    await failing.next()
    await expect(failing.next()).rejects.toThrow("cannot be read")
    expect([log.listeners.size, log.ends]).toEqual([0, 3])
  })

  it("sends a tool's output as it was stored, so that what it says of its cut is true of the whole text", async () => {
    const log = new Log()
    const event = resultEvent({ call_id: "c", name: "Read", output: "x".repeat(5_000), is_error: false, duration_ms: 1, cache_hit: false })
    log.write("tool_result", { ...event.data })
    log.write("tool_result", { call_id: "c", output: "short" })
    log.end()
    const [long, short] = await reader(log.open().body).until(all)
    expect(long?.data["output"]).toBe(`${"x".repeat(2_048)}… (2952 more bytes)`)
    expect(short?.data["output"]).toBe("short")
  })

  it("gives any reader every durable event once and in order, whenever it joins and leaves", async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.constantFrom("write", "text", "read", "leave"), { maxLength: 60 }), async (steps) => {
      const log = new Log()
      const seen: Array<number> = []
      let stream = log.open()
      let source = stream.body.getReader()
      let waiting: Promise<unknown> | null = null
      const take = (text: string) => seen.push(...framesOf(text).filter((f) => f.event !== "text").map((f) => Number(f.id)))
      const read = () => source.read().then(({ done, value }) => { if (!done) take(new TextDecoder().decode(value)); return done })
      for (const step of steps) {
        if (step === "write") log.write("tool_use")
        else if (step === "text") log.text("x")
        else if (step === "read") waiting ??= read().finally(() => { waiting = null })
        else {
          await source.cancel()
          await waiting
          stream = log.open(seen.at(-1) ?? 0)
          source = stream.body.getReader()
        }
        await Promise.resolve()
      }
      log.end()
      await waiting
      while (!(await read()));
      expect(seen).toEqual(log.stored.map((event) => event.id))
      expect(log.listeners.size).toBe(0)
    }), { numRuns: 200 })
  })
})
