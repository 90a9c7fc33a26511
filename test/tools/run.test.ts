import { describe, expect, it } from "vitest"
import { it as effectIt } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Grep } from "../../src/tools/Grep.ts"
import { Ls } from "../../src/tools/Ls.ts"
import { Read } from "../../src/tools/Read.ts"
import { ReadCache, runTool } from "../../src/tools/run.ts"
import { failure, output, type Tool, type ToolOutcome } from "../../src/tools/Tool.ts"
import { Write } from "../../src/tools/Write.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

const toolOf = (run: Tool["run"], over: Partial<Tool> = {}): Tool => ({ name: "Test", description: "", input: {}, effect: "effectful", timeout_ms: 2000, run, ...over })
const context = () => temporaryWorkspace().context

describe("running a tool", () => {
  it("gives its answer and how long it took", async () => {
    const ran = await Effect.runPromise(runTool(toolOf(() => Effect.succeed(output("x"))), {}, context()))
    expect(ran).toMatchObject({ outcome: output("x"), cache_hit: false })
    expect(Number.isInteger(ran.duration_ms)).toBe(true)
  })

  it("cuts what is too long for the context", async () => {
    const ran = await Effect.runPromise(runTool(toolOf(() => Effect.succeed(failure("x".repeat(100_000)))), {}, context()))
    expect(ran.outcome).toMatchObject({ isError: true, output: expect.stringMatching(/x\n… 80,060 more characters$/) })
    expect(ran.outcome._tag === "Output" && ran.outcome.output.length).toBeLessThanOrEqual(20_000)
  })

  it("a question passes through", async () => {
    const ask = { _tag: "Ask", question: "?", options: [] } as const
    expect((await Effect.runPromise(runTool(toolOf(() => Effect.succeed(ask)), {}, context()))).outcome).toEqual(ask)
  })

  it.each<[string, Effect.Effect<ToolOutcome>]>([["a defect", Effect.die(new Error("bug 4711"))], ["a throw", Effect.sync((): never => { throw new Error("bug 4711") })]])("%s becomes an error result and is logged", async (_, effect) => {
    const logged: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message, cause }) => void logged.push(`${String(message)} ${JSON.stringify(cause)}`))])
    const ran = await Effect.runPromise(runTool(toolOf(() => effect), {}, context()).pipe(Effect.provide(logger)))
    expect(ran.outcome).toEqual(failure("Test broke: this is a fault of the tool, not of the call; go on without it if you can"))
    expect(logged.length).toBe(1)
    expect(logged[0]).toContain("tool Test broke")
  })

  it("a tool whose run throws before it gives an effect is no different", async () => {
    const tool = toolOf((): never => { throw new Error("bug") })
    const ran = await Effect.runPromise(runTool(tool, {}, context()).pipe(Effect.provide(Logger.layer([]))))
    expect(ran.outcome).toMatchObject({ isError: true })
  })

  effectIt.effect("a tool that takes too long is stopped", () => Effect.gen(function*() {
    let stopped = false
    const tool = toolOf(() => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => { stopped = true }))))
    const fiber = yield* Effect.forkChild(runTool(tool, {}, { ...fakeContext }))
    yield* TestClock.adjust("3 seconds")
    const ran = yield* Fiber.join(fiber)
    expect(ran.outcome).toEqual(failure("Test was stopped: it took longer than 2 s"))
    expect(stopped).toBe(true)
  }))

  it("interruption passes through and stops the tool", async () => {
    let stopped = false
    const tool = toolOf(() => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => { stopped = true }))))
    const ctx = context()
    const exit = await Effect.runPromise(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(runTool(tool, {}, ctx), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      return yield* Fiber.await(fiber)
    }))
    expect(exit._tag).toBe("Failure")
    expect(stopped).toBe(true)
  })
})

const fakeContext = { job_id: "j", task_id: 1, movement: "m", workspace: "/none", max_output_chars: 1000, resolve: async () => "/none", emit: () => undefined }

