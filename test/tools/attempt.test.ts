import { describe, expect, it } from "vitest"
import { Effect, Exit, Fiber } from "effect"
import { attempt, attemptWhole, ToolFailure } from "../../src/tools/attempt.ts"
import { failure, output } from "../../src/tools/Tool.ts"
import { PathRefused, WorkspaceError } from "../../src/workspace/errors.ts"

const ends = (cause: unknown) => Effect.runPromiseExit(attempt(() => Promise.reject(cause)))

describe("the body of a tool", () => {
  it("answers", async () => {
    expect(await Effect.runPromise(attempt(async () => output("done")))).toEqual(output("done"))
  })

  it("what it could not do is an answer for the model", async () => {
    expect(await ends(new ToolFailure("no such thing"))).toEqual(Exit.succeed(failure("no such thing")))
    expect(await ends(new PathRefused({ path: "p", detail: "outside" }))).toEqual(Exit.succeed(failure("outside")))
    expect(await ends(new WorkspaceError({ detail: "full" }))).toEqual(Exit.succeed(failure("full")))
    expect(await ends(Object.assign(new Error("ENOSPC: /secret/path"), { code: "ENOSPC" }))).toEqual(Exit.succeed(failure("it did not work: no space is left on the disk")))
  })

  it("a bug stays a defect", async () => {
    const exit = await ends(new TypeError("undefined is not a function"))
    expect(Exit.isFailure(exit) && Exit.hasDies(exit)).toBe(true)
  })

  it("interruption reaches the body as a signal", async () => {
    const stopped = await Effect.runPromise(Effect.gen(function*() {
      let signalled = false
      const fiber = yield* Effect.forkChild(attempt((signal) => new Promise(() => signal.addEventListener("abort", () => signalled = true))), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      return signalled
    }))
    expect(stopped).toBe(true)
  })

  it("a short change is finished before the interruption goes on", async () => {
    const finished = await Effect.runPromise(Effect.gen(function*() {
      let done = false
      const fiber = yield* Effect.forkChild(attemptWhole(async () => {
        await new Promise((resolve) => setImmediate(resolve))
        done = true
        return output("")
      }), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      return done
    }))
    expect(finished).toBe(true)
  })
})
