// The app behind a real server and real sockets: what a `fetch` function alone cannot show.
import { Effect } from "effect"
import { mkdirSync, readdirSync, readlinkSync, statSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { EventLog } from "../../src/store/EventLog.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { Journal } from "../../src/store/Journal.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { startApp, type TestApp } from "./support.ts"

let app: TestApp
let server: ReturnType<typeof Bun.serve>
let base = ""
beforeAll(async () => {
  app = await startApp({ config: "http: { max_body_bytes: 1000000 }\n" })
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, maxRequestBodySize: Number.MAX_SAFE_INTEGER, fetch: async (request, own) => counted(await app.app.fetch(request, { address: own.requestIP(request)?.address ?? "" })) })
  base = `http://127.0.0.1:${server.port}`
})
afterAll(async () => {
  app.app.close()
  await server.stop(true)
  await app.stop()
})

/** Bytes that the connections have taken from event streams. */
let pulled = 0
const counted = (answer: Response): Response => {
  if (answer.headers.get("content-type") !== "text/event-stream" || answer.body === null) return answer
  const source = answer.body.getReader()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await source.read()
      if (done) return controller.close()
      pulled += value.length
      controller.enqueue(value)
    },
    cancel: (reason) => source.cancel(reason),
  }, { highWaterMark: 0 })
  return new Response(body, answer)
}

const submit = async () => ((await (await fetch(`${base}/api/tasks`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ instruction: "x" }) })).json()) as { id: number; job: { id: string } })
const folderOf = async (id: number) => join(app.settings.data_dir, "workspaces", (await app.run(TaskStore.use((tasks) => tasks.get(id))))?.task.workspace ?? "none")
const PROGRESS = { current_movement: "a", current_activity: null, last_backend_id: null, context_used_tokens: 0, context_limit_tokens: 0, prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, llm_calls: 0, tool_calls: 0 }

/** A claimed job that can write events and end. */
const running = async () => {
  const task = await submit()
  const claimed = await app.run(JobStore.use((jobs) => jobs.claim({ node_id: "n", slots: Array.from({ length: 50 }, () => ({ worker_id: "w1", roles: ["auto"], models: null })), lease_ttl_ms: 60_000 })))
  const job = claimed.find(({ task_id }) => task_id === task.id)
  if (job === undefined) throw new Error("not claimed")
  let seq = 0
  return {
    id: task.id,
    write: (count: number, size = 10) => app.run(Journal.use((journal) => journal.append({
      job_id: job.id, task_id: task.id, fence: job.fence, attempt: 1, seq: ++seq, comments: [], progress: PROGRESS, entries: [{ kind: "run", attempt: 1, note: "n" }],
      events: Array.from({ length: count }, (_, i) => ({ event: "tool_use" as const, data: { call_id: String(i), name: "Read", input: "x".repeat(size) } })),
    }))),
    text: (text: string) => app.run(EventLog.use((events) => Effect.sync(() => events.emit(task.id, job.id, { event: "text", data: { text } })))),
    end: () => app.run(JobStore.use((jobs) => jobs.finish({ id: job.id, fence: job.fence, outcome: { _tag: "Succeeded", result: "r" }, backoff_seconds: [], movements: 1, context_actions: 0 }))),
  }
}
const follow = async (id: number, headers: Record<string, string> = {}, signal?: AbortSignal) => {
  const answer = await fetch(`${base}/api/tasks/${id}/events`, { headers, ...(signal === undefined ? {} : { signal }) })
  const source = answer.body!.getReader()
  let text = ""
  const frames = () => text.split("\n\n").slice(0, -1).filter((block) => !block.startsWith(":")).map((block) => ({ id: /^id: (.*)$/m.exec(block)?.[1], event: /^event: (.*)$/m.exec(block)?.[1], text: block }))
  return {
    answer, frames,
    until: async (event: string | null) => {
      while (event === null || !frames().some((f) => f.event === event)) {
        const { done, value } = await source.read()
        if (done) break
        text += new TextDecoder().decode(value)
      }
      return frames()
    },
  }
}
/** Sends bytes as they are and answers what comes back until the server closes or `enough` holds. */
const raw = (text: string, enough: (got: string) => boolean = () => false) => new Promise<string>((resolve, reject) => {
  let got = ""
  const socket: Socket = connect(server.port ?? 0, "127.0.0.1", () => socket.write(text))
  socket.on("data", (data) => {
    got += data.toString("latin1")
    if (enough(got)) socket.destroy()
  })
  socket.on("close", () => resolve(got))
  socket.on("error", reject)
})
const openFiles = (under: string) => readdirSync("/proc/self/fd").filter((fd) => {
  try { return readlinkSync(`/proc/self/fd/${fd}`).startsWith(under) } catch { return false }
}).length

