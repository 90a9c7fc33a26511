// The phases of an answer over a scripted model whose tokens are characters, so that what a larger model does (text before
// a call, several calls, thinking) is tested without one.
import { describe, expect, it } from "vitest"
import { CALL_PREFIX, Generation, type Delta, type Plan } from "../../../src/llm/embedded/generate.ts"
import { callGrammar, schemaGrammar } from "../../../src/llm/embedded/grammar.ts"
import { CYCLE_TOKENS } from "../../../src/llm/embedded/limits.ts"
import type { LlamaModel, Sequence, Token } from "../../../src/llm/embedded/runtime.ts"
import { samplingOf } from "../../../src/llm/embedded/sampling.ts"
import { NATIVE, PLAIN } from "../../../src/llm/embedded/template.ts"

const END = 0
const tokens = (text: string): Array<Token> => [...text].map((c) => c.codePointAt(0) ?? 0)
const textOf = (list: ReadonlyArray<Token>) => String.fromCodePoint(...list)
const model = {
  tokenize: tokens, detokenize: (list: ReadonlyArray<Token>) => textOf(list), isEogToken: (token: Token) => token === END,
} as unknown as LlamaModel

/** Wants to write `script` behind the prompt; what the engine puts there itself is taken as written. */
class ScriptedSequence implements Sequence {
  state: Array<Token> = []
  evaluated = 0
  readonly #prompt: number
  readonly #script: string
  constructor(prompt: number, script: string) {
    this.#prompt = prompt
    this.#script = script
  }
  get nextTokenIndex() {
    return this.state.length
  }
  compareContextTokens(other: Array<Token>) {
    let i = 0
    while (i < this.state.length && this.state[i] === other[i]) i++
    return { firstDifferentIndex: i }
  }
  adaptStateToTokens(wanted: Array<Token>) {
    this.state = this.state.slice(0, this.compareContextTokens(wanted).firstDifferentIndex)
    return Promise.resolve()
  }
  evaluateWithoutGeneratingNewTokens(more: Array<Token>) {
    this.state.push(...more)
    this.evaluated += more.length
    return Promise.resolve()
  }
  async *evaluate(more: Array<Token>): AsyncGenerator<Token, void, undefined> {
    let next = more
    for (;;) {
      this.state.push(...next)
      const token = this.#script.codePointAt(this.state.length - this.#prompt) ?? END
      yield token
      next = [token]
    }
  }
}

const prompt = "<prompt>"
const tool = (name: string, max = 20) => ({ name, parameters: { type: "object", properties: { path: { type: "string", maxLength: max } }, required: ["path"] } })
const plan = (over: Partial<Plan>): Plan => ({
  tokens: tokens(prompt + (over.prefix ?? "")), start: "text", prefix: "", dialect: NATIVE, grammar: null, form: null, parallel: true, stop: [], thinking: false,
  max_tokens: 2000, sampling: samplingOf({}, null), ...over,
})
const grammar = callGrammar([tool("Read"), tool("Write")], "arguments", false)
const call = (name: string, path: string) => `${CALL_PREFIX} "${name}", "arguments": {"path": "${path}"}}`

const play = async (script: string, over: Partial<Plan>, signal = new AbortController().signal) => {
  const deltas: Array<Delta> = []
  const sequence = new ScriptedSequence(prompt.length, script)
  const grammarState = () => Promise.resolve({ clone: () => ({}) as never })
  const answer = await new Generation({ model, marks: new Map(), grammarState }, plan(over), sequence, signal, (delta) => deltas.push(delta)).run()
  const text = deltas.map((delta) => (delta.kind === "text" ? delta.text : "")).join("")
  return { answer, deltas, text, sequence }
}

