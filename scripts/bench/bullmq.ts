// The rival of the lifecycle bench: BullMQ on Redis with an fsync for each write, measured in a Node process of its own as
// its users run it: callers who each add a job and wait until the worker runs it. Redis comes by apt-get and BullMQ by
// npm into `.bench/` on first use; a machine that has neither gets the reason instead of figures.
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"

export interface RivalOptions {
  readonly at_once: number
  readonly warm_up_ms: number
  readonly measure_ms: number
  readonly payload: string
  /** On the same disk as the store that it is compared with. */
  readonly directory: string
}

export interface RivalFigures {
  readonly per_second: number
}

const HOME = join(process.cwd(), ".bench", "bullmq")
const VERSIONS = ["bullmq@6.7.0", "ioredis@6.0.0"]

const SCRIPT = `
import { Queue, Worker } from "bullmq"
const { at_once, warm_up_ms, measure_ms, payload, port } = JSON.parse(process.argv[2])
const connection = { host: "127.0.0.1", port }
const queue = new Queue("lifecycle", { connection, defaultJobOptions: { removeOnComplete: { count: 1000 } } })
const waiting = new Map()
const worker = new Worker("lifecycle", async (job) => { waiting.get(job.data.id)?.(); waiting.delete(job.data.id); return 1 }, { connection, concurrency: at_once })
let finished = 0
worker.on("completed", () => { finished++ })
await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
let next = 0
const run = async (for_ms) => {
  const start = performance.now()
  finished = 0
  await Promise.all(Array.from({ length: at_once }, async () => {
    while (performance.now() < start + for_ms) {
      const id = next++
      const done = new Promise((resolve) => waiting.set(id, resolve))
      await queue.add("job", { id, payload })
      await done
    }
  }))
  return finished * 1000 / (performance.now() - start)
}
await run(warm_up_ms)
console.log(JSON.stringify({ per_second: await run(measure_ms) }))
process.exit(0)
`

/** Figures, or the reason why there are none. */
export const bullmq = async (options: RivalOptions): Promise<RivalFigures | string> => {
  const missing = await install()
  if (missing !== null) return missing
  const port = await freePort()
  const home = join(options.directory, "redis")
  mkdirSync(home, { recursive: true })
  const redis = Bun.spawn(
    ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", home],
    { stdout: "pipe", stderr: "ignore", stdin: "ignore" },
  )
  try {
    if (!(await says(redis.stdout, "Ready to accept connections"))) return "redis-server did not start"
    const { directory: _directory, ...rest } = options
    const { code, output } = await call(["node", "measure.mjs", JSON.stringify({ ...rest, port })], HOME)
    return code === 0 ? JSON.parse(output) as RivalFigures : `BullMQ failed: ${output.slice(-300)}`
  } finally {
    redis.kill("SIGKILL")
    await redis.exited
  }
}

const install = async (): Promise<string | null> => {
  if (Bun.which("node") === null || Bun.which("npm") === null) return "node and npm are needed for BullMQ"
  if (Bun.which("redis-server") === null) {
    if (Bun.which("apt-get") === null) return "redis-server is not installed and there is no apt-get"
    const { code, output } = await call(["sh", "-c", "apt-get update && apt-get install -y --no-install-recommends redis-server"], process.cwd())
    if (code !== 0) return `apt-get install redis-server failed: ${output.slice(-300)}`
  }
  mkdirSync(HOME, { recursive: true })
  writeFileSync(join(HOME, "measure.mjs"), SCRIPT)
  if (existsSync(join(HOME, "node_modules", "bullmq"))) return null
  writeFileSync(join(HOME, "package.json"), `{ "private": true, "type": "module" }\n`)
  const { code, output } = await call(["npm", "install", "--no-audit", "--no-fund", ...VERSIONS], HOME)
  return code === 0 ? null : `npm install bullmq failed: ${output.slice(-300)}`
}

const call = async (command: ReadonlyArray<string>, cwd: string): Promise<{ readonly code: number; readonly output: string }> => {
  const child = Bun.spawn([...command], { cwd, stdout: "pipe", stderr: "pipe", stdin: "ignore" })
  const [output, errors, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { code, output: code === 0 ? output : output + errors }
}

const says = async (stream: ReadableStream<Uint8Array>, words: string): Promise<boolean> => {
  let heard = ""
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return false
    heard += decoder.decode(value, { stream: true })
    if (heard.includes(words)) return true
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject).listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port")))
    })
  })
