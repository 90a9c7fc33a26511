import { describe, expect, it, vi } from "vitest"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { run } from "../../../src/llm/embedded/run.ts"

const quiet = new AbortController().signal
const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("another program", () => {
  it("gives its exit code and last words", async () => {
    expect(await run("sh", ["-c", "echo out; echo err >&2; exit 3"], { timeout_ms: 10_000 }, quiet)).toMatchObject({ code: 3, output: expect.stringMatching(/out\s+err|err\s+out/) })
  })

  it("that is not there, or takes too long, is an error that names it", async () => {
    await expect(run("no-such-program-here", [], { timeout_ms: 1000 }, quiet)).rejects.toThrow(/no-such-program-here cannot be run/)
    await expect(run("sh", ["-c", "echo begun; sleep 60"], { timeout_ms: 300 }, quiet)).rejects.toThrow(/did not end within 0.3 s: begun/)
  })

  it("is killed with what it started when it is interrupted", async () => {
    const directory = mkdtempSync(join(tmpdir(), "attacca-run-"))
    const note = join(directory, "pid")
    const stop = new AbortController()
    const going = run("sh", ["-c", `sleep 60 & echo $! > ${note}.new; mv ${note}.new ${note}; wait`], { timeout_ms: 60_000 }, stop.signal)
    const ended = expect(going).rejects.toThrow("stop")
    await vi.waitFor(() => expect(existsSync(note)).toBe(true), { timeout: 10_000, interval: 10 })
    const grandchild = Number(readFileSync(note, "utf8"))
    expect(alive(grandchild)).toBe(true)
    stop.abort(new Error("stop"))
    await ended
    await vi.waitFor(() => expect(alive(grandchild)).toBe(false), { timeout: 10_000, interval: 10 })
    rmSync(directory, { recursive: true, force: true })
  })

  it("is not started for who is interrupted already", async () => {
    await expect(run("sh", ["-c", "true"], { timeout_ms: 1000 }, AbortSignal.abort(new Error("before")))).rejects.toThrow("before")
  })
})
