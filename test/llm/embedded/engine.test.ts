// The engine over its real weights: the toy model on one thread.
import { Ajv2020 } from "ajv/dist/2020.js"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { realModel } from "./cache.ts"
import { ask, health, post, serve, stream, type Served } from "./served.ts"

const { model: real, reason } = await realModel()
const tool = (name: string, properties: Record<string, unknown>, required = Object.keys(properties)) =>
  ({ type: "function", function: { name, description: `${name} of the workspace`, parameters: { type: "object", properties, required, additionalProperties: false } } })
const user = (content: string) => [{ role: "user", content }]
const note = "The garden club meets on Tuesdays. Anna brings the seeds. In June it sells tomatoes at the market to pay for a shed."
const long = (words: number) => Array.from({ length: words }, (_, i) => `word${i}`).join(" ")

/** What a person is promised of a cancel (Q13); the work that is left behind would take several times as long. */
const CANCEL_MS = 1_000

describe("the embedded engine", () => {
  beforeEach((ctx) => {
    if (real === null) ctx.skip(reason)
  })
  let served: Served
  beforeAll(async () => {
    if (real !== null) served = await serve(real)
  }, 60_000)
  afterAll(() => (real === null ? undefined : served.process.end()))

  it("streams text in pieces that add up, with progress before and usage at the end", async () => {
    let [text, finish] = ["", ""]
    const progress: Array<number> = []
    let usage = { prompt_tokens: 0, completion_tokens: 0 }
    for await (const chunk of stream(served, { messages: user("Say hello to Anna in one short sentence."), max_tokens: 20 })) {
      if (chunk.prompt_progress !== undefined) progress.push(chunk.prompt_progress.processed)
      text += chunk.choices[0]?.delta.content ?? ""
      finish = chunk.choices[0]?.finish_reason ?? finish
      usage = chunk.usage ?? usage
    }
    expect(text.trim()).not.toBe("")
    expect(["stop", "length"]).toContain(finish)
    expect(progress.at(-1)).toBe(usage.prompt_tokens - 1)
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    expect(usage.completion_tokens).toBeGreaterThan(1)
    const same = await ask(served, { messages: user("Say hello to Anna in one short sentence."), max_tokens: 20 })
    expect(same.choices[0]?.message.content).toBe(text)
  }, 60_000)

  it("emits only calls that satisfy the schema: 50 of 50, also when they are cut", async () => {
    const ajv = new Ajv2020({ strict: false })
    const tools = [
      tool("Read", { path: { enum: ["input/notes.txt", "input/todo.txt"] } }),
      tool("Write", { path: { type: "string", maxLength: 20 }, content: { type: "string", maxLength: 60 } }),
      tool("Lines", { content: { type: "array", items: { type: "string", minLength: 3, maxLength: 30 }, minItems: 3, maxItems: 3 } }),
      tool("Check", { item: { type: "integer", minimum: 1, maximum: 12 }, done: { type: "boolean" }, note: { type: ["string", "null"], maxLength: 20 } }, ["item", "done"]),
      tool("Tree", { root: { type: "object", properties: { name: { type: "string", pattern: "^[a-z]{2,8}$" }, size: { type: "number", minimum: 0, maximum: 9 } }, required: ["name", "size"] } }),
    ]
    const failures: Array<string> = []
    for (let i = 0; i < 50; i++) {
      const one = tools[i % tools.length]
      const forced = i % 2 === 0 && one !== undefined
      const answer = await ask(served, {
        messages: user(`${note}\nUse a tool for number ${i}.`), tools, tool_choice: forced ? { type: "function", function: { name: one.function.name } } : "required",
        temperature: 0.9, seed: i, max_tokens: i % 5 === 4 ? 6 : 90,
      })
      const call = answer.choices[0]?.message.tool_calls?.[0]
      const schema = tools.find((candidate) => candidate.function.name === call?.function.name)?.function.parameters
      if (call === undefined || schema === undefined || (forced && call.function.name !== one.function.name)) failures.push(`${i}: no call: ${JSON.stringify(answer)}`)
      else if (!ajv.compile(schema)(JSON.parse(call.function.arguments))) failures.push(`${i}: ${call.function.arguments}`)
    }
    expect(failures).toEqual([])
  }, 240_000)

  it("streams a call's arguments as they are written, and no text beside it", async () => {
    let [name, args, text, pieces, finish] = ["", "", "", 0, ""]
    for await (const chunk of stream(served, { messages: user(note), tools: [tool("Write", { path: { const: "a.md" }, content: { type: "string", maxLength: 50 } })], tool_choice: "required" })) {
      const [delta] = chunk.choices[0]?.delta.tool_calls ?? []
      if (delta?.function.name !== undefined) name += delta.function.name
      if (delta !== undefined) pieces++
      args += delta?.function.arguments ?? ""
      text += chunk.choices[0]?.delta.content ?? ""
      finish = chunk.choices[0]?.finish_reason ?? finish
    }
    expect([name, text, finish]).toEqual(["Write", "", "tool_calls"])
    expect(pieces).toBeGreaterThan(5)
    expect(JSON.parse(args)).toMatchObject({ path: "a.md" })
  }, 60_000)

  it("answers with text when it may call but need not, and never calls when it must not", async () => {
    const tools = [tool("Read", { path: { enum: ["a.txt"] } })]
    const free = await ask(served, { messages: user("What is the capital of France?"), tools, tool_choice: "none", max_tokens: 12 })
    expect(free.choices[0]?.message.tool_calls).toBeUndefined()
    expect(free.choices[0]?.message.content).toMatch(/\w/)
  }, 60_000)

  it("holds text to a JSON Schema when the request asks for it", async () => {
    const schema = { type: "object", properties: { city: { type: "string", maxLength: 20 }, size: { enum: ["small", "big"] } }, required: ["city", "size"], additionalProperties: false }
    const answer = await ask(served, { messages: user("Name a city."), response_format: { type: "json_schema", json_schema: { name: "x", schema } }, max_tokens: 60 })
    expect(new Ajv2020().compile(schema)(JSON.parse(answer.choices[0]?.message.content ?? ""))).toBe(true)
  }, 60_000)

  it("keeps what two turns of a conversation share", async () => {
    const first = [{ role: "system", content: long(80) }, { role: "user", content: "Say yes." }]
    const one = await ask(served, { messages: first, max_tokens: 4 })
    const two = await ask(served, { messages: [...first, { role: "assistant", content: one.choices[0]?.message.content ?? "" }, { role: "user", content: "Say no." }], max_tokens: 4 })
    expect(two.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(one.usage.prompt_tokens * 0.9)
  }, 60_000)

  it("gives the same answer from a kept beginning as from none", async () => {
    const body = { messages: [{ role: "system", content: "You list facts." }, { role: "user", content: note }], max_tokens: 16 }
    const cold = await ask(served, { ...body, messages: user(`${long(60)} ${Math.random()}`), max_tokens: 1 }).then(() => ask(served, body))
    const warm = await ask(served, body)
    expect(warm.usage.prompt_tokens_details.cached_tokens).toBe(warm.usage.prompt_tokens - 1)
    expect(warm.choices[0]?.message.content).toBe(cold.choices[0]?.message.content)
  }, 60_000)

  it("stops at a stop text and at the bound", async () => {
    const body = { messages: user("Count from one to ten in words, separated by commas."), max_tokens: 30 }
    const whole = await ask(served, body)
    const words = (whole.choices[0]?.message.content ?? "").split(" ")
    const mark = words.find((word, i) => i > 1 && word.length > 2) ?? ","
    const cut = await ask(served, { ...body, stop: [mark] })
    expect(cut.choices[0]).toMatchObject({ finish_reason: "stop" })
    expect(cut.choices[0]?.message.content).not.toContain(mark)
    const bounded = await ask(served, { ...body, max_tokens: 3 })
    expect([bounded.choices[0]?.finish_reason, bounded.usage.completion_tokens]).toEqual(["length", 3])
  }, 60_000)

  const idle = () => vi.waitFor(async () => expect((await health(served)).busy).toBe(false), { timeout: 5000, interval: 5 })

  it("leaves a prompt soon after its client has left", async () => {
    const stop = new AbortController()
    let left = 0
    const going = (async () => {
      for await (const chunk of stream(served, { messages: user(`${Math.random()} ${long(350)}`), max_tokens: 5 }, stop.signal)) {
        if (left === 0 && chunk.prompt_progress !== undefined && chunk.prompt_progress.processed > 0) {
          left = performance.now()
          stop.abort(new Error("gone"))
        }
      }
    })()
    await expect(going).rejects.toThrow()
    await idle()
    expect(performance.now() - left).toBeLessThan(CANCEL_MS)
  }, 60_000)

  it("leaves an answer soon after its client has left", async () => {
    const stop = new AbortController()
    let left = 0
    const going = (async () => {
      for await (const chunk of stream(served, { messages: user("Write a very long story about the sea."), max_tokens: 1500 }, stop.signal)) {
        if (left === 0 && (chunk.choices[0]?.delta.content ?? "") !== "") {
          left = performance.now()
          stop.abort(new Error("gone"))
        }
      }
    })()
    await expect(going).rejects.toThrow()
    await idle()
    expect(performance.now() - left).toBeLessThan(CANCEL_MS)
  }, 60_000)

  it("answers waiting requests in their order and forgets one that was given up", async () => {
    const order: Array<string> = []
    const one = (name: string, max_tokens: number, signal?: AbortSignal) =>
      post(served, { messages: user(`${name} ${note}`), max_tokens }, signal).then((response) => response.text()).then(() => order.push(name))
    const waiting = (n: number) => vi.waitFor(async () => expect((await health(served)).waiting).toBe(n), { timeout: 10_000, interval: 5 })
    const first = one("first", 400)
    await vi.waitFor(async () => expect((await health(served)).busy).toBe(true), { timeout: 10_000, interval: 5 })
    const second = one("second", 2)
    await waiting(1)
    const stop = new AbortController()
    const third = one("third", 2, stop.signal)
    await waiting(2)
    const fourth = one("fourth", 2)
    await waiting(3)
    stop.abort(new Error("gone"))
    await expect(third).rejects.toThrow()
    await waiting(2)
    await Promise.all([first, second, fourth])
    expect(order).toEqual(["first", "second", "fourth"])
  }, 120_000)
})
