// Ctrl-C while a task is followed, at a terminal and without one.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { startCommandLine } from "../support/commandLine.ts"
import { fakeTask, startFakeApi } from "../support/fakeApi.ts"
import type { FakeApi } from "../support/fakeApi.ts"

let api: FakeApi
beforeEach(() => {
  api = startFakeApi()
  api.on("POST /api/tasks", () => ({ status: 201, json: fakeTask({}, { status: "queued" }) }))
  api.on("POST /api/tasks/1/cancel", () => {
    api.task = fakeTask({ status: "cancelled" }, { status: "cancelled", finished_at: "2026-01-01T00:00:09.000Z" })
    api.push("done", { status: "cancelled" }, { at: "2026-01-01T00:00:09.000Z" })
    return { status: 202, json: api.task }
  })
})
afterEach(() => api.stop())

const followed = async (isTTY: boolean, ...flags: ReadonlyArray<string>) => {
  const line = startCommandLine(["task", "x", ...flags], { base: api.base, isTTY })
  await api.streams(1)
  api.push("movement_start", { movement: "work" })
  if (!flags.includes("--json")) await vi.waitUntil(() => line.output().includes("movement work"))
  expect(line.interrupt()).toBe(true)
  return line
}
const cancels = (): number => api.calls.filter((call) => call.path.endsWith("/cancel")).length

describe("Ctrl-C without a terminal", () => {
  it("leaves the task running and says how to see and stop it", async () => {
    const ran = await (await followed(false)).done
    expect(ran.code).toBe(130)
    expect(ran.stdout).toContain("task 1 goes on; watch it with bun run task show 1 --follow, stop it with bun run task cancel 1")
    expect(cancels()).toBe(0)
  })

  it("keeps the output of --json clean", async () => {
    expect(await (await followed(true, "--json")).done).toMatchObject({ code: 130, stdout: "" })
  })
})

describe("Ctrl-C at a terminal", () => {
  const asked = async () => {
    const line = await followed(true)
    await vi.waitUntil(() => line.keyboard.raw)
    return line
  }

  it.each([["Enter", "\r"], ["a second Ctrl-C", "\u0003"], ["l", "l"]])("%s leaves the task running", async (_name, key) => {
    const line = await asked()
    line.keyboard.press(key)
    expect((await line.done).code).toBe(130)
    expect(line.keyboard.raw).toBe(false)
    expect(cancels()).toBe(0)
  })

  it("a signal from outside leaves too", async () => {
    const line = await asked()
    expect(line.interrupt()).toBe(true)
    expect((await line.done).code).toBe(130)
  })

  it("c cancels, waits for the end and answers its exit code", async () => {
    const line = await asked()
    line.keyboard.press("c")
    const ran = await line.done
    expect(ran.code).toBe(1)
    expect(cancels()).toBe(1)
    expect(ran.stdout).toContain("task 1 cancelled")
  })

  it("f goes on, with nothing shown twice", async () => {
    const line = await asked()
    line.keyboard.press("?")
    line.keyboard.press("f")
    await api.streams(2)
    api.task = fakeTask({ status: "succeeded" }, { status: "succeeded", finished_at: "2026-01-01T00:00:09.000Z" })
    api.push("done", { status: "succeeded" }, { at: "2026-01-01T00:00:09.000Z" })
    const ran = await line.done
    expect(ran.code).toBe(0)
    expect(ran.stdout.match(/movement work/g)).toHaveLength(1)
  })

  it("a task that has ended before the cancel shows its own end", async () => {
    const line = await asked()
    api.on("POST /api/tasks/1/cancel", () => ({ status: 409, json: { detail: "it has ended" } }))
    api.task = fakeTask({ status: "succeeded" }, { status: "succeeded", finished_at: "2026-01-01T00:00:09.000Z" })
    api.push("done", { status: "succeeded" }, { at: "2026-01-01T00:00:09.000Z" })
    line.keyboard.press("c")
    expect(await line.done).toMatchObject({ code: 0, stdout: expect.stringContaining("it has ended") as string })
  })
})
