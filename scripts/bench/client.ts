// What one LLM call costs above the bare socket: loops of 20 turns and 2,000 slow streams with bare fetch, with the `openai`
// SDK's own stream and with our client, against the scripted model in a process of its own. `streams` re-runs itself as a
// child for each contestant, because memory must start fresh and the runtime reads its connection limit at its start.
import { Effect } from "effect"
import OpenAI from "openai"
import type { ChatCompletionMessageParam, ChatCompletionTool } from "openai/resources/chat/completions"
import { type ChatMessage, LlmClient, type LlmClientShape, type ToolSpec } from "../../src/llm/LlmClient.ts"
import { startModel } from "./product.ts"
import { atMost, type BenchRow, figure, median } from "./report.ts"

const RUNS = 15
const STREAMS = 2_000
const STREAM_WARM_MS = 6_000
const LIMIT_KB = 60
const LAG_LIMIT_MS = 50
const MODEL = "scripted-1"

interface CallParts {
  readonly text: string
  readonly calls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
}
type Ask = (messages: ReadonlyArray<ChatMessage>, signal?: AbortSignal) => Promise<CallParts>
type Contestant = "bare fetch" | "openai SDK" | "our client"

const tools: ReadonlyArray<ToolSpec> = [{ type: "function", function: { name: "Read", description: "Read a file", parameters: { type: "object", properties: { path: { type: "string" } }, required: ["path"] } } }]
const bodyOf = (messages: ReadonlyArray<ChatMessage>) => ({
  model: MODEL, messages: messages as Array<ChatCompletionMessageParam>, tools: tools as unknown as Array<ChatCompletionTool>, stream: true as const, stream_options: { include_usage: true },
})

/** The least that a stream's deltas must be folded into. */
const fold = () => {
  let text = ""
  const calls: Array<{ id: string; name: string; arguments: string }> = []
  return {
    push: (chunk: { choices: Array<{ delta?: { content?: string | null; tool_calls?: Array<{ index: number; id?: string; function?: { name?: string; arguments?: string } }> } }> }): void => {
      const delta = chunk.choices[0]?.delta
      text += delta?.content ?? ""
      for (const part of delta?.tool_calls ?? []) {
        const call = (calls[part.index] ??= { id: part.id ?? "", name: part.function?.name ?? "", arguments: "" })
        call.arguments += part.function?.arguments ?? ""
      }
    },
    parts: (): CallParts => ({ text, calls }),
  }
}

const bareFetch = (url: string): Ask => async (messages, signal) => {
  const response = await fetch(`${url}/chat/completions`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(bodyOf(messages)), ...(signal ? { signal } : {}) })
  const answer = fold()
  const decoder = new TextDecoder()
  let rest = ""
  for await (const bytes of response.body!) {
    rest += decoder.decode(bytes, { stream: true })
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      if (rest.startsWith("data: {")) answer.push(JSON.parse(rest.slice(6, end)) as Parameters<typeof answer.push>[0])
      rest = rest.slice(end + 1)
    }
  }
  return answer.parts()
}

const withSdk = (url: string): Ask => {
  const client = new OpenAI({ apiKey: "none", baseURL: url, organization: null, project: null, maxRetries: 0 })
  return async (messages, signal) => {
    const answer = fold()
    for await (const chunk of await client.chat.completions.create(bodyOf(messages), signal ? { signal } : {})) answer.push(chunk as Parameters<typeof answer.push>[0])
    return answer.parts()
  }
}

const withOurs = (url: string, client: LlmClientShape): Ask => async (messages, signal) => {
  const answer = await Effect.runPromise(client.chat({
    endpoint: { worker_id: "bench", url, api_key: null, model: MODEL }, messages, tools, tool_choice: "auto", max_tokens: null, timeout_ms: 600_000, idle_timeout_ms: 120_000,
  }, () => {}), signal ? { signal } : {})
  return { text: answer.text, calls: answer.calls.map((call) => ({ id: call.call_id, name: call.name, arguments: call.arguments })) }
}

const contestants = (url: string, client: LlmClientShape): Readonly<Record<Contestant, Ask>> => ({ "bare fetch": bareFetch(url), "openai SDK": withSdk(url), "our client": withOurs(url, client) })
const withClient = <A>(use: (client: LlmClientShape) => Promise<A>): Promise<A> =>
  Effect.runPromise(LlmClient.use((client) => Effect.promise(() => use(client))).pipe(Effect.provide(LlmClient.layer())))

