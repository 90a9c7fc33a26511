import { describe, expect, it } from "vitest"
import { Effect, Exit, Fiber, Layer, Logger } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PathRefused, Workspace, WorkspaceError, type WorkspaceShape } from "../../src/workspace/Workspace.ts"
import { temporaryFolder } from "../support/workspace.ts"

const NAME = "0198b3a0-0000-7000-8000-000000000001"

const use = async <A, E>(root: string, body: (workspace: WorkspaceShape) => Effect.Effect<A, E>, logger: Layer.Layer<never> = Layer.empty): Promise<A> =>
  Effect.runPromise(Workspace.use(body).pipe(Effect.provide(Layer.merge(Workspace.layer({ root }), logger)), Effect.provide(logger)))
const failureOf = <A, E>(effect: Effect.Effect<A, E>) => Effect.flip(effect)

describe("a workspace", () => {
  it("is made when opened, again when it was removed behind our back, and its real path is answered", async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, "real"))
    symlinkSync(join(folder, "real"), join(folder, "alias"))
    await use(join(folder, "alias"), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      expect(root).toBe(join(folder, "real", NAME))
      expect(root).toBe(workspace.root(NAME))
      expect(readdirSync(root).sort()).toEqual(["input", "logs", "output"])
      rmSync(root, { recursive: true })
      yield* workspace.open(NAME)
      expect(readdirSync(root).sort()).toEqual(["input", "logs", "output"])
    }))
  })

  it("opens in well under a millisecond once it is known", async () => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      yield* workspace.open(NAME)
      const started = performance.now()
      for (let n = 0; n < 1000; n++) yield* workspace.open(NAME)
      expect((performance.now() - started) / 1000).toBeLessThan(0.3)
    }))
  })

  it.each(["", "..", "a/b", "/etc", ".hidden", "x".repeat(200)])("%j is not the name of one", async (name) => {
    const exit = await use(temporaryFolder(), (workspace) => Effect.exit(Effect.suspend(() => workspace.resolve(name, "input/a", "read"))))
    expect(Exit.isFailure(exit) && Exit.hasDies(exit)).toBe(true)
  })

  it("a folder that cannot be made is one clear line", async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, "file"), "")
    const error = await Effect.runPromise(failureOf(Effect.scoped(Layer.build(Workspace.layer({ root: join(folder, "file/workspaces") })))))
    expect(error).toBeInstanceOf(WorkspaceError)
    expect(error.message).toMatch(/cannot be made: a part of the path is a file, not a folder/)
  })

  it("removing it takes everything, but nothing that a link in it leads to", async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, "outside"))
    writeFileSync(join(folder, "outside/kept"), "")
    await use(join(folder, "workspaces"), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      symlinkSync(join(folder, "outside"), join(root, "output/out"))
      workspace.log(NAME, "not written any more")
      yield* workspace.remove(NAME)
      expect(existsSync(root)).toBe(false)
      yield* workspace.remove(NAME)
    }))
    expect(existsSync(join(folder, "outside/kept"))).toBe(true)
    expect(existsSync(join(folder, "workspaces", NAME))).toBe(false)
  })
})

