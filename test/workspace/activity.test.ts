import { describe, expect, it } from "vitest"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { makeActivityLog, type ActivityOptions } from "../../src/workspace/activity.ts"
import { temporaryFolder } from "../support/workspace.ts"

const setUp = (over: Partial<ActivityOptions> = {}) => {
  const home = temporaryFolder()
  const errors: Array<unknown> = []
  const root = (workspace: string) => join(home, workspace)
  mkdirSync(join(home, "a/logs"), { recursive: true })
  mkdirSync(join(home, "b/logs"), { recursive: true })
  const log = makeActivityLog({ root, onError: (cause) => errors.push(cause), now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6), ...over })
  return { home, log, errors, text: (workspace: string) => (existsSync(join(home, workspace, "logs/activity.log")) ? readFileSync(join(home, workspace, "logs/activity.log"), "utf8") : "") }
}
const until = async (condition: () => boolean) => {
  const deadline = Date.now() + 5000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("it did not happen")
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe("the activity log", () => {
  it("writes lines with their time, in order, in the background", async () => {
    const { log, text } = setUp({ flush_ms: 1 })
    log.log("a", "one")
    log.log("a", "two")
    log.log("b", "three")
    expect(text("a")).toBe("")
    await until(() => text("a") !== "" && text("b") !== "")
    expect(text("a")).toBe("2026-01-02T03:04:05.006Z one\n2026-01-02T03:04:05.006Z two\n")
    expect(text("b")).toBe("2026-01-02T03:04:05.006Z three\n")
  })

  it("one entry is one line, whatever it holds", () => {
    const { log, text } = setUp()
    log.log("a", "first\nsecond\r\n\u001b[31mred\u0000\u2028end\t.\n")
    log.log("a", "x".repeat(10_000))
    log.flush("a")
    const [first, second, ...rest] = text("a").split("\n")
    expect(first).toBe("2026-01-02T03:04:05.006Z first ⏎ second ⏎ \\x1b[31mred\\x00\\x2028end\t.")
    expect(second).toMatch(/x… 1808 more characters$/)
    expect(rest).toEqual([""])
  })

  it("a full buffer is written at once", () => {
    const { log, text } = setUp({ flush_ms: 3_600_000, max_chars: 200 })
    for (let n = 0; n < 20; n++) log.log("a", `line ${n}`)
    expect(text("a")).toContain("line 5")
    log.close()
    expect(text("a").split("\n").length).toBe(21)
  })

  it("memory is bounded over all workspaces; what was dropped is counted", () => {
    const { log, text } = setUp({ max_total_chars: 500 })
    for (let n = 0; n < 100; n++) log.log("a", `line ${n}`)
    log.log("b", "late")
    log.close()
    expect(text("a").length).toBeLessThan(700)
    expect(text("a")).toMatch(/\d+ lines were dropped/)
    log.log("b", "later")
    log.close()
    expect(text("b")).toContain("later")
  })

  it("a file that grew too large is put aside", () => {
    const { log, home, text } = setUp({ max_file_bytes: 100 })
    for (const line of ["one", "two", "three", "four"]) {
      log.log("a", line.padEnd(60, "."))
      log.flush("a")
    }
    expect(readdirSync(join(home, "a/logs")).sort()).toEqual(["activity.log.1"])
    log.log("a", "five")
    log.flush("a")
    expect(text("a")).toContain("five")
  })

  it("tells the first failure once and goes on", () => {
    const { log, home, errors } = setUp()
    rmSync(join(home, "a/logs"), { recursive: true })
    writeFileSync(join(home, "a/logs"), "in the way")
    for (let n = 0; n < 3; n++) {
      log.log("a", "x")
      log.flush("a")
    }
    expect(errors.length).toBe(1)
  })

  it("does not write through a link, nor into a workspace that is gone", () => {
    const { log, home, errors } = setUp()
    writeFileSync(join(home, "victim"), "")
    symlinkSync(join(home, "victim"), join(home, "a/logs/activity.log"))
    log.log("a", "x")
    log.flush("a")
    expect(readFileSync(join(home, "victim"), "utf8")).toBe("")
    expect(errors.length).toBe(1)
    rmSync(join(home, "b"), { recursive: true })
    log.log("b", "x")
    log.close()
    expect(existsSync(join(home, "b"))).toBe(false)
    expect(errors.length).toBe(1)
  })

  it("forgets what was not written when the workspace is removed", () => {
    const { log, text } = setUp()
    log.log("a", "x")
    log.forget("a")
    log.close()
    expect(text("a")).toBe("")
  })
})
