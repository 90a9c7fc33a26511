import fc from "fast-check"
import { mkdtempSync, openSync, fstatSync, rmSync, writeFileSync, truncateSync, readdirSync, readlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { fileResponse, parseRange } from "../../src/http/files.ts"
import { RangeOutside } from "../../src/http/problem.ts"

let dir = ""
beforeAll(() => { dir = mkdtempSync(join(tmpdir(), "attacca-files-")) })
afterAll(() => { rmSync(dir, { recursive: true }) })

const serve = (name: string, content: string | Uint8Array, headers: Record<string, string> = {}, method = "GET") => {
  const path = join(dir, "file")
  writeFileSync(path, content)
  const fd = openSync(path, "r")
  const answer = fileResponse(new Request("http://x/", { method, headers }), name, fd, fstatSync(fd))
  if (answer instanceof RangeOutside) throw answer
  return answer
}
const descriptors = () => readdirSync("/proc/self/fd").filter((fd) => {
  try { return readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir) } catch { return false }
}).length

describe("a file of a workspace over HTTP", () => {
  it("is sent whole with its length, its type and headers that keep it from acting as a page", async () => {
    const answer = serve("a.md", "héllo")
    expect([answer.status, await answer.text()]).toEqual([200, "héllo"])
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "text/markdown; charset=utf-8", "content-length": "6", "accept-ranges": "bytes", "content-disposition": `inline; filename="a.md"; filename*=UTF-8''a.md`,
    })
    expect(answer.headers.get("content-security-policy")).toMatch(/^sandbox/)
  })

  it.each(["x.html", "x.SVG", "x.xml", "x.js", "x", "x.exe", "x.constructor"])("%s is saved, never shown", async (name) => {
    const answer = serve(name, "<script>")
    expect(answer.headers.get("content-disposition")).toMatch(/^attachment/)
    await answer.body?.cancel()
  })

  it("has a name that cannot break out of its header", async () => {
    const answer = serve("a\"\r\nx: y; ä%.txt", "")
    expect(answer.headers.get("content-disposition")).toBe("inline; filename=\"a___x: y; __.txt\"; filename*=UTF-8''a%22%0D%0Ax%3A%20y%3B%20%C3%A4%25.txt")
    await answer.text()
  })

  it("is sent in part for one range", async () => {
    const answer = serve("a.txt", "0123456789", { range: "bytes=4-6" })
    expect([answer.status, await answer.text(), answer.headers.get("content-range"), answer.headers.get("content-length")]).toEqual([206, "456", "bytes 4-6/10", "3"])
    expect(await serve("a.txt", "0123456789", { range: "bytes=-3" }).text()).toBe("789")
    expect(await serve("a.txt", "0123456789", { range: "bytes=8-" }).text()).toBe("89")
    expect(await serve("a.txt", "0123456789", { range: "bytes=0-1,3-4" }).text()).toBe("0123456789")
    expect(() => serve("a.txt", "0123456789", { range: "bytes=10-" })).toThrow(RangeOutside)
    expect(descriptors()).toBe(0)
  })

  it("is sent whole when If-Range names another version, and not at all when nothing changed", async () => {
    const etag = serve("a.txt", "0123456789", {}, "HEAD").headers.get("etag") ?? ""
    expect(serve("a.txt", "0123456789", { "if-none-match": "*" }).status).toBe(304)
    const other = serve("a.txt", "0123456789", { range: "bytes=0-1", "if-range": '"other"' })
    expect([other.status, await other.text()]).toEqual([200, "0123456789"])
    expect(etag).toMatch(/^".+"$/)
    expect(descriptors()).toBe(0)
  })

  it("answers HEAD with the length and no body", async () => {
    const answer = serve("a.txt", "0123456789", {}, "HEAD")
    expect([answer.status, answer.headers.get("content-length"), answer.body]).toEqual([200, "10", null])
    expect(descriptors()).toBe(0)
  })

  it("gives any range of any file byte for byte, as a slice would", async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300_000, size: "max" }), fc.nat(300_001), fc.nat(300_001), async (bytes, a, b) => {
      const range = parseRange(`bytes=${a}-${b}`, bytes.length)
      if (range instanceof RangeOutside) {
        expect(a >= bytes.length && b >= a).toBe(true)
        return
      }
      const answer = serve("x", bytes, { range: `bytes=${a}-${b}` })
      const got = new Uint8Array(await answer.arrayBuffer())
      expect(Buffer.compare(got, range === null ? bytes : bytes.slice(a, b + 1))).toBe(0)
    }), { numRuns: 50 })
    expect(descriptors()).toBe(0)
  })

  it("closes the file when the client leaves and breaks off when the file became shorter", async () => {
    const big = new Uint8Array(1_000_000)
    const leaving = serve("x", big).body?.getReader()
    await leaving?.read()
    await leaving?.cancel()
    await expect.poll(descriptors).toBe(0)
    const shrinking = serve("x", big)
    truncateSync(join(dir, "file"), 10)
    await expect(shrinking.arrayBuffer()).rejects.toThrow("shorter")
    expect(descriptors()).toBe(0)
  })
})