describe("the event stream over a socket", () => {
  it("sends its headers at once, then live events, and ends by itself after done", async () => {
    const job = await running()
    const stream = await follow(job.id)
    expect([stream.answer.status, stream.answer.headers.get("content-type")]).toEqual([200, "text/event-stream"])
    await stream.until("status")
    await job.text("hel")
    await stream.until("text")
    await job.write(2)
    await job.end()
    const events = (await stream.until(null)).map((f) => f.event)
    expect(events.filter((e) => e === "tool_use")).toHaveLength(2)
    expect(events.at(-1)).toBe("done")
  })

  it("resumes after any event with exactly what came after it", async () => {
    const job = await running()
    await job.write(5)
    await job.end()
    const all = await (await follow(job.id)).until(null)
    for (const [index, frame] of all.entries()) {
      const rest = await (await follow(job.id, { "last-event-id": frame.id ?? "" })).until(null)
      expect(rest.map((f) => f.id)).toEqual(all.slice(index + 1).map((f) => f.id))
    }
    expect((await fetch(`${base}/api/tasks/${job.id}/events`, { headers: { "last-event-id": "x" } })).status).toBe(422)
    expect(await (await fetch(`${base}/api/tasks/${job.id}/events?after=${all.at(-2)?.id}`)).text()).toContain("event: done")
  })

  it("keeps a run going while a client does not read, holds little for it, and gives it every durable event later", async () => {
    const job = await running()
    const socket = connect(server.port ?? 0, "127.0.0.1", () => socket.write(`GET /api/tasks/${job.id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`))
    await new Promise((resolve) => socket.once("data", resolve))
    socket.pause()
    const before = pulled
    for (let i = 0; i < 40; i++) {
      await job.write(50, 20_000)
      for (let k = 0; k < 100; k++) await job.text("t".repeat(100))
    }
    await job.end()
    expect(pulled - before).toBeLessThan(15_000_000)
    let got = ""
    socket.on("data", (data) => { got += data.toString("latin1") })
    socket.resume()
    await expect.poll(() => got.includes("event: done"), { timeout: 15_000 }).toBe(true)
    expect(got.match(/event: tool_use\n/g)).toHaveLength(2_000)
    expect(pulled - before).toBeGreaterThan(40_000_000)
    socket.destroy()
  })

  it("is freed when the client leaves", async () => {
    const job = await running()
    const leaving = new AbortController()
    const streams = await Promise.all(Array.from({ length: 20 }, () => follow(job.id, {}, leaving.signal)))
    await Promise.all(streams.map((stream) => stream.until("status")))
    expect(app.app.openStreams()).toBeGreaterThanOrEqual(20)
    leaving.abort()
    await expect.poll(() => app.app.openStreams()).toBe(0)
    await job.end()
  })

  it("is ended by a node that stops", async () => {
    const job = await running()
    const stream = await follow(job.id)
    await stream.until("status")
    app.app.close()
    expect((await stream.until(null)).map((f) => f.event)).not.toContain("done")
    await job.end()
  })
})