describe("uploads", () => {
  it("land as plain files under the last part of their name, streamed or whole", async () => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      expect(yield* workspace.upload(NAME, "../../etc/notes.txt", new TextEncoder().encode("whole"))).toMatchObject({ path: "input/notes.txt", bytes: 5 })
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          for (let n = 0; n < 100; n++) controller.enqueue(new Uint8Array(10_000).fill(65))
          controller.close()
        },
      })
      expect(yield* workspace.upload(NAME, "big.bin", stream)).toMatchObject({ path: "input/big.bin", bytes: 1_000_000 })
      expect(readFileSync(join(root, "input/notes.txt"), "utf8")).toBe("whole")
      expect((yield* workspace.list(NAME, "input")).map(({ path, bytes }) => [path, bytes])).toEqual([["input/big.bin", 1_000_000], ["input/notes.txt", 5]])
    }))
  })

  it.each(["", ".", "..", "a\u0000b", "a\nb"])("the name %j is refused", async (name) => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      expect(yield* failureOf(workspace.upload(NAME, name, new Uint8Array(1)))).toBeInstanceOf(PathRefused)
    }))
  })

  it("a body that breaks leaves nothing behind and says so", async () => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          controller.enqueue(new Uint8Array(10))
          controller.error(new Error("the client went away"))
        },
      })
      const error = yield* failureOf(workspace.upload(NAME, "a.bin", body))
      expect(error).toBeInstanceOf(WorkspaceError)
      expect(error.message).toContain("the client went away")
      expect(readdirSync(join(root, "input"))).toEqual([])
    }))
  })

  it("interrupting one cancels its body and leaves nothing behind", async () => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      const seen = { cancelled: false }
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new Uint8Array(10)),
        cancel: () => {
          seen.cancelled = true
        },
      })
      const fiber = yield* Effect.forkChild(workspace.upload(NAME, "a.bin", body), { startImmediately: true })
      while (readdirSync(join(root, "input")).length === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fiber)
      while (!seen.cancelled || readdirSync(join(root, "input")).length > 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      expect(seen.cancelled).toBe(true)
    }))
  })

  it("twenty under one name at once leave one whole file", async () => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      yield* Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) => workspace.upload(NAME, "a.bin", new Uint8Array(5000).fill(n)), { concurrency: "unbounded" })
      expect(new Set(readFileSync(join(root, "input/a.bin"))).size).toBe(1)
      expect(readdirSync(join(root, "input"))).toEqual(["a.bin"])
    }))
  })

  it("an input/ that became a link is not followed", async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, "outside"))
    await use(join(folder, "workspaces"), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      rmSync(join(root, "input"), { recursive: true })
      symlinkSync(join(folder, "outside"), join(root, "input"))
      expect(yield* failureOf(workspace.upload(NAME, "a", new Uint8Array(1)))).toBeInstanceOf(PathRefused)
      expect(yield* workspace.list(NAME, "input")).toEqual([])
    }))
    expect(readdirSync(join(folder, "outside"))).toEqual([])
  })
})

describe("paths", () => {
  it("are resolved by the jail", async () => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      expect(yield* workspace.resolve(NAME, "output/a.md", "write")).toBe(join(root, "output/a.md"))
      expect(yield* failureOf(workspace.resolve(NAME, "input/a.md", "write"))).toBeInstanceOf(PathRefused)
      expect(yield* failureOf(workspace.resolve(NAME, "../x", "read"))).toBeInstanceOf(PathRefused)
    }))
  })
})

describe("what a run leaves in logs/", () => {
  it("lessons are appended, other files replaced", async () => {
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      yield* workspace.appendLessons(NAME, ["look twice", { text: "日本" }])
      yield* workspace.appendLessons(NAME, [])
      yield* workspace.appendLessons(NAME, ["third"])
      expect(readFileSync(join(root, "logs/lessons.jsonl"), "utf8")).toBe('"look twice"\n{"text":"日本"}\n"third"\n')
      yield* workspace.writeLog(NAME, "last-run-diagnostics.json", "{}")
      yield* workspace.writeLog(NAME, "last-run-diagnostics.json", "{ }")
      expect(readFileSync(join(root, "logs/last-run-diagnostics.json"), "utf8")).toBe("{ }")
    }))
  })

  it("a reader of the log, a finished diagnosis and the end of the process see every line", async () => {
    const folder = temporaryFolder()
    const file = join(realpathSync.native(folder), NAME, "logs/activity.log")
    await use(folder, (workspace) => Effect.gen(function*() {
      yield* workspace.open(NAME)
      workspace.log(NAME, "one")
      expect(readFileSync(yield* workspace.resolve(NAME, "logs/activity.log", "read"), "utf8")).toMatch(/Z one\n$/)
      workspace.log(NAME, "two")
      yield* workspace.writeLog(NAME, "x.json", "{}")
      expect(readFileSync(file, "utf8")).toMatch(/two\n$/)
      workspace.log(NAME, "three")
    }))
    expect(readFileSync(file, "utf8")).toMatch(/one\n.*two\n.*three\n$/)
  })

  it("a log that cannot be written warns once and fails nothing", async () => {
    const warnings: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message }) => void warnings.push(String(message)))])
    await use(temporaryFolder(), (workspace) => Effect.gen(function*() {
      const root = yield* workspace.open(NAME)
      mkdirSync(join(root, "logs/activity.log"))
      for (let n = 0; n < 3; n++) {
        workspace.log(NAME, "x")
        yield* workspace.resolve(NAME, "logs", "read")
      }
    }), logger)
    expect(warnings.length).toBe(1)
    expect(warnings[0]).toContain("activity.log cannot be written")
  })
})
