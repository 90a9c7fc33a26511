// Whole-process benches of jobs: start to ready, submit to LLM request, a 20-turn job, 2,000 jobs at once. Each runs against
// the scripted model in a process of its own; bare loops against the same model are the limit that they stand beside.
import { atMost, type BenchRow, figure, median, percentile } from "./report.ts"
import { type Product, startProduct } from "./product.ts"

const runId = () => `r${Math.random().toString(36).slice(2, 10)}`
interface Stats { readonly runs: Record<string, { readonly n: number; readonly first: number; readonly last: number }> }
const stats = async (product: Product): Promise<Stats["runs"]> => ((await (await fetch(product.llm.replace(/\/v1$/, "/stats"))).json()) as Stats).runs
const wallClock = () => performance.timeOrigin + performance.now()

const READY_RUNS = 5
const LATENCY_SAMPLES = 300
const TURN_RUNS = 12
/** The rivals' figures were taken after thousands of jobs in the same process. */
const WARM_JOBS = 1_000
const WARM_TURN_JOBS = 30
const MANY = 2_000
const MANY_DEADLINE_MS = 60_000
const WARM_UP = 50

export const ready = async (): Promise<ReadonlyArray<BenchRow>> => {
  const times: Array<number> = []
  const memory: Array<number> = []
  for (let i = 0; i < READY_RUNS; i++) {
    const product = await startProduct({ max_concurrency: 4 })
    times.push(product.ready_ms)
    memory.push(product.rss_kb() / 1024)
    await product.close()
  }
  return [
    atMost("start to ready, p50 of 5", median(times), "ms", 300, "at most"),
    atMost("memory when ready, p50 of 5", median(memory), "MB", 120, "at most"),
  ]
}

export const latency = async (): Promise<ReadonlyArray<BenchRow>> => {
  const product = await startProduct({ max_concurrency: 4 })
  try {
    for (let i = 0; i < WARM_JOBS; i++) await product.finished(await product.submit(`SCENARIO:complete RUN:${runId()}`))
    const sent: Array<readonly [string, number]> = []
    for (let i = 0; i < LATENCY_SAMPLES; i++) {
      const id = runId()
      sent.push([id, wallClock()])
      await product.finished(await product.submit(`SCENARIO:complete RUN:${id}`))
      await Bun.sleep(15 + Math.random() * 20)
    }
    const runs = await stats(product)
    const waits = sent.map(([id, at]) => (runs[id]?.first ?? Number.NaN) - at).filter(Number.isFinite)
    return [
      atMost(`submit over HTTP → LLM request, idle, p50 of ${waits.length}`, percentile(waits, 0.5), "ms", 2, "at most", "BullMQ with fsync 2.9, DBOS 2.9"),
      atMost("submit over HTTP → LLM request, idle, p99", percentile(waits, 0.99), "ms", 5, "at most", "BullMQ with fsync 6.9, DBOS 9.6"),
    ]
  } finally {
    await product.close()
  }
}

/** The floor: a loop with nothing but fetch against the same model. */
const bareLoop = async (product: Product, turns: number): Promise<number> => {
  const tools = [{ type: "function", function: { name: "Read", description: "Read a file", parameters: { type: "object", properties: { path: { type: "string" } }, required: ["path"] } } }]
  const messages: Array<unknown> = [{ role: "user", content: `SCENARIO:turns20 RUN:${runId()}` }]
  const start = performance.now()
  for (let turn = 0; turn <= turns; turn++) {
    const response = await fetch(`${product.llm}/chat/completions`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ model: "fake-1", stream: true, messages, tools }) })
    let call: { id: string; name: string; arguments: string } | undefined
    for (const line of (await response.text()).split("\n")) {
      if (!line.startsWith("data: {")) continue
      const delta = (JSON.parse(line.slice(6)) as { choices: Array<{ delta: { tool_calls?: Array<{ id?: string; function: { name?: string; arguments?: string } }> } }> }).choices[0]?.delta
      for (const part of delta?.tool_calls ?? []) {
        call ??= { id: part.id ?? "", name: part.function.name ?? "", arguments: "" }
        call.arguments += part.function.arguments ?? ""
      }
    }
    messages.push({ role: "assistant", content: null, tool_calls: [{ id: call?.id, type: "function", function: { name: call?.name, arguments: call?.arguments } }] }, { role: "tool", tool_call_id: call?.id, content: "notes" })
  }
  return (performance.now() - start) / (turns + 1)
}

