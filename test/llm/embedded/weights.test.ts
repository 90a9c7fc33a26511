import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Unreachable, WeightsRefused } from "../../../src/llm/embedded/errors.ts"
import { chooseModel } from "../../../src/llm/embedded/models.ts"
import type { Step } from "../../../src/llm/embedded/progress.ts"
import { TOY } from "../../../src/llm/embedded/toy.ts"
import { obtainWeights, type WeightsOptions } from "../../../src/llm/embedded/weights.ts"
import { realModel } from "./cache.ts"
import { gguf, sha256, startFileServer, type FileServer } from "./fileServer.ts"

const { model: real, reason } = await realModel()
const quiet = new AbortController().signal
const machine = { memory_bytes: 8e9, gpu_bytes: 0, cores: 2 }
const body = gguf(50_000)
const DAY_MS = 24 * 60 * 60_000
let directory: string
let hub: FileServer
let steps: Array<Step>

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "attacca-weights-"))
  hub = await startFileServer(body)
  hub.listing = { cardData: { license: "apache-2.0" }, siblings: [{ rfilename: "m-Q4_K_M.gguf", size: body.length, lfs: { sha256: sha256(body) } }] }
  steps = []
})
afterEach(() => {
  hub.stop()
  rmSync(directory, { recursive: true, force: true })
})

const obtain = (over: Partial<WeightsOptions> = {}, signal = quiet) =>
  obtainWeights({ directory: join(directory, "models"), model: null, sha256: null, hub: hub.url, base: directory, machine, report: (step) => steps.push(step), ...over }, signal)
const notes = () => steps.flatMap((step) => (step.kind === "downloading" ? [] : [step.text])).join("\n")
/** The toy is there already, so that no registry is needed. */
const placeToy = (path: string) => {
  mkdirSync(join(directory, "models"), { recursive: true })
  try {
    linkSync(path, join(directory, "models", TOY.file))
  } catch {
    writeFileSync(join(directory, "models", TOY.file), readFileSync(path)) // another file system
  }
}

describe("weights from the setting", () => {
  it("are a local file, checked by form and hash", async () => {
    writeFileSync(join(directory, "mine.gguf"), body)
    expect(await obtain({ model: "mine.gguf", sha256: sha256(body).toUpperCase() })).toEqual({ path: join(directory, "mine.gguf"), bytes: body.length, size: "small", toy: false })
    await expect(obtain({ model: "mine.gguf", sha256: "0".repeat(64) })).rejects.toThrow(/embedded\.sha256.*not 0000/)
    await expect(obtain({ model: "none.gguf" })).rejects.toThrow(/embedded\.model: there is no file .*none\.gguf/)
    writeFileSync(join(directory, "text.gguf"), "not a model")
    await expect(obtain({ model: "text.gguf" })).rejects.toThrow(/no GGUF/)
    expect(hub.asked).toBe(0)
  })

  it("come from a hub once, with size and licence told before, and are then used without asking", async () => {
    const found = await obtain({ model: "hf:o/r:Q4_K_M" })
    expect(readFileSync(found.path).equals(body)).toBe(true)
    expect(notes()).toMatch(/downloading o\/r, m-Q4_K_M\.gguf \(0\.1 MB, licence: apache-2\.0\)/)
    const asked = hub.asked
    hub.behaviour.silent = true
    expect((await obtain({ model: "hf:o/r:Q4_K_M" })).path).toBe(found.path)
    expect(hub.asked).toBe(asked)
  })

  it("come from an address, and a missing hash is said", async () => {
    expect((await obtain({ model: `${hub.url}/files/web%20model.gguf` })).path).toBe(join(directory, "models", "web model.gguf"))
    expect((await obtain({ model: `${hub.url}/x/..%2Finside.gguf` })).path).toBe(join(directory, "models", "inside.gguf"))
    await expect(obtain({ model: `${hub.url}/.hidden` })).rejects.toThrow(/no name for a model file/)
    await expect(obtain({ model: `${hub.url}/other.gguf`, sha256: "3".repeat(64) })).rejects.toBeInstanceOf(WeightsRefused)
  })

  it("are never replaced when the hub has no such file", async () => {
    await expect(obtain({ model: "hf:o/r:Q9" })).rejects.toThrow(/has no Q9 file; it has m-Q4_K_M\.gguf/)
  })

  it("keep what came when they are interrupted", async () => {
    hub.behaviour.stall_after = 20_000
    const stop = new AbortController()
    const going = obtain({ model: "hf:o/r", report: (step) => (step.kind === "downloading" ? stop.abort(new Error("Ctrl-C")) : undefined) }, stop.signal)
    await expect(going).rejects.toThrow("Ctrl-C")
    expect(existsSync(join(directory, "models", "m-Q4_K_M.gguf.part"))).toBe(true)
    hub.behaviour.stall_after = null
    expect((await obtain({ model: "hf:o/r" })).bytes).toBe(body.length)
    expect(notes()).toMatch(/are here already/)
  })
})

describe("weights as a last resort", () => {
  beforeEach((ctx) => {
    if (real === null) ctx.skip(reason)
  })
  it("are the toy when the hub is silent, after 5 s, with a way to something better", async () => {
    placeToy(real?.modelPath ?? "")
    hub.behaviour.silent = true
    const began = performance.now()
    const found = await obtain()
    expect(performance.now() - began).toBeLessThan(8000)
    expect(found).toMatchObject({ toy: true, size: "small", bytes: TOY.bytes })
    expect(notes()).toMatch(/does not answer: no answer within 5 s/)
    expect(notes()).toMatch(/toy.*embedded: \{ model: hf:/s)
  })

  it("are remembered for a day, and only for this setting", async () => {
    placeToy(real?.modelPath ?? "")
    hub.behaviour.status = 500
    let now = 1e12
    const at = () => now
    await obtain({ now: at })
    expect(hub.asked).toBe(1)
    now += DAY_MS - 1
    expect((await obtain({ now: at })).toy).toBe(true)
    expect(hub.asked).toBe(1)
    expect(notes().match(/This model is a toy/g)).toHaveLength(2)
    now += 1
    await obtain({ now: at })
    expect(hub.asked).toBe(2)
    hub.behaviour.status = null
    expect((await obtain({ model: "hf:o/r", now: at })).toy).toBe(false)
  })

  it("stand in for a hub that has another file under the default's name", async () => {
    placeToy(real?.modelPath ?? "")
    expect((await obtain()).toy).toBe(true)
    expect(notes()).toContain(`not the ${chooseModel(machine).bytes} that are expected`)
  })
})

describe("weights that nobody has", () => {
  it("are an error with every reason", async () => {
    hub.behaviour.status = 503
    const failed = obtain({ model: `${hub.url}/m.gguf`, toy: () => Promise.reject(new Unreachable("pip is not installed")) })
    await expect(failed).rejects.toThrow(/m\.gguf answered HTTP 503; .*resolve.*answered HTTP 503; pip is not installed/)
    await expect(obtain({ toy: () => Promise.reject(new WeightsRefused("another file")) })).rejects.toThrow("another file")
  })
})
