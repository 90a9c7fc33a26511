// Reasoning that a server left in the text.
import fc from "fast-check"
import { expect, test } from "vitest"
import { makeThinkSplitter } from "../../src/llm/think.ts"

const split = (...chunks: ReadonlyArray<string>): { readonly text: string; readonly reasoning: string } => {
  const out = { text: "", reasoning: "" }
  const splitter = makeThinkSplitter((text) => { out.text += text }, (text) => { out.reasoning += text })
  for (const chunk of chunks) splitter.push(chunk)
  splitter.flush()
  return out
}

test("a leading block is reasoning, what follows is the answer", () => {
  expect(split("<think>", "hm, ", "yes</think>\n\nThe answer.")).toEqual({ text: "The answer.", reasoning: "hm, yes" })
  expect(split("\n<thi", "nk>a</th", "ink>", "  ", "b")).toEqual({ text: "b", reasoning: "a" })
})

test("text that only looks like it, or holds the tag later, is text", () => {
  expect(split("<thi", "ng> is a tag")).toEqual({ text: "<thing> is a tag", reasoning: "" })
  expect(split("I <think>so</think>")).toEqual({ text: "I <think>so</think>", reasoning: "" })
  expect(split("  ", "\n")).toEqual({ text: "  \n", reasoning: "" })
})

test("a block that never ends is reasoning to the last character", () => {
  expect(split("<think>still thinking </thi")).toEqual({ text: "", reasoning: "still thinking </thi" })
})

test("any split of the text gives the same answer", () => {
  const part = fc.constantFrom("<think>", "</think>", "<", "/think>", "a", " ", "\n", "think", ">")
  fc.assert(fc.property(fc.array(part, { maxLength: 10 }), fc.array(fc.nat(60), { maxLength: 8 }), (parts, cuts) => {
    const text = parts.join("")
    const at = [...new Set(cuts.map((cut) => Math.min(cut, text.length)))].sort((a, b) => a - b)
    expect(split(...[0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length)))).toEqual(split(text))
  }), { numRuns: 1_000 })
})
