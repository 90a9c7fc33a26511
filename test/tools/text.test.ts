import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { Buffer } from "node:buffer"
import { counted, cut, head, lineCount, LineWindow, sniff } from "../../src/tools/text.ts"

describe("telling text from binary", () => {
  it.each([
    [Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d]), { binary: "a PNG image" }], [Buffer.from("%PDF-1.7"), { binary: "a PDF document" }],
    [Buffer.from("PK\u0003\u0004"), { binary: "a ZIP archive or an office document" }], [Buffer.from("a\0b"), { binary: "a binary file" }],
    [Buffer.from("text"), { encoding: "utf-8" }], [Buffer.from(""), { encoding: "utf-8" }], [Buffer.from([0xff, 0xfe, 0x61, 0]), { encoding: "utf-16le" }],
    [Buffer.from([0xfe, 0xff, 0, 0x61]), { encoding: "utf-16be" }], [Buffer.from("日本語"), { encoding: "utf-8" }],
  ])("%j", (bytes, expected) => {
    expect(sniff(bytes)).toEqual(expected)
  })
})

describe("cutting", () => {
  it("says how much is gone, within the bound, and never halves a character", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.integer({ min: 60, max: 300 }), (text, max) => {
      const short = cut(text, max)
      return text.length <= max ? short === text : short.length <= max && /\n… [\d,]+ more characters?$/.test(short) && text.startsWith(short.slice(0, short.lastIndexOf("\n…")))
    }))
    expect(cut("x".repeat(100), 70)).toBe(`${"x".repeat(10)}\n… 90 more characters`)
    expect(head("a😀b", 2)).toBe("a")
    expect(head("a😀b", 3)).toBe("a😀")
  })

  it("counts", () => {
    expect(counted(1, "line")).toBe("1 line")
    expect(counted(12_345, "entry", "entries")).toBe("12,345 entries")
    expect(["", "a", "a\n", "a\nb", "\n\n"].map(lineCount)).toEqual([0, 1, 1, 2, 2])
  })
})

describe("a window of lines", () => {
  const lines = fc.array(fc.string({ maxLength: 12 }).map((text) => text.replaceAll("\n", "")), { maxLength: 30 })
  const text = fc.tuple(lines, fc.boolean()).map(([each, ending]) => each.join("\n") + (ending && each.length > 0 ? "\n" : ""))
  const inPieces = (window: LineWindow, whole: string, size: number) => {
    for (let at = 0; at < whole.length; at += size) window.push(whole.slice(at, at + size))
    return window.end()
  }
  const all = (whole: string) => whole.match(/[^\n]*\n|[^\n]+$/g) ?? []

  it("shows exactly the lines asked for, however the text arrives, when there is room", () => {
    fc.assert(fc.property(text, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 9 }), (whole, first, limit, size) => {
      const end = inPieces(new LineWindow(first, limit, 1_000_000), whole, size)
      const expected = all(whole).slice(first - 1, first - 1 + limit)
      expect(end.text).toBe(expected.join(""))
      expect(end.lines).toBe(all(whole).length)
      expect(end.next).toBe(first - 1 + limit < all(whole).length ? first + limit : null)
      expect(end.overflow).toBe(0)
    }))
  })

  it("following `next` shows every line once, within the bound", () => {
    fc.assert(fc.property(text, fc.integer({ min: 13, max: 60 }), fc.integer({ min: 1, max: 9 }), (whole, room, size) => {
      let shown = ""
      for (let first: number | null = 1; first !== null;) {
        const end = inPieces(new LineWindow(first, Number.MAX_SAFE_INTEGER, room), whole, size)
        expect(end.text.length).toBeLessThanOrEqual(room)
        shown += end.text
        first = end.next
      }
      expect(shown).toBe(whole)
    }))
  })

  it("a line that is too long alone is cut and says by how much; memory stays bounded", () => {
    const window = new LineWindow(1, 10, 50)
    for (let n = 0; n < 1000; n++) window.push("x".repeat(1000))
    window.push("\nsecond\n")
    expect(window.end()).toEqual({ text: "x".repeat(50), next: 2, lines: 2, overflow: 1_000_001 - 50 })
  })
})
