// The engine's HTTP surface and the life of its process, over the real weights.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { EngineProcess } from "../../../src/llm/embedded/process.ts"
import { realModel } from "./cache.ts"
import { ask, post, serve, stream, type Served } from "./served.ts"

const { model: real, reason } = await realModel()
const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const gone = (pid: number) => vi.waitFor(() => expect(alive(pid)).toBe(false), { timeout: 10_000, interval: 20 })
const command = { engineDir: real?.engineDir ?? "", modelPath: real?.modelPath ?? "", gpu: false, context: 512, threads: 1, port: 0 } as const
const quiet = new AbortController().signal

describe("the engine's surface", () => {
  beforeEach((ctx) => {
    if (real === null) ctx.skip(reason)
  })
  let served: Served
  beforeAll(async () => {
    if (real !== null) served = await serve(real, 512)
  }, 60_000)
  afterAll(() => (real === null ? undefined : served.process.end()))

  it("looks like any other endpoint, with its true context size", async () => {
    const models = await (await fetch(`${served.url}/v1/models`)).json()
    expect(models).toMatchObject({ object: "list", data: [{ id: "SmolLM2-135M-Instruct.Q4_1", object: "model", max_model_len: served.line.context }] })
    expect(served.line.context).toBeLessThanOrEqual(512)
  })

  it("refuses a prompt over its context as such, also when it is to be streamed", async () => {
    const messages = [{ role: "user", content: "word ".repeat(900) }]
    for (const body of [{ messages }, { messages, stream: true }]) {
      const response = await post(served, body)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { code: "context_length_exceeded", type: "invalid_request_error", message: expect.stringContaining("maximum context length") } })
    }
  })

  it("fits the answer into what the prompt leaves", async () => {
    const answer = await ask(served, { messages: [{ role: "user", content: "word ".repeat(470) }], max_tokens: 4000 })
    expect(answer.usage.prompt_tokens + answer.usage.completion_tokens).toBeLessThanOrEqual(served.line.context)
  }, 60_000)

  it("names what is wrong with a request", async () => {
    expect((await ask(served, "{not json")).error).toMatchObject({ code: "invalid_json" })
    expect((await ask(served, { messages: "hi" })).error).toMatchObject({ param: "messages" })
    const dead = { type: "function", function: { name: "Read", parameters: { type: "object", properties: { path: { enum: [] } }, required: ["path"] } } }
    expect((await ask(served, { messages: [{ role: "user", content: "x" }], tools: [dead], tool_choice: "required" })).error).toMatchObject({ param: "tools", message: expect.stringContaining("Read") })
    expect((await fetch(`${served.url}/v1/embeddings`)).status).toBe(404)
    expect((await fetch(`${served.url}/v1/chat/completions`)).status).toBe(405)
  })

  it("is closed to web pages and other names", async () => {
    expect((await fetch(`${served.url}/v1/models`, { headers: { origin: "https://evil.example" } })).status).toBe(403)
    expect((await fetch(`${served.url}/v1/models`, { headers: { host: "evil.example" } })).status).toBe(403)
  })

  it("gives usage in a chunk of its own when asked", async () => {
    const chunks = []
    for await (const chunk of stream(served, { messages: [{ role: "user", content: "Hi" }], max_tokens: 2, stream_options: { include_usage: true }, return_progress: false })) chunks.push(chunk)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 2 } })
    expect(chunks.filter((chunk) => chunk.usage !== undefined)).toHaveLength(1)
    expect(chunks.filter((chunk) => chunk.prompt_progress !== undefined)).toHaveLength(0)
  }, 60_000)
})

describe("the engine's process", () => {
  beforeEach((ctx) => {
    if (real === null) ctx.skip(reason)
  })
  it("ends by itself when the process that started it is killed", async () => {
    const script = `
      import { EngineProcess } from ${JSON.stringify(join(import.meta.dirname, "../../../src/llm/embedded/process.ts"))}
      const engine = new EngineProcess(${JSON.stringify(command)})
      await engine.ready(60000, new AbortController().signal)
      console.log(engine.pid)
      setInterval(() => {}, 1000)
    `
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, BUN_BE_BUN: "1" } })
    const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))))
    expect(alive(pid)).toBe(true)
    parent.kill("SIGKILL")
    await gone(pid)
  }, 60_000)

  it("ends when it is told to, also in the middle of an answer", async () => {
    const served = await serve(real ?? expect.fail("skipped"), 512)
    const pid = served.process.pid ?? 0
    const answers = stream(served, { messages: [{ role: "user", content: "Write a long story." }], max_tokens: 400 })
    await answers.next()
    const rest = expect((async () => {
      for await (const chunk of answers) expect(chunk.choices.length).toBe(1)
    })()).rejects.toThrow()
    await served.process.end()
    expect(alive(pid)).toBe(false)
    await rest
  }, 60_000)

  it("says why it cannot start", async () => {
    const missing = new EngineProcess({ ...command, modelPath: "/nowhere/model.gguf" })
    await expect(missing.ready(60_000, quiet)).rejects.toMatchObject({ reason: "model", message: expect.stringContaining("nowhere") })
    await missing.end()
    // This engine folder holds the processor's binary only.
    const gpu = new EngineProcess({ ...command, gpu: "vulkan" })
    await expect(gpu.ready(60_000, quiet)).rejects.toMatchObject({ reason: "binary" })
    await gpu.end()
  }, 60_000)

  it("is not waited for by who is interrupted, nor longer than the limit", async () => {
    const engine = new EngineProcess(command)
    await expect(engine.ready(60_000, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop")
    await expect(engine.ready(1, quiet)).rejects.toMatchObject({ reason: "died" })
    await engine.end()
  }, 60_000)
})
