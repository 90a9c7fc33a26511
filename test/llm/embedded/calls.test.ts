import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { CallStream } from "../../../src/llm/embedded/calls.ts"
import { spaced } from "../../../src/llm/embedded/json.ts"

describe("the deltas of a call", () => {
  it("add up to the name and the arguments, however the text is cut", () => {
    fc.assert(fc.property(fc.string({ minLength: 1 }), fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 }), (name, args, sizes) => {
      const text = `{"name": ${JSON.stringify(name)}, "arguments": ${spaced(args)}}`
      const stream = new CallStream(3, "call_x")
      let [got, shown, starts] = ["", "", 0]
      for (let at = 0, i = 0; at < text.length; i++) {
        const size = sizes[i % sizes.length] ?? 1
        const delta = stream.push(text.slice(at, at + size))
        at += size
        if (delta === null) continue
        expect([delta.index, delta.id]).toEqual([3, "call_x"])
        if (delta.name !== null) {
          shown = delta.name
          starts++
        }
        got += delta.arguments
      }
      expect([shown, starts, got]).toEqual([name, 1, spaced(args)])
      expect([stream.name, stream.arguments]).toEqual([name, spaced(args)])
    }), { numRuns: 300 })
  })

  it("send the name as soon as it is known", () => {
    const stream = new CallStream(0, "c")
    expect(stream.push("{\"name\":")).toBeNull()
    expect(stream.push(" \"Write\", \"arguments\": ")).toEqual({ index: 0, id: "c", name: "Write", arguments: "" })
    expect(stream.push("{\"content\": \"a")).toMatchObject({ name: null, arguments: "{\"content\": \"" })
  })
})
