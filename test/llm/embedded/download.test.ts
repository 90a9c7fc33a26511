import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { download, requireSpace, sha256Of, type Wanted } from "../../../src/llm/embedded/download.ts"
import { NoSpace, Unreachable, WeightsRefused } from "../../../src/llm/embedded/errors.ts"
import { gguf, sha256, startFileServer, type FileServer } from "./fileServer.ts"

const body = gguf(600_000)
const hash = sha256(body)
const quiet = new AbortController().signal
let directory: string
let server: FileServer

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "attacca-download-"))
  server = await startFileServer(body)
})
afterEach(() => {
  server.stop()
  rmSync(directory, { recursive: true, force: true })
})

const path = () => join(directory, "model.gguf")
const wanted = (over: Partial<Wanted> = {}): Wanted => ({ url: `${server.url}/m/resolve/main/model.gguf`, path: path(), bytes: null, sha256: null, headers: () => ({}), ...over })
const fetchFile = (over: Partial<Wanted> = {}, signal = quiet, seen: Array<number> = []) =>
  download(wanted(over), { onStart: ({ kept }) => seen.push(kept), onBytes: (bytes) => seen.push(bytes) }, signal)
const whole = () => readFileSync(path()).equals(body)
const partBytes = () => statSync(`${path()}.part`).size

describe("a download", () => {
  it("puts the whole file in place and leaves nothing beside it", async () => {
    const seen: Array<number> = []
    expect(await fetchFile({}, quiet, seen)).toEqual({ sha256: hash, bytes: body.length })
    expect([whole(), existsSync(`${path()}.part`), existsSync(`${path()}.part.json`)]).toEqual([true, false, false])
    expect([seen[0], seen.at(-1)]).toEqual([0, body.length])
  })

  it("follows the hub's redirect and believes the hash and size of its first answer", async () => {
    server.behaviour.redirect = true
    expect((await fetchFile()).sha256).toBe(hash)
    expect(server.requests.map((request) => request.path)).toEqual(["/m/resolve/main/model.gguf", "/store/m/resolve/main/model.gguf"])
    server.behaviour.claimed_sha256 = "0".repeat(64)
    await expect(fetchFile({ path: join(directory, "other.gguf") })).rejects.toThrow(/sha256.*not 0000/)
  })

  it("goes on by itself when the connection breaks, each time from where it stopped", async () => {
    server.behaviour.stall_after = 250_000
    let before = 0
    await download(wanted(), {
      onStart: () => {},
      onBytes: (bytes) => {
        if (bytes - before < 250_000) return
        before = bytes
        server.breakOff()
      },
    }, quiet)
    expect(whole()).toBe(true)
    expect(server.requests.length).toBeGreaterThan(1)
    expect(server.requests.slice(1).every((request) => /^bytes=\d+-$/.test(request.range ?? ""))).toBe(true)
  })

  it("keeps what came when it is interrupted, and a later one takes it up", async () => {
    server.behaviour.stall_after = 300_000
    const stop = new AbortController()
    const going = download(wanted(), { onStart: () => {}, onBytes: () => stop.abort(new Error("Ctrl-C")) }, stop.signal)
    await expect(going).rejects.toThrow("Ctrl-C")
    const kept = partBytes()
    expect(kept).toBeGreaterThan(0)
    server.behaviour.stall_after = null
    const seen: Array<number> = []
    await fetchFile({}, quiet, seen)
    expect(seen[0]).toBe(kept)
    expect(server.requests.at(-1)?.range).toBe(`bytes=${kept}-`)
    expect(whole()).toBe(true)
  })

  it("starts over when the file has changed, or the server knows no ranges", async () => {
    for (const change of [() => (server.body = gguf(400_000).fill(7, 100, 200)), () => (server.behaviour.ignore_ranges = true)]) {
      server.behaviour.stall_after = 100_000
      const stop = new AbortController()
      await expect(download(wanted(), { onStart: () => {}, onBytes: () => stop.abort(new Error("stop")) }, stop.signal)).rejects.toThrow("stop")
      server.behaviour.stall_after = null
      change()
      await fetchFile()
      expect(readFileSync(path()).equals(server.body)).toBe(true)
      rmSync(path())
    }
  })

  it("deletes a file whose hash is wrong, and refuses one that announces another", async () => {
    server.behaviour.ignore_ranges = true
    server.behaviour.claimed_sha256 = "1".repeat(64)
    await expect(fetchFile()).rejects.toBeInstanceOf(WeightsRefused)
    expect([existsSync(path()), existsSync(`${path()}.part`)]).toEqual([false, false])
    server.behaviour.claimed_sha256 = null
    await expect(fetchFile({ sha256: "2".repeat(64) })).rejects.toThrow(/is another file/)
    await expect(fetchFile({ bytes: 5 })).rejects.toThrow(/600000 bytes, not the 5/)
  })

  it("says of a server that is silent or gone that it cannot be reached, within the time", async () => {
    server.behaviour.silent = true
    const began = performance.now()
    await expect(fetchFile()).rejects.toBeInstanceOf(Unreachable)
    expect(performance.now() - began).toBeLessThan(7000)
    server.stop()
    await expect(fetchFile()).rejects.toBeInstanceOf(Unreachable)
  })

  it("tells a server in trouble from a file that is not there", async () => {
    server.behaviour.status = 503
    await expect(fetchFile()).rejects.toBeInstanceOf(Unreachable)
    server.behaviour.status = 404
    await expect(fetchFile()).rejects.toBeInstanceOf(WeightsRefused)
  })

  it("checks the space on the disk before it writes", async () => {
    await expect(requireSpace(directory, 1e18)).rejects.toBeInstanceOf(NoSpace)
    await expect(requireSpace(directory, 1000)).resolves.toBeUndefined()
  })

  it("hashes a file", async () => {
    await fetchFile()
    expect(await sha256Of(path(), quiet)).toBe(hash)
  })
})
