import { spawn } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { lockFile } from "../../src/store/processLock.ts"
import { temporaryDirectory } from "../support/database.ts"

const MODULE = join(import.meta.dirname, "../../src/store/processLock.ts")

/** Another process that takes the lock and holds it until it is killed. */
const holder = async (path: string) => {
  const child = spawn(process.execPath, ["-e", `const { lockFile } = await import(${JSON.stringify(MODULE)}); lockFile(${JSON.stringify(path)}, "http://127.0.0.1:3000"); console.log("held"); setInterval(() => {}, 60_000)`], { stdio: ["ignore", "pipe", "inherit"] })
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve())
    child.once("exit", (code) => reject(new Error(`the holder ended with ${code}`)))
  })
  return { pid: child.pid, kill: async () => { child.kill("SIGKILL"); await ended } }
}

const withPath = async (body: (path: string) => Promise<void> | void): Promise<void> => {
  const directory = temporaryDirectory()
  try {
    await body(join(directory.path, "a.db"))
  } finally {
    directory.remove()
  }
}
const locked = (...words: ReadonlyArray<string>) => expect.objectContaining({ reason: "locked", detail: expect.stringMatching(new RegExp(words.join(".*"), "s")) })

describe("the lock of a database file", () => {
  it("refuses a second process, names the one that holds it and the way out, and is gone when that is killed", () => withPath(async (path) => {
    const other = await holder(path)
    try {
      expect(() => lockFile(path, "")).toThrow(locked("a\\.db is in use", `process ${other.pid} \\(http://127\\.0\\.0\\.1:3000\\)`, "sqld", "database\\.url"))
    } finally {
      await other.kill()
    }
    lockFile(path, "")()
  }))

  it("holds within one process too, until it is let go", () => withPath((path) => {
    const release = lockFile(path, "here")
    expect(() => lockFile(path, "there")).toThrow(locked(`process ${process.pid} \\(here\\)`))
    release()
    expect(existsSync(`${path}.owner`)).toBe(false)
    lockFile(path, "there")()
  }))

  it("needs no readable note to refuse", () => withPath((path) => {
    const release = lockFile(path, "")
    writeFileSync(`${path}.owner`, "{")
    expect(() => lockFile(path, "")).toThrow(locked("another process"))
    release()
  }))
})
