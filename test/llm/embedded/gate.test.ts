import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Gate, type GateOptions } from "../../../src/llm/embedded/gate.ts"

const options: GateOptions = { stop: [], open: null, plainCalls: false, thinking: false }
const through = (gate: Gate, pieces: ReadonlyArray<string>) => {
  let [text, reasoning, found]: [string, string, "stop" | "call" | null] = ["", "", null]
  for (const piece of pieces) {
    const passed = gate.push(piece)
    text += passed.text
    reasoning += passed.reasoning
    if (passed.found !== null) return { text, reasoning, found: passed.found }
  }
  const rest = gate.flush()
  return { text: text + rest.text, reasoning: reasoning + rest.reasoning, found }
}
const cut = (text: string, sizes: ReadonlyArray<number>): ReadonlyArray<string> => {
  const out: Array<string> = []
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    out.push(text.slice(at, at + size))
    at += size
  }
  return out
}
const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 })

describe("the gate between sampler and client", () => {
  it("lets free text through unchanged, however it is cut", () => {
    fc.assert(fc.property(fc.string({ maxLength: 60 }), sizes, (text, by) => {
      const shown = through(new Gate({ ...options, stop: ["\u0000never\u0000"], open: "<tool_call>" }), cut(text, by))
      if (!text.includes("<think") && shown.found === null) expect(shown.text.trim()).toBe(text.trim())
    }), { numRuns: 500 })
  })

  it("sends text on at once when it cannot become a mark", () => {
    const gate = new Gate({ ...options, open: "<tool_call>" })
    expect(gate.push("Hello ").text).toBe("Hello ")
    expect(gate.push("a < b").text).toBe("a < b")
    expect(gate.push(" <tool").text).toBe(" ")
    expect(gate.push("box").text).toBe("<toolbox")
  })

  it("never shows a part of a native call", () => {
    fc.assert(fc.property(sizes, (by) => {
      expect(through(new Gate({ ...options, open: "<tool_call>" }), cut("I will read it.<tool_call>\n{\"name\"", by))).toMatchObject({ text: "I will read it.", found: "call" })
    }))
  })

  it("never shows a part of a plain call, in a code fence or bare", () => {
    for (const text of ["{\"name\": \"Read\"", " \n{ \"name\":\"Read\"", "```json\n{\"name\": \"Read\"", "```\n{\"name\" : 1"]) {
      fc.assert(fc.property(sizes, (by) => {
        expect(through(new Gate({ ...options, plainCalls: true }), cut(text, by))).toMatchObject({ text: "", found: "call" })
      }))
    }
  })

  it("shows JSON that is no call", () => {
    expect(through(new Gate({ ...options, plainCalls: true }), ["{\"na", "rrow\": 1}"])).toEqual({ text: "{\"narrow\": 1}", reasoning: "", found: null })
    expect(through(new Gate({ ...options, plainCalls: true }), ["```js", "on\n[1]\n```"])).toEqual({ text: "```json\n[1]\n```", reasoning: "", found: null })
  })

  it("ends at the first stop text and keeps what stands before", () => {
    fc.assert(fc.property(sizes, (by) => {
      expect(through(new Gate({ ...options, stop: ["END", "\n\nUser:"] }), cut("one two END three", by))).toMatchObject({ text: "one two ", found: "stop" })
    }))
  })

  it("keeps thinking apart from the answer", () => {
    fc.assert(fc.property(sizes, (by) => {
      expect(through(new Gate(options), cut("<think>\nWhat now?\n</think>\n\nThis.", by))).toMatchObject({ text: "This.", reasoning: expect.stringMatching(/^\s*What now\?\s*$/), found: null })
    }))
    expect(through(new Gate({ ...options, thinking: true }), ["so it is</thi", "nk>Yes"])).toEqual({ text: "Yes", reasoning: "so it is", found: null })
    expect(through(new Gate({ ...options, thinking: true }), ["never ends"])).toEqual({ text: "", reasoning: "never ends", found: null })
  })
})