describe("the read cache", () => {
  const setUp = () => {
    const workspace = temporaryWorkspace({ "input/a.txt": "one", "input/b.txt": "two" })
    const cache = new ReadCache()
    const run = (tool: Tool, args: Record<string, unknown>) => Effect.runPromise(cache.run(tool, args, workspace.context))
    return { ...workspace, run }
  }

  it("answers a repeated read of an unchanged file, whatever the order of its arguments", async () => {
    const { run } = setUp()
    expect((await run(Read, { path: "input/a.txt", limit: 1 })).cache_hit).toBe(false)
    expect(await run(Read, { limit: 1, path: "input/a.txt" })).toMatchObject({ cache_hit: true, outcome: output("one") })
    expect((await run(Read, { path: "input/a.txt" })).cache_hit).toBe(false)
    expect((await run(Read, { path: "input/b.txt", limit: 1 })).outcome).toEqual(output("two"))
  })

  it("reads again when the file changed, was replaced, or only its time did", async () => {
    const { run, root } = setUp()
    const read = () => run(Read, { path: "output/c.txt" })
    await run(Write, { path: "output/c.txt", content: "111" })
    expect((await read()).outcome).toEqual(output("111"))
    await run(Write, { path: "output/c.txt", content: "222" }) // same size
    expect(await read()).toMatchObject({ cache_hit: false, outcome: output("222") })
    expect((await read()).cache_hit).toBe(true)
    utimesSync(join(root, "output/c.txt"), 1, 1)
    expect((await read()).cache_hit).toBe(false)
    rmSync(join(root, "output/c.txt"))
    expect((await read()).outcome).toMatchObject({ isError: true })
  })

  it("a listing is read again when an entry changed, a search when any file did", async () => {
    const { run, root } = setUp()
    for (const [tool, args] of [[Ls, { path: "input" }], [Grep, { pattern: "one|new", path: "input" }]] as const) {
      await run(tool, args)
      expect((await run(tool, args)).cache_hit).toBe(true)
    }
    writeFileSync(join(root, "input/b.txt"), "new text")
    expect(await run(Ls, { path: "input" })).toMatchObject({ cache_hit: false, outcome: output("a.txt (3 bytes)\nb.txt (8 bytes)") })
    expect(await run(Grep, { pattern: "one|new", path: "input" })).toMatchObject({ cache_hit: false, outcome: output("input/a.txt:1:one\ninput/b.txt:1:new text") })
  })

  it("keeps neither errors nor what tools with an effect answer", async () => {
    const { run } = setUp()
    for (let n = 0; n < 2; n++) expect((await run(Read, { path: "input/none" })).cache_hit).toBe(false)
    for (let n = 0; n < 2; n++) expect((await run(Read, { path: "../x" })).cache_hit).toBe(false)
    for (let n = 0; n < 2; n++) expect((await run(Write, { path: "output/x", content: "x" })).cache_hit).toBe(false)
  })

  it("keeps nothing of a file that changed while it was read", async () => {
    const { context: ctx, file } = temporaryWorkspace({ "input/a.txt": "0" })
    let runs = 0
    const tool = toolOf(() => Effect.sync(() => {
      file("input/a.txt", "changed".repeat(++runs))
      return output("before")
    }), { effect: "read", dependsOn: async (_, { resolve }) => [await resolve("input/a.txt", "read")] })
    const cache = new ReadCache()
    for (let n = 0; n < 3; n++) expect((await Effect.runPromise(cache.run(tool, {}, ctx))).cache_hit).toBe(false)
    expect(runs).toBe(3)
  })

  it("is bounded", async () => {
    const { context: ctx } = temporaryWorkspace({ "input/a.txt": "x".repeat(100), "input/b.txt": "x".repeat(100) })
    const cache = new ReadCache(400)
    const hits = async (path: string) => (await Effect.runPromise(cache.run(Read, { path }, ctx))).cache_hit
    expect([await hits("input/a.txt"), await hits("input/a.txt"), await hits("input/b.txt"), await hits("input/b.txt")]).toEqual([false, true, false, false])
  })
})
