// The scripted model itself: what other suites rely on it for.
import { afterAll, expect, test } from "vitest"
import { type ScriptedStats, startScriptedLlm } from "./scriptedLlm.ts"

const llm = startScriptedLlm({ scenarios: { wrong_size: () => ({ content: "ünïcödé ".repeat(3), chunk_chars: 5 }) } })
afterAll(() => llm.close())

const ask = (scenario: string, extra: object = {}, signal?: AbortSignal): Promise<Response> =>
  fetch(`${llm.url}/chat/completions`, {
    method: "POST", headers: { "content-type": "application/json" }, ...(signal ? { signal } : {}),
    body: JSON.stringify({ model: "scripted-1", stream: true, stream_options: { include_usage: true }, messages: [{ role: "user", content: `SCENARIO:${scenario} RUN:${scenario}-run` }], ...extra }),
  })
const events = (text: string): Array<Record<string, unknown>> =>
  text.split("\n\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>)

test("streams tool-call deltas, a finish reason, usage and [DONE]", async () => {
  const text = await (await ask("sum")).text()
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true)
  const all = events(text)
  expect(JSON.stringify(all)).toContain('"name":"Read"')
  expect(all.at(-1)?.["usage"]).toMatchObject({ prompt_tokens_details: { cached_tokens: 0 } })
})

test("text outside ASCII is framed by bytes", async () => {
  const said = events(await (await ask("wrong_size")).text()).flatMap((e) => (e["choices"] as Array<{ delta: { content?: string } }>).map((c) => c.delta.content ?? ""))
  expect(said.join("")).toBe("ünïcödé ".repeat(3))
})

test("a connection serves many requests, and runs are counted", async () => {
  for (let i = 0; i < 5; i++) await (await ask("complete")).text()
  const stats = (await (await fetch(`http://127.0.0.1:${llm.port}/stats`)).json()) as ScriptedStats
  const run = stats.runs["complete-run"]
  expect(run?.n).toBe(5)
  expect(run && run.first < run.last && Math.abs(Date.now() - run.last) < 5_000).toBe(true)
})

test("an HTTP failure carries its status and headers", async () => {
  const first = await ask("error429_once")
  expect([first.status, first.headers.get("retry-after")]).toEqual([429, "1"])
  expect((await ask("error429_once")).status).toBe(200)
})

test("a cut body fails in the reader and a reset fails in the request", async () => {
  await expect((await ask("cut_json")).text()).rejects.toThrow()
  await expect(ask("reset")).rejects.toThrow()
})

test("a client that leaves is seen at once", async () => {
  const leave = new AbortController()
  const before = llm.requests.length
  const pending = ask("hang", {}, leave.signal).catch(() => "left")
  const seen = await llm.request(before + 1)
  const at = performance.now()
  leave.abort()
  await llm.abort(seen)
  expect(await pending).toBe("left")
  expect((seen.aborted_at ?? Infinity) - at).toBeLessThan(200)
})

test("a held answer goes on when the test says so", async () => {
  let release = (): void => {}
  const hold = new Promise<void>((resolve) => { release = resolve })
  llm.define("held", () => ({ content: "hello", hold }))
  const body = (await ask("held")).text()
  await llm.until((all) => all.at(-1)?.chunks === 1)
  release()
  expect(await body).toContain("hello")
})