/** Milliseconds a turn of one 20-turn loop. */
const loop = async (ask: Ask): Promise<number> => {
  const messages: Array<ChatMessage> = [{ role: "system", content: "You are an agent." }, { role: "user", content: "SCENARIO:turns20" }]
  const start = performance.now()
  for (let turn = 1; ; turn++) {
    const { text, calls } = await ask(messages)
    if (calls[0] === undefined || calls[0].name === "transition") return (performance.now() - start) / turn
    messages.push({ role: "assistant", content: text || null, tool_calls: calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } })) })
    for (const call of calls) messages.push({ role: "tool", tool_call_id: call.id, content: "notes" })
  }
}

/** A call's cost in a loop: the contestants take turns, so that a busy moment hits all of them. */
export const calls = async (): Promise<ReadonlyArray<BenchRow>> => {
  const model = await startModel()
  try {
    return await withClient(async (client) => {
      const asks = Object.entries(contestants(model.url, client))
      const times: Record<string, Array<number>> = {}
      for (const [, ask] of asks) for (let i = 0; i < 5; i++) await loop(ask)
      for (let i = 0; i < RUNS; i++) for (const [name, ask] of asks) (times[name] ??= []).push(await loop(ask))
      return asks.map(([name]) => figure(`20-turn loop without a store, ${name}, a turn`, median(times[name] ?? []), "ms"))
    })
  } finally {
    model.child.kill()
  }
}

interface StreamFigures {
  readonly kb_each: number
  readonly lag_p99_ms: number
}

/** 2,000 streams of ten seconds at once: memory for each and how late timers are. */
export const streams = async (): Promise<ReadonlyArray<BenchRow>> => {
  const rows: Array<BenchRow> = []
  for (const name of ["bare fetch", "openai SDK", "our client"] as const) {
    const model = await startModel()
    try {
      const child = Bun.spawn([process.execPath, import.meta.path, model.url, name], { stdout: "pipe", stderr: "inherit", env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" } })
      const figures = JSON.parse(await new Response(child.stdout).text()) as StreamFigures
      const ours = name === "our client"
      rows.push(ours ? atMost(`${STREAMS} streams at once, ${name}, memory each`, figures.kb_each, "KB", LIMIT_KB, "at most") : figure(`${STREAMS} streams at once, ${name}, memory each`, figures.kb_each, "KB"))
      rows.push(ours ? atMost(`${STREAMS} streams at once, ${name}, loop lag p99`, figures.lag_p99_ms, "ms", LAG_LIMIT_MS, "at most") : figure(`${STREAMS} streams at once, ${name}, loop lag p99`, figures.lag_p99_ms, "ms"))
    } finally {
      model.child.kill()
    }
  }
  return rows
}

const LAG_SAMPLE_MS = 10

const measureStreams = (url: string, name: Contestant): Promise<StreamFigures> => withClient(async (client) => {
  const ask = contestants(url, client)[name]
  await ask([{ role: "user", content: "SCENARIO:complete" }])
  Bun.gc(true)
  const before = process.memoryUsage().rss
  const leave = new AbortController()
  const running = Array.from({ length: STREAMS }, () => ask([{ role: "user", content: "SCENARIO:stream10s" }], leave.signal).then(() => "ended", () => "left"))
  await Bun.sleep(STREAM_WARM_MS / 3)
  const lags: Array<number> = []
  let expected = performance.now() + LAG_SAMPLE_MS
  const sample = setInterval(() => {
    lags.push(performance.now() - expected)
    expected = performance.now() + LAG_SAMPLE_MS
  }, LAG_SAMPLE_MS)
  await Bun.sleep(STREAM_WARM_MS)
  clearInterval(sample)
  Bun.gc(true)
  const kb_each = (process.memoryUsage().rss - before) / 1024 / STREAMS
  leave.abort()
  await Promise.all(running)
  lags.sort((a, b) => a - b)
  return { kb_each, lag_p99_ms: Math.max(0, lags[Math.floor(lags.length * 0.99)] ?? Number.NaN) }
})

if (import.meta.main) {
  const [url, name] = process.argv.slice(2)
  console.log(JSON.stringify(await measureStreams(url as string, name as Contestant)))
  process.exit(0)
}