describe("an answer", () => {
  it("is text when no tool may be called", async () => {
    const { answer, text } = await play("Hello <tool_call>", {})
    expect([answer.text, text, answer.finish_reason, answer.calls]).toEqual(["Hello <tool_call>", "Hello <tool_call>", "stop", []])
  })

  it("may be text and then several calls, of which no part shows as text", async () => {
    const script = `I look.\n<tool_call>\n${call("Read", "a")}\n</tool_call>\n<tool_call>\n${call("Write", "b")}\n</tool_call>`
    const { answer, text, deltas } = await play(script, { grammar })
    expect(text).toBe("I look.\n")
    expect(answer.calls.map((one) => [one.name, one.arguments])).toEqual([["Read", "{\"path\": \"a\"}"], ["Write", "{\"path\": \"b\"}"]])
    expect(answer.finish_reason).toBe("tool_calls")
    expect(new Set(deltas.flatMap((delta) => (delta.kind === "call" ? [delta.call.index] : [])))).toEqual(new Set([0, 1]))
    expect(new Set(answer.calls.map((one) => one.id)).size).toBe(2)
  })

  it("is one call where several are not wanted, and what follows the last one is dropped", async () => {
    const script = `<tool_call>\n${call("Read", "a")}\n</tool_call>\n<tool_call>\n${call("Read", "b")}\n</tool_call>`
    expect((await play(script, { grammar, parallel: false })).answer.calls).toHaveLength(1)
    const { answer } = await play(`<tool_call>\n${call("Read", "a")}\n</tool_call>\nDone!`, { grammar })
    expect([answer.calls.length, answer.text, answer.finish_reason]).toEqual([1, "", "tool_calls"])
  })

  it("may be a call without marks, as models write it that know none", async () => {
    const { answer, text } = await play(call("Write", "x"), { grammar, dialect: PLAIN })
    expect([answer.calls[0]?.name, text]).toEqual(["Write", ""])
  })

  it("begins with the forced beginning of a call", async () => {
    const prefix = `${NATIVE.open}${CALL_PREFIX} "Read", "arguments":`
    const { answer } = await play(`${prefix} {"path": "a.txt"}}`, { start: "call", prefix, grammar: callGrammar([tool("Read")], "arguments", true), parallel: false })
    expect(answer.calls).toMatchObject([{ name: "Read", arguments: "{\"path\": \"a.txt\"}" }])
    expect(answer.prompt_tokens).toBe(prompt.length + prefix.length)
  })

  it("that hits its bound in a call is closed as valid JSON and says so", async () => {
    for (let max_tokens = 1; max_tokens < 40; max_tokens += 3) {
      const prefix = NATIVE.open + CALL_PREFIX
      const { answer } = await play(`${NATIVE.open}${call("Write", "very long path")}`, { start: "call", prefix, grammar, parallel: false, max_tokens })
      expect(answer.finish_reason).toBe("length")
      expect(JSON.parse(answer.calls[0]?.arguments ?? "")).toHaveProperty("path")
    }
  })

  it("is held to lengths that the sampler's grammar leaves open", async () => {
    const prefix = `${NATIVE.open}${CALL_PREFIX} "Write", "arguments":`
    const long = callGrammar([tool("Write", 9000)], "arguments", true)
    let seed = 7
    const letters = Array.from({ length: 9500 }, () => String.fromCodePoint(97 + ((seed = (seed * 48_271) % 2_147_483_647) >> 8) % 26)).join("")
    const { answer } = await play(`${prefix} {"path": "${letters}"}}`, { start: "call", prefix, grammar: long, parallel: false, max_tokens: 20_000 })
    const { path } = JSON.parse(answer.calls[0]?.arguments ?? "") as { path: string }
    expect([path.length, answer.finish_reason]).toEqual([9000, "length"])
  }, 60_000)

  it("ends when the model repeats itself without end", async () => {
    const { answer } = await play("again ".repeat(500), {})
    expect(answer.finish_reason).toBe("length")
    expect(answer.completion_tokens).toBeLessThan(CYCLE_TOKENS + 10)
  })

  it("keeps thinking apart", async () => {
    const { answer } = await play("<think>\nhm\n</think>\n\nYes.", {})
    expect([answer.reasoning.trim(), answer.text]).toEqual(["hm", "Yes."])
  })

  it("is JSON of the schema when that is asked for", async () => {
    const { answer, text } = await play("{\"a\": 12}", { start: "json", grammar: schemaGrammar({ type: "object", properties: { a: { type: "integer" } }, required: ["a"] }) })
    expect([answer.text, text, answer.finish_reason]).toEqual(["{\"a\": 12}", "{\"a\": 12}", "stop"])
  })

  it("tells its progress through the prompt, and stops between chunks when it is given up", async () => {
    const stop = new AbortController()
    const long = tokens("x".repeat(3000))
    const sequence = new ScriptedSequence(3000, "never")
    const deltas: Array<Delta> = []
    const run = new Generation({ model, marks: new Map(), grammarState: () => Promise.reject(new Error("none")) }, plan({ tokens: long }), sequence, stop.signal, (delta) => {
      deltas.push(delta)
      if (delta.kind === "progress" && delta.processed > 0) stop.abort(new Error("gone"))
    }).run()
    await expect(run).rejects.toThrow("gone")
    expect(deltas.at(-1)).toMatchObject({ kind: "progress", total: 3000, cache: 0 })
    expect(sequence.evaluated).toBeLessThan(3000)
  })
})
