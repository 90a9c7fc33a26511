import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { ago, bytes, callText, clean, duration, fit, gauge, oneLine, percent } from "../../src/cli/text.ts"

// oxlint-disable-next-line no-control-regex -- what must never reach a terminal
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

describe("clean", () => {
  it("leaves no character that moves the cursor, changes the terminal or reorders text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(clean(text)).not.toMatch(CONTROL)
    }))
  })

  it("cleans a text in pieces as it cleans it whole", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      expect(clean(a) + clean(b)).toBe(clean(a + b))
    }))
  })

  it("shows an escape sequence instead of obeying it", () => {
    expect(clean("\u001b[2Jgone\u0007")).toBe("␛[2Jgone␇")
    expect(clean("\u009b31m")).toBe("\uFFFD31m")
  })

  it("keeps lines, tabs and every script, and drops carriage returns", () => {
    expect(clean("a\tb\r\nあ🎼é")).toBe("a\tb\nあ🎼é")
  })
})

describe("a call as a person would write it", () => {
  it("names the arguments", () => {
    expect(callText("Read", { path: "input/notes.txt", limit: 20 })).toBe('Read(path: "input/notes.txt", limit: 20)')
  })

  it("cuts long values and says how long they are", () => {
    const shown = callText("Write", { path: "a", content: "x".repeat(5000) })
    expect(shown).toContain("(5000 chars)")
    expect(shown.length).toBeLessThanOrEqual(160)
  })

  it("is one harmless line for any arguments", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), fc.jsonValue(), (name, input) => {
      const shown = callText(name, input)
      expect(shown).not.toMatch(CONTROL)
      expect(shown).not.toContain("\n")
      expect([...shown].length).toBeLessThanOrEqual(160)
    }))
  })
})

describe("sizes and times", () => {
  it.each([[0, "0 ms"], [999, "999 ms"], [1200, "1.2 s"], [59_949, "59.9 s"], [59_950, "1 m 00 s"], [65_000, "1 m 05 s"], [7_500_000, "2 h 05 m"], [Number.NaN, "?"], [-1, "?"]])("%d ms is %s", (ms, text) => {
    expect(duration(ms)).toBe(text)
  })

  it.each([[0, "0 B"], [1023, "1023 B"], [1024, "1.0 KB"], [1_048_575, "1.0 MB"], [98_362_432, "93.8 MB"]])("%d bytes are %s", (n, text) => {
    expect(bytes(n)).toBe(text)
  })

  it("says how long ago", () => {
    const now = Date.parse("2026-01-02T00:00:00Z")
    expect([ago("2026-01-01T23:59:30Z", now), ago("2026-01-01T23:50:00Z", now), ago("2026-01-01T20:00:00Z", now), ago("2025-12-30T00:00:00Z", now), ago("nonsense", now)])
      .toEqual(["just now", "10 m ago", "4 h ago", "3 d ago", "?"])
  })

  it("draws the context in use, and copes with an unknown limit", () => {
    expect(gauge(4096, 8192)).toBe("████░░░░ 50 % of 8,192")
    expect(percent(10, 0)).toBe(0)
    expect(gauge(20_000, 8192)).toContain("████████")
  })
})

describe("fitting", () => {
  it("cuts by the columns that a terminal uses", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 40 }), (text, columns) => {
      expect(Bun.stringWidth(fit(text, columns))).toBeLessThanOrEqual(Math.max(columns, 1))
    }))
    expect(fit("あいうえお", 5)).toBe("あい…")
  })

  it("makes one line of many", () => {
    expect(oneLine("a\nb\tc", 10)).toBe("a⏎b c")
    expect(oneLine("abcdef", 4)).toBe("abc…")
  })
})