describe("bodies over a socket", () => {
  it("that are declared too large are refused before they come", async () => {
    const task = await submit()
    const got = await raw(`PUT /api/tasks/${task.id}/files/input/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000001\r\n\r\n`, (text) => text.includes("}"))
    expect(got).toMatch(/^HTTP\/1\.1 413 /)
    expect(got).toContain("application/problem+json")
  })

  it("that grow too large while they stream are refused, and nothing of them stays", async () => {
    const task = await submit()
    const chunk = "x".repeat(60_000)
    let sent = 0
    const body = new ReadableStream<Uint8Array>({ pull: (c) => { if (sent++ > 100) c.close(); else c.enqueue(new TextEncoder().encode(chunk)) } })
    const answer = await fetch(`${base}/api/tasks/${task.id}/files/input/big.bin`, { method: "PUT", body, duplex: "half" } as RequestInit)
    expect([answer.status, ((await answer.json()) as { status: number }).status]).toEqual([413, 413])
    expect(readdirSync(join(await folderOf(task.id), "input"))).toEqual([])
    expect((await fetch(`${base}/healthz`)).status).toBe(200)
  })

  it("that break off leave nothing, and the server goes on", async () => {
    const task = await submit()
    const folder = await folderOf(task.id)
    const socket = connect(server.port ?? 0, "127.0.0.1", () => socket.write(`PUT /api/tasks/${task.id}/files/input/half.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n\r\n${"x".repeat(100_000)}`))
    await expect.poll(() => { try { return readdirSync(join(folder, "input")).length } catch { return 0 } }).toBe(1)
    socket.destroy()
    await expect.poll(() => readdirSync(join(folder, "input"))).toEqual([])
    expect((await fetch(`${base}/healthz`)).status).toBe(200)
  })

  it("of a multipart submission that breaks off make no task and leave no directory", async () => {
    const count = () => readdirSync(join(app.settings.data_dir, "workspaces")).length
    const [before, newest] = [count(), (await submit()).id]
    const head = `--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n${"x".repeat(50_000)}`
    const socket = connect(server.port ?? 0, "127.0.0.1", () => socket.write(`POST /api/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 900000\r\n\r\n${head}`))
    await expect.poll(count).toBe(before + 1)
    socket.destroy()
    await expect.poll(count).toBe(before)
    expect((await submit()).id).toBe(newest + 1)
  })

  it("of 100 MB go to the disk without standing in memory", async () => {
    const large = await startApp({ config: "http: { max_body_bytes: 104857600 }\n" })
    const own = Bun.serve({ port: 0, hostname: "127.0.0.1", maxRequestBodySize: Number.MAX_SAFE_INTEGER, fetch: (request) => large.app.fetch(request) })
    const block = new Uint8Array(1_000_000).fill(97)
    const start = new TextEncoder().encode('--b\r\nContent-Disposition: form-data; name="files"; filename="big.bin"\r\n\r\n')
    const rest = new TextEncoder().encode('\r\n--b\r\nContent-Disposition: form-data; name="task"\r\n\r\n{"instruction":"x"}\r\n--b--\r\n')
    const root = join(large.settings.data_dir, "workspaces")
    const onDisk = () => readdirSync(root, { recursive: true }).reduce((sum, name) => { const stat = statSync(join(root, String(name))); return stat.isFile() ? sum + stat.size : sum }, 0)
    let sent = 0
    let most = 0
    const body = new ReadableStream<Uint8Array>({
      pull: (c) => {
        most = Math.max(most, sent * block.length - onDisk())
        const part = sent === 0 ? start : sent <= 100 ? block : sent === 101 ? rest : null
        sent++
        if (part === null) c.close()
        else c.enqueue(part)
      },
    }, { highWaterMark: 0 })
    const answer = await fetch(`http://127.0.0.1:${own.port}/api/tasks`, { method: "POST", body, headers: { "content-type": "multipart/form-data; boundary=b" }, duplex: "half" } as RequestInit)
    expect([answer.status, ((await answer.json()) as { files: { input: ReadonlyArray<object> } }).files.input]).toMatchObject([201, [{ path: "input/big.bin", bytes: 100_000_000 }]])
    expect(most).toBeLessThan(30_000_000)
    await own.stop(true)
    await large.stop()
  })
})

describe("files over a socket", () => {
  it("are sent whole, in part and as a head, byte for byte", async () => {
    const task = await submit()
    const bytes = crypto.getRandomValues(new Uint8Array(60_000))
    const path = `${base}/api/tasks/${task.id}/files/input/a.bin`
    expect((await fetch(path, { method: "PUT", body: bytes })).status).toBe(201)
    expect(Buffer.compare(new Uint8Array(await (await fetch(path)).arrayBuffer()), bytes)).toBe(0)
    const part = await fetch(path, { headers: { range: "bytes=59990-" } })
    expect([part.status, part.headers.get("content-range"), part.headers.get("content-length")]).toEqual([206, "bytes 59990-59999/60000", "10"])
    expect(Buffer.compare(new Uint8Array(await part.arrayBuffer()), bytes.slice(59_990))).toBe(0)
    const head = await fetch(path, { method: "HEAD" })
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "60000"])
  })

  it("are closed when the client leaves in the middle", async () => {
    const task = await submit()
    const folder = await folderOf(task.id)
    mkdirSync(join(folder, "output"), { recursive: true })
    writeFileSync(join(folder, "output", "big.bin"), new Uint8Array(50_000_000))
    const got = await raw(`GET /api/tasks/${task.id}/files/output/big.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, (text) => text.length > 100_000)
    expect(got).toMatch(/^HTTP\/1\.1 200 /)
    await expect.poll(() => openFiles(folder)).toBe(0)
  })

  it("cannot be reached through a raw path with dots", async () => {
    const task = await submit()
    for (const path of ["../../attacca.db", "%2e%2e/%2e%2e/attacca.db", "..%2f..%2fattacca.db", "/etc/passwd", "input/../../x"]) {
      const got = await raw(`GET /api/tasks/${task.id}/files/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)
      expect([path, /^HTTP\/1\.1 (?:400|404) /.test(got)]).toEqual([path, true])
    }
  })
})

describe("callers over a socket", () => {
  it("with an unknown or missing Host are refused", async () => {
    expect(await raw("GET /api/tasks HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1\.1 403 /)
    expect(await raw(`GET http://evil.example/api/tasks HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 40[03] /)
    expect(await raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /)
  })

  it("of a foreign page are refused although they come from this machine", async () => {
    const answer = await fetch(`${base}/api/tasks`, { method: "POST", headers: { origin: "http://evil.example", "content-type": "text/plain" }, body: "{}" })
    expect(answer.status).toBe(403)
  })
})
