import { describe, expect, it } from "vitest"
import { outputTo, silent } from "../../src/cli/output.ts"
import { memorySink } from "../support/fakeApi.ts"

describe("a plain stream", () => {
  it("gets lines without colours, and no live line", () => {
    const sink = memorySink()
    const out = outputTo(sink, { env: {} })
    out.write("half")
    out.live("never shown")
    out.line(out.paint("red", "whole"))
    out.endLine()
    out.endLine()
    expect(sink.text()).toBe("half\nwhole\n")
    expect(out.interactive).toBe(false)
  })

  it("gets colours only when FORCE_COLOR asks for them", () => {
    expect(outputTo(memorySink(), { env: { FORCE_COLOR: "1" } }).paint("red", "x")).toBe("\u001b[31mx\u001b[39m")
    expect(outputTo(memorySink({ isTTY: true }), { env: { FORCE_COLOR: "1", NO_COLOR: "1" } }).paint("red", "x")).toBe("x")
  })
})

describe("a terminal", () => {
  it("has one live line that is erased before anything else is written", () => {
    const sink = memorySink({ isTTY: true, columns: 20 })
    const out = outputTo(sink, { env: {}, colour: false })
    out.live("waiting")
    out.live("waiting")
    out.line("done")
    out.live("again")
    out.live("")
    expect(sink.text()).toBe("\r\u001b[2Kwaiting\r\u001b[2Kdone\n\r\u001b[2Kagain\r\u001b[2K")
  })

  it("keeps the live line shorter than the window, and away from a line that is open", () => {
    const sink = memorySink({ isTTY: true, columns: 20 })
    const out = outputTo(sink, { env: {}, colour: false })
    out.live("あ".repeat(40))
    expect(Bun.stringWidth(sink.text().replace("\r\u001b[2K", ""))).toBeLessThan(20)
    const before = sink.text()
    out.write("open")
    out.live("no")
    expect(sink.text()).toBe(`${before}\r\u001b[2Kopen`)
  })

  it("is treated as a plain stream when it is dumb", () => {
    expect(outputTo(memorySink({ isTTY: true }), { env: { TERM: "dumb" } }).interactive).toBe(false)
  })
})

it("silence shows nothing", () => {
  silent.line("x")
  expect(silent.paint("red", "x")).toBe("x")
})
