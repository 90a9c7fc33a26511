import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { withLock } from "../../../src/llm/embedded/lock.ts"

const quiet = new AbortController().signal
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "attacca-lock-"))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe("the lock of a folder", () => {
  it("lets one work at a time and is given back after a failure too", async () => {
    const path = join(directory, "a.lock")
    let inside = 0
    const work = async () => {
      expect(++inside).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
    }
    await Promise.all([withLock(path, quiet, work), withLock(path, quiet, work)])
    await expect(withLock(path, quiet, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken")
    expect(existsSync(path)).toBe(false)
  })

  it("is taken over from a process that is gone", async () => {
    const path = join(directory, "a.lock")
    const gone = spawnSync(process.execPath, ["-e", ""]).pid
    writeFileSync(path, `${gone} x`)
    expect(await withLock(path, quiet, () => Promise.resolve(7))).toBe(7)
  })

  it("is not waited for by who is interrupted", async () => {
    const path = join(directory, "a.lock")
    writeFileSync(path, `${process.pid} x`)
    const stop = new AbortController()
    const waiting = withLock(path, stop.signal, () => Promise.resolve())
    stop.abort(new Error("stop"))
    await expect(waiting).rejects.toThrow()
    expect(existsSync(path)).toBe(true)
  })
})
