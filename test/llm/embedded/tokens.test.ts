import { describe, expect, it } from "vitest"
import { CYCLE_TOKENS } from "../../../src/llm/embedded/limits.ts"
import { cycles, Pieces } from "../../../src/llm/embedded/tokens.ts"

/** A model whose tokens are the bytes of UTF-8; token 1000 has no text of its own. */
const bytes = {
  detokenize: (tokens: ReadonlyArray<number>, _special: boolean, _last?: ReadonlyArray<number>) =>
    new TextDecoder().decode(Uint8Array.from(tokens.filter((token) => token < 256))),
}

describe("pieces of text", () => {
  it("never end inside a character", () => {
    const pieces = new Pieces(bytes, [], new Map())
    const out = [...new TextEncoder().encode("aö😀€!")].map((byte) => pieces.push(byte))
    expect(out.join("")).toBe("aö😀€!")
    expect(out.filter((piece) => piece.includes("\ufffd"))).toEqual([])
  })

  it("do not wait for ever for bytes that are no text", () => {
    const pieces = new Pieces(bytes, [], new Map())
    const out = Array.from({ length: 9 }, () => pieces.push(0xff)).join("")
    expect(out).toContain("\ufffd")
  })

  it("give marks the text that the model's table hides", () => {
    const pieces = new Pieces(bytes, [], new Map([[1000, "<tool_call>"]]))
    expect([97, 1000, 98].map((token) => pieces.push(token))).toEqual(["a", "<tool_call>", "b"])
  })
})

describe("the guard against endless repetition", () => {
  it("sees a short run of tokens over and over, and nothing else", () => {
    const loop = Array.from({ length: CYCLE_TOKENS }, (_, i) => i % 5)
    expect(cycles(loop)).toBe(true)
    expect(cycles([...Array.from({ length: 30 }, (_, i) => 100 + i), ...loop])).toBe(true)
    expect(cycles(loop.slice(1))).toBe(false)
    expect(cycles([...loop.slice(0, -1), 77])).toBe(false)
    expect(cycles(Array.from({ length: 500 }, (_, i) => (i * i) % 251))).toBe(false)
  })
})
