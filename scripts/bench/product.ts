// Starts the whole product as a process of its own, with the scripted model as another, for the benches that measure what a
// user gets. Temporary data folder, free ports; everything is ended by `close`.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const ROOT = join(import.meta.dir, "../..")
const READY_DEADLINE_MS = 20_000

export interface Product {
  readonly base: string
  readonly llm: string
  readonly pid: number
  /** From the spawn of the node to the first 200 of /readyz. */
  readonly ready_ms: number
  readonly rss_kb: () => number
  readonly submit: (instruction: string, file?: string) => Promise<number>
  /** Resolves at the task's `done` event. */
  readonly finished: (task: number) => Promise<string>
  readonly close: () => Promise<void>
}

const rssOf = async (pid: number): Promise<number> => {
  const status = await Bun.file(`/proc/${pid}/status`).text()
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0)
}

export const startModel = async () => {
  const child = Bun.spawn([process.execPath, join(ROOT, "test/support/scriptedLlm.ts")], { stdout: "pipe", stderr: "inherit" })
  for await (const chunk of child.stdout) return { child, url: (JSON.parse(new TextDecoder().decode(chunk).split("\n")[0]!) as { url: string }).url }
  throw new Error("the scripted model did not start")
}

const PIECE = `name: bench
description: one movement with the file tools
initial_movement: work
movements:
  - name: work
    instruction: Do the task.
    tools: [Read, Write, Ls]
    max_turns: 60
    rules:
      - if: it is done
        next: COMPLETE
      - if: it cannot be done
        next: ABORT
`

export const startProduct = async (options: { readonly max_concurrency: number }): Promise<Product> => {
  const model = await startModel()
  const dir = mkdtempSync(join(tmpdir(), "attacca-bench-"))
  const port = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() })
  const free = port.port
  await port.stop(true)
  writeFileSync(join(dir, "attacca.yaml"), JSON.stringify({
    data_dir: join(dir, "data"), http: { host: "127.0.0.1", port: free }, log: { level: "warn" },
    workers: [{ id: "w1", endpoint: model.url, model: "fake-1", max_concurrency: options.max_concurrency, context_limit_tokens: 128_000 }],
  }))
  const started = performance.now()
  const child = Bun.spawn(["sh", join(ROOT, "scripts/start.sh"), "--config", join(dir, "attacca.yaml")], {
    stdout: "ignore", stderr: "inherit",
  })
  const base = `http://127.0.0.1:${free}`
  while (!(await fetch(`${base}/readyz`).then((r) => r.ok, () => false))) {
    if (performance.now() - started > READY_DEADLINE_MS || child.exitCode !== null) throw new Error("the node did not become ready")
    await Bun.sleep(2)
  }
  const ready_ms = performance.now() - started
  const put = await fetch(`${base}/api/pieces/bench`, { method: "PUT", headers: { "content-type": "text/yaml" }, body: PIECE })
  if (!put.ok) throw new Error(`the bench's piece was refused: ${await put.text()}`)
  let rss = await rssOf(child.pid)
  const watch = setInterval(() => void rssOf(child.pid).then((now) => { rss = now }), 100)
  return {
    base, llm: model.url, pid: child.pid, ready_ms, rss_kb: () => rss,
    submit: async (instruction, file) => {
      const body = JSON.stringify({ instruction, piece: "bench" })
      const form = new FormData()
      form.set("task", body)
      if (file !== undefined) form.append("files", new Blob([file]), "notes.txt")
      const response = await fetch(`${base}/api/tasks`, file === undefined ? { method: "POST", body, headers: { "content-type": "application/json" } } : { method: "POST", body: form })
      if (response.status !== 201) throw new Error(`submit: ${response.status} ${await response.text()}`)
      return ((await response.json()) as { id: number }).id
    },
    finished: async (task) => {
      const response = await fetch(`${base}/api/tasks/${task}/events`)
      let text = ""
      const decoder = new TextDecoder()
      for await (const chunk of response.body!) {
        text += decoder.decode(chunk, { stream: true })
        const at = text.indexOf("event: done")
        const data = at < 0 ? -1 : text.indexOf("\n\n", at)
        if (data > 0) return (JSON.parse(/data: (.*)/.exec(text.slice(at, data))![1]!) as { status: string }).status
      }
      throw new Error(`the event stream of task ${task} ended without done`)
    },
    close: async () => {
      clearInterval(watch)
      child.kill("SIGTERM")
      await child.exited
      model.child.kill()
      await model.child.exited
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
