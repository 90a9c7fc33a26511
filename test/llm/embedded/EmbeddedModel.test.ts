import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { describeStatus, EmbeddedModel, type EmbeddedModelShape, type EmbeddedOptions } from "../../../src/llm/embedded/EmbeddedModel.ts"
import { inspectMachine } from "../../../src/llm/embedded/machine.ts"
import { CACHE, realModel } from "./cache.ts"

const { model: real, reason } = await realModel()
let directory: string
let scope: Scope.Closeable

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "attacca-embedded-"))
  scope = Scope.makeUnsafe()
})
afterEach(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(directory, { recursive: true, force: true })
})

/** The service over the engine and the weights of the cache, closed after the test. */
const open = (over: Partial<EmbeddedOptions> = {}): Promise<EmbeddedModelShape> =>
  Effect.runPromise(Layer.build(EmbeddedModel.layer({ data_dir: directory, directory: CACHE, model: real?.modelPath ?? null, sha256: null, context: 512, threads: 1, ...over })).pipe(
    Scope.provide(scope), Effect.flatMap((context) => EmbeddedModel.pipe(Effect.provide(context))),
  ))
const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)

/** The engine's process id stands in the ids of its answers. */
const pidOf = async (url: string): Promise<number> => {
  const response = await fetch(`${url}/chat/completions`, { method: "POST", body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], max_tokens: 1 }) })
  const { id } = await response.json() as { id: string }
  return Number(id.split("-")[1])
}
const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("the embedded model", () => {
  beforeEach((ctx) => {
    if (real === null) ctx.skip(reason)
  })
  it("does nothing until it is started, then serves like any endpoint, and ends with its scope", async () => {
    const model = await open()
    expect(await run(model.status)).toEqual({ state: "idle" })
    await run(model.start)
    await run(model.start)
    const endpoint = await run(model.endpoint)
    expect(endpoint).toMatchObject({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1$/), model: "SmolLM2-135M-Instruct.Q4_1", size: "small", toy: false })
    expect(endpoint.context).toBeLessThanOrEqual(512)
    const pid = await pidOf(endpoint.url)
    expect(alive(pid)).toBe(true)
    await run(Scope.close(scope, Exit.void))
    expect(alive(pid)).toBe(false)
  }, 60_000)

  it("comes back at the same address when its process is killed", async () => {
    const model = await open()
    await run(model.start)
    const before = await run(model.endpoint)
    const pid = await pidOf(before.url)
    const states = Effect.runFork(model.changes.pipe(Stream.map((status) => status.state), Stream.takeUntil((state) => state === "starting"), Stream.runDrain))
    process.kill(pid, "SIGKILL")
    await run(Fiber.join(states))
    const after = await run(model.endpoint)
    expect(after.url).toBe(before.url)
    expect(await pidOf(after.url)).not.toBe(pid)
  }, 60_000)

  it("can be prepared in the foreground, once for all", async () => {
    const model = await open()
    const first = await run(model.prepare(() => {}))
    expect(first.weights).toMatchObject({ path: real?.modelPath, toy: false })
    expect(await run(model.prepare(() => {}))).toBe(first)
  }, 60_000)

  it("ends also while it is starting", async () => {
    const model = await open()
    await run(model.start)
    await run(model.changes.pipe(Stream.takeUntil((status) => status.state === "starting"), Stream.runDrain))
    const began = performance.now()
    await run(Scope.close(scope, Exit.void))
    expect(performance.now() - began).toBeLessThan(3000)
  }, 60_000)

  it("goes on without the GPU when its binary does not load", async () => {
    const { binary } = real ?? expect.fail("skipped")
    const machine = () => Promise.resolve({ binaries: [{ package: "linux-x64-vulkan", gpu: "vulkan" as const }, binary], memory_bytes: 8e9, gpu_bytes: 8e9, cores: 2, refusal: null })
    if (binary.package !== "linux-x64" || (await inspectMachine()).binaries.length > 1) return // here it would load
    const model = await open({ machine })
    await run(model.start)
    const endpoint = await run(model.endpoint)
    expect((await fetch(`${endpoint.url}/models`)).status).toBe(200)
    expect(await run(model.prepare(() => {}))).toMatchObject({ binary: { package: "linux-x64", gpu: false } })
  }, 120_000)

  it("has a reason where no engine fits the machine", async () => {
    const model = await open({ machine: () => Promise.resolve({ binaries: [], memory_bytes: 1e9, gpu_bytes: 0, cores: 1, refusal: "there is no prebuilt engine for sparc" }) })
    expect((await run(Effect.flip(model.prepare(() => {})))).message).toMatch(/sparc; start Ollama/)
  })

  it("fails with the reason when the setting is wrong, and does not try again by itself", async () => {
    const model = await open({ model: "/nowhere/model.gguf" })
    await run(model.start)
    const failed = await run(Effect.flip(model.endpoint))
    expect(failed.message).toMatch(/embedded\.model: there is no file \/nowhere\/model\.gguf/)
    expect(await run(model.status)).toMatchObject({ state: "failed", retry_at: null })
    expect(await run(Effect.flip(model.prepare(() => {})))).toMatchObject({ _tag: "EmbeddedError", reason: "settings" })
  }, 60_000)

  it("fails, and will try again, when the weights do not load", async () => {
    const path = join(directory, "broken.gguf")
    await Bun.write(path, `GGUF${"x".repeat(1000)}`)
    const model = await open({ model: path })
    await run(model.start)
    await expect(run(model.endpoint)).rejects.toThrow(/not available/)
    const status = await run(model.status)
    expect(status).toMatchObject({ state: "failed", retry_at: expect.any(Number) })
  }, 60_000)
})

describe("a status in words", () => {
  it("says what is being waited for", () => {
    expect(describeStatus({ state: "downloading", name: "m.gguf", bytes: 5e6, total: 1e9 })).toBe("the embedded model is being downloaded: 5.0 MB of 1.00 GB of m.gguf")
    expect(describeStatus({ state: "installing", detail: "engine" })).toContain("engine")
    expect(describeStatus({ state: "failed", detail: "no registry", retry_at: null })).toBe("the embedded model is not available: no registry")
    expect([describeStatus({ state: "idle" }), describeStatus({ state: "starting", model: "m" })].every((text) => text.length > 10)).toBe(true)
  })
})
