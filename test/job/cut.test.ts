import fc from "fast-check"
import { expect, it } from "vitest"
import { cutText } from "../../src/job/cut.ts"

it("cuts between characters and says how many bytes are missing", () => {
  expect(cutText("ä".repeat(2_000), 2_048)).toBe(`${"ä".repeat(1024)}… (1952 more bytes)`)
  expect(cutText("short", 2_048)).toBe("short")
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 40 }), (text, max) => {
    const cut = cutText(text, max)
    if (cut === text) return
    const kept = cut.slice(0, cut.lastIndexOf("… ("))
    expect(text.startsWith(kept)).toBe(true)
    expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(max)
    expect(cut).toContain(`(${Buffer.byteLength(text) - Buffer.byteLength(kept)} more bytes)`)
  }))
})
