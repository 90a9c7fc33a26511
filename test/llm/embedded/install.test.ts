import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { installEngine } from "../../../src/llm/embedded/install.ts"
import { loadRuntime } from "../../../src/llm/embedded/runtime.ts"
import { realModel } from "./cache.ts"

const { model: real, reason } = await realModel()
const quiet = new AbortController().signal
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "attacca-engine-"))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe("the engine", () => {
  beforeEach((ctx) => {
    if (real === null) ctx.skip(reason)
  })
  it("is installed with one binary, under its version, and found again without work", async () => {
    const binary = real?.binary ?? expect.fail("skipped")
    const said: Array<string> = []
    const home = await installEngine(directory, binary, (step) => said.push(step.kind), quiet)
    expect(readdirSync(join(home, "node_modules/@node-llama-cpp"))).toEqual([binary.package])
    expect(existsSync(join(home, "node_modules/@huggingface/jinja/dist/index.js"))).toBe(true)
    expect(said).toEqual(["installing"])
    expect(await installEngine(directory, binary, (step) => said.push(step.kind), quiet)).toBe(home)
    expect([said.length, readdirSync(directory).length]).toEqual([1, 1])
  }, 120_000)

  it("leaves nothing behind when it cannot be installed or is interrupted", async () => {
    await expect(installEngine(directory, { package: "no-such-binary", gpu: false }, () => {}, quiet)).rejects.toThrow(/could not be installed.*registry/)
    const stop = new AbortController()
    const going = installEngine(directory, real?.binary ?? expect.fail("skipped"), () => stop.abort(new Error("stop")), stop.signal)
    await expect(going).rejects.toThrow("stop")
    expect(readdirSync(directory)).toEqual([])
  }, 120_000)
})

describe("an engine that is not there", () => {
  it("is an error that names the folder", async () => {
    await expect(loadRuntime(directory, false, 1)).rejects.toThrow(`the engine is not installed in ${directory}`)
  })
})
