// Server-sent events however their bytes arrive.
import fc from "fast-check"
import { expect, test } from "vitest"
import { makeSseParser, MAX_LINE_CHARS } from "../../src/llm/sse.ts"

const parse = (...chunks: ReadonlyArray<string>): { readonly events: ReadonlyArray<string>; readonly partial: boolean } => {
  const events: Array<string> = []
  const parser = makeSseParser((data, event) => events.push(event === "" ? data : `${event}|${data}`))
  for (const chunk of chunks) parser.push(chunk)
  return { events, partial: parser.partial() }
}

test("data, names, comments, several lines, both line ends", () => {
  expect(parse("data: one\n\n").events).toEqual(["one"])
  expect(parse("data:one\r\n\r\ndata: two\r\n\r\n").events).toEqual(["one", "two"])
  expect(parse(": keep-alive\n\nevent: error\ndata: {}\n\ndata: a\ndata: b\n\n").events).toEqual(["error|{}", "a\nb"])
  expect(parse("id: 7\nretry: 10\ndata\n\n").events).toEqual([""])
  expect(parse('error: {"code":500}\n\n').events).toEqual(['error|{"code":500}'])
})

test("the end inside an event is noticed", () => {
  expect(parse("data: one\n\n").partial).toBe(false)
  expect(parse('data: one\n\ndata: {"cho').partial).toBe(true)
  expect(parse("data: one\n").partial).toBe(true)
})

test("any split of the bytes gives the same events", () => {
  const line = fc.constantFrom("data: {}", "data: [DONE]", "data:x", "event: error", ": comment", "", "", "error: y", "data:  z")
  fc.assert(fc.property(fc.array(line, { maxLength: 12 }), fc.constantFrom("\n", "\r\n"), fc.array(fc.nat(80), { maxLength: 8 }), (lines, end, cuts) => {
    const text = lines.map((one) => one + end).join("")
    const at = [...new Set(cuts.map((cut) => Math.min(cut, text.length)))].sort((a, b) => a - b)
    const chunks = [0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length))
    expect(parse(...chunks)).toEqual(parse(text))
  }), { numRuns: 500 })
})

test("a line without an end is noticed before it fills the memory", () => {
  const parser = makeSseParser(() => {})
  parser.push(`data: ${"x".repeat(MAX_LINE_CHARS)}`)
  expect(parser.overflown()).toBe(true)
})