/** Milliseconds from the first LLM request of a 20-turn job to its last, a turn, by the model's own clock. */
const turnTime = async (product: Product, notes: string): Promise<number> => {
  const id = runId()
  const task = await product.submit(`SCENARIO:turns20 RUN:${id}`, notes)
  let status = ""
  while (status !== "succeeded" && status !== "failed") {
    await Bun.sleep(25)
    status = ((await (await fetch(`${product.base}/api/tasks/${task}`)).json()) as { status: string }).status
  }
  const run = (await stats(product))[id]
  if (status !== "succeeded" || run?.n !== 21) throw new Error(`a 20-turn job ended ${status} after ${run?.n} requests`)
  return (run.last - run.first) / 20
}

export const turns = async (): Promise<ReadonlyArray<BenchRow>> => {
  const product = await startProduct({ max_concurrency: 4 })
  try {
    const notes = "notes ".repeat(50)
    const floor: Array<number> = []
    const ours: Array<number> = []
    for (let i = 0; i < WARM_TURN_JOBS; i++) await turnTime(product, notes)
    for (let i = 0; i < TURN_RUNS; i++) {
      floor.push(await bareLoop(product, 20))
      ours.push(await turnTime(product, notes))
    }
    return [
      figure("bare fetch loop on Bun, a turn", median(floor), "ms", "the model's own time and the socket"),
      atMost(`20-turn job, durable, a turn, p50 of ${TURN_RUNS}`, median(ours), "ms", 2, "at most", "Restate 4.9, DBOS 6.6, LangGraph.js 8.8, Mastra durable 27, opencode 58"),
    ]
  } finally {
    await product.close()
  }
}

/** Jobs that reached a status, from the node's own metrics: watching 2,000 streams would cost what is to be measured. */
const ended = async (product: Product): Promise<{ readonly succeeded: number; readonly all: number; readonly lag_ms: number }> => {
  const text = await (await fetch(`${product.base}/metrics`)).text()
  const counts = [...text.matchAll(/^jobs_total\{[^}]*status="(\w+)"[^}]*\} (\d+)/gm)].map(([, status, count]) => [status, Number(count)] as const)
  return {
    succeeded: counts.filter(([status]) => status === "succeeded").reduce((sum, [, n]) => sum + n, 0), all: counts.reduce((sum, [, n]) => sum + n, 0),
    lag_ms: Number(/^event_loop_lag_seconds\{quantile="0.99"\} (\S+)/m.exec(text)?.[1]) * 1000,
  }
}

export const many = async (): Promise<ReadonlyArray<BenchRow>> => {
  const product = await startProduct({ max_concurrency: MANY + 8 })
  try {
    for (let i = 0; i < WARM_UP; i++) await product.finished(await product.submit(`SCENARIO:complete RUN:${runId()}`))
    const before = product.rss_kb()
    const start = performance.now()
    let peak = before
    const watch = setInterval(() => { peak = Math.max(peak, product.rss_kb()) }, 50)
    for (let i = 0; i < MANY; i += 50) await Promise.all(Array.from({ length: 50 }, () => product.submit(`SCENARIO:stream10s RUN:${runId()}`)))
    const submitted = performance.now()
    let figures = await ended(product)
    while (figures.all < MANY + WARM_UP && performance.now() - submitted < MANY_DEADLINE_MS) {
      await Bun.sleep(250)
      figures = await ended(product)
    }
    clearInterval(watch)
    const wall = (performance.now() - submitted) / 1000
    return [
      figure(`${MANY} submits over HTTP, 50 at once`, (submitted - start) / 1000, "s"),
      atMost(`${MANY} jobs at once, memory each`, (peak - before) / MANY, "KB", 150, "at most", "bare loops with the SDK: 61"),
      atMost("event-loop lag p99", figures.lag_ms, "ms", 50, "at most"),
      atMost("all done after the last submit", wall, "s", 15, "10 s of streaming and little more:", "none starved"),
      atMost("jobs that did not succeed", MANY + WARM_UP - figures.succeeded, "", 0, "at most"),
    ]
  } finally {
    await product.close()
  }
}
