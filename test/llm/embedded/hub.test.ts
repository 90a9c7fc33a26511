import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Unreachable, WeightsRefused } from "../../../src/llm/embedded/errors.ts"
import { fileUrl, findOnHub, hubHeaders, parseSource } from "../../../src/llm/embedded/hub.ts"
import { gguf, startFileServer, type FileServer } from "./fileServer.ts"

const quiet = new AbortController().signal
const hubSource = (setting: string) => {
  const source = parseSource(setting, "/base")
  if (source.kind !== "hub") throw new Error("expected a hub source")
  return source
}

describe("the setting embedded.model", () => {
  it("is a path, a file of a hub, a quantisation of a repository, or an address", () => {
    expect(parseSource("models/a.gguf", "/base")).toEqual({ kind: "file", path: "/base/models/a.gguf" })
    expect(parseSource("/abs/a.gguf", "/base")).toEqual({ kind: "file", path: "/abs/a.gguf" })
    expect(parseSource("file:///abs/b.gguf", "/base")).toEqual({ kind: "file", path: "/abs/b.gguf" })
    expect(parseSource("https://example.org/m.gguf", "/base")).toEqual({ kind: "url", url: "https://example.org/m.gguf" })
    expect(hubSource("hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf")).toEqual({ kind: "hub", repo: "Qwen/Qwen3-4B-GGUF", revision: "main", file: "Qwen3-4B-Q4_K_M.gguf", quant: null })
    expect(hubSource("hf:Qwen/Qwen3-4B-GGUF:Q8_0")).toEqual({ kind: "hub", repo: "Qwen/Qwen3-4B-GGUF", revision: "main", file: null, quant: "Q8_0" })
    expect(hubSource("hf:a/b/sub/c.gguf#v2")).toMatchObject({ file: "sub/c.gguf", revision: "v2" })
    expect(hubSource("hf:a/b")).toMatchObject({ repo: "a/b", file: null, quant: null })
  })

  it("is refused by name, with the forms that there are", () => {
    for (const wrong of ["hf:only-owner", "hf:a/../b.gguf", "hf:a/b/c", "http://", "hf:"]) {
      expect(() => parseSource(wrong, "/base")).toThrow(/embedded\.model.*hf:owner\/repo/)
    }
  })
})

describe("a model hub", () => {
  let server: FileServer
  beforeEach(async () => {
    server = await startFileServer(gguf(10))
    server.listing = {
      cardData: { license: "apache-2.0" },
      siblings: [
        { rfilename: "README.md", size: 5 }, { rfilename: "m-Q8_0.gguf", size: 80, lfs: { sha256: "b".repeat(64) } }, { rfilename: "m-q4_k_m.gguf", size: 40, lfs: { sha256: "a".repeat(64) } },
        { rfilename: "big-Q5_K_M-00001-of-00002.gguf", size: 90 },
      ],
    }
  })
  afterEach(() => server.stop())

  it("tells address, size, hash and licence of a file", async () => {
    expect(await findOnHub(server.url, hubSource("hf:o/r:Q4_K_M"), quiet)).toEqual({
      name: "m-q4_k_m.gguf", bytes: 40, sha256: "a".repeat(64), licence: "apache-2.0", url: `${server.url}/o/r/resolve/main/m-q4_k_m.gguf`,
    })
    expect((await findOnHub(server.url, hubSource("hf:o/r"), quiet)).name).toBe("m-q4_k_m.gguf")
    expect((await findOnHub(`${server.url}/`, hubSource("hf:o/r/m-Q8_0.gguf"), quiet)).bytes).toBe(80)
  })

  it("refuses what is not there and split files, and names what is there", async () => {
    await expect(findOnHub(server.url, hubSource("hf:o/r:Q2_K"), quiet)).rejects.toThrow(/has no Q2_K file; it has m-Q8_0\.gguf/)
    await expect(findOnHub(server.url, hubSource("hf:o/r:Q5_K_M"), quiet)).rejects.toThrow(/split model/)
    server.listing = null
    await expect(findOnHub(server.url, hubSource("hf:o/none"), quiet)).rejects.toBeInstanceOf(WeightsRefused)
  })

  it("that is silent cannot be reached", async () => {
    server.stop()
    await expect(findOnHub(server.url, hubSource("hf:o/r"), quiet)).rejects.toBeInstanceOf(Unreachable)
  })

  it("gets its token, and nobody else does", () => {
    const before = process.env["HF_TOKEN"]
    process.env["HF_TOKEN"] = "hf_secret"
    try {
      expect(hubHeaders("https://hub.example/x", "https://hub.example")["authorization"]).toBe("Bearer hf_secret")
      expect(hubHeaders("https://cdn.example/x", "https://hub.example")["authorization"]).toBeUndefined()
    } finally {
      if (before === undefined) delete process.env["HF_TOKEN"]
      else process.env["HF_TOKEN"] = before
    }
    expect(fileUrl("https://hub.example/", "o/r", "main", "a b/c.gguf")).toBe("https://hub.example/o/r/resolve/main/a%20b/c.gguf")
  })
})
