import { describe, expect, it } from "vitest"
import { megabytes, terminalReport } from "../../../src/llm/embedded/progress.ts"

const terminal = (isTTY: boolean) => {
  const written: Array<string> = []
  return { isTTY, columns: 60, written, write: (text: string) => written.push(text) }
}

describe("progress on a terminal", () => {
  it("draws one line over and over, and ends it when the download is whole", () => {
    let now = 0
    const out = terminal(true)
    const report = terminalReport(out, () => now)
    report({ kind: "note", text: "downloading m" })
    for (const bytes of [0, 50, 100]) {
      report({ kind: "downloading", name: "m", bytes, total: 100 })
      now += 1000
    }
    report({ kind: "note", text: "ready" })
    const text = out.written.join("")
    expect(text.startsWith("downloading m\n")).toBe(true)
    expect(text.match(/\n/g)).toHaveLength(3)
    expect(text).toContain("[############............]")
    expect(text.endsWith("100 %\nready\n")).toBe(true)
    expect(out.written.every((part) => part.length < 70)).toBe(true)
  })

  it("writes few whole lines elsewhere", () => {
    let now = 0
    const out = terminal(false)
    const report = terminalReport(out, () => now)
    for (let bytes = 0; bytes <= 1000; bytes += 10) {
      report({ kind: "downloading", name: "m", bytes, total: 1000 })
      now += 300
    }
    report({ kind: "downloading", name: "m", bytes: 1000, total: 1000 })
    expect(out.written.length).toBeLessThan(6)
    expect(out.written.every((line) => line.endsWith("\n") && !line.includes("\r"))).toBe(true)
    expect(out.written.at(-1)).toContain("100 %")
  })

  it("does without a total", () => {
    const out = terminal(false)
    terminalReport(out)({ kind: "downloading", name: "m", bytes: 2_500_000, total: null })
    expect(out.written).toEqual(["  m: 2.5 MB\n"])
    expect([megabytes(98_362_432), megabytes(1_117_320_736)]).toEqual(["98 MB", "1.12 GB"])
  })
})
