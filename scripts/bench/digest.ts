// What the smallest model can do: the piece `digest` over the notes in test/notes, which were not used to tune anything,
// through a node's HTTP API with the embedded 135M model. Prints a table and every output as it is. `ATTACCA_URL` names a
// node that runs already (with whatever model it has); without it, one is started.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fetchToy, TOY } from "../../src/llm/embedded/toy.ts"
import { atLeast, type BenchRow, figure } from "./report.ts"

const ROOT = join(import.meta.dir, "../..")
const NOTES = join(ROOT, "test/notes")
const CACHE = process.env["ATTACCA_TEST_CACHE"] ?? join(ROOT, "node_modules/.cache/attacca")
const INSTRUCTION = "Read input/notes.txt and write a three-line summary to output/summary.md"
const OUTPUT = "output/summary.md"
const WANTED = 18
const READY_DEADLINE_MS = 30_000
const TASK_DEADLINE_MS = 15 * 60_000
const POLL_MS = 250

interface Node {
  readonly url: string
  readonly close: () => Promise<void>
}

interface Played {
  readonly note: string
  readonly status: string
  readonly seconds: number
  readonly text: string
  readonly hits: string
  readonly calls: number
}

const toyPath = async (): Promise<string> => {
  const path = join(CACHE, "models", TOY.file)
  return (await Bun.file(path).exists()) ? path : fetchToy(join(CACHE, "models"), (step) => step.kind !== "downloading" && console.log(step.text), new AbortController().signal)
}

const startNode = async (): Promise<Node> => {
  const given = process.env["ATTACCA_URL"]
  if (given !== undefined) return { url: given.replace(/\/+$/, ""), close: () => Promise.resolve() }
  const dir = mkdtempSync(join(tmpdir(), "attacca-digest-"))
  const probe = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() })
  const port = probe.port
  await probe.stop(true)
  writeFileSync(join(dir, "attacca.yaml"), JSON.stringify({
    data_dir: join(dir, "data"), http: { host: "127.0.0.1", port }, log: { level: "warn" }, embedded: { enabled: true, model: await toyPath() },
  }))
  const child = Bun.spawn([process.execPath, join(ROOT, "src/main.ts"), "--config", join(dir, "attacca.yaml"), "--no-sample"], {
    stdout: "ignore", stderr: "inherit", env: { ...process.env, ATTACCA_EMBEDDED_DIR: CACHE },
  })
  const url = `http://127.0.0.1:${port}`
  const began = performance.now()
  while (!(await fetch(`${url}/readyz`).then((response) => response.ok, () => false))) {
    if (performance.now() - began > READY_DEADLINE_MS || child.exitCode !== null) throw new Error("the node did not become ready")
    await Bun.sleep(50)
  }
  return {
    url,
    close: async () => {
      child.kill("SIGTERM")
      await child.exited
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

interface Task {
  readonly id: number
  readonly status: string
  readonly job: { readonly error_summary: string | null; readonly usage: { readonly tool_calls: number } } | null
}

const get = async <A>(url: string): Promise<A> => {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`GET ${url}: ${response.status} ${await response.text()}`)
  return response.json() as Promise<A>
}

const ENDED = new Set(["succeeded", "failed", "cancelled", "waiting_human"])

const playNote = async (url: string, path: string, keys: ReadonlyArray<string>): Promise<Played> => {
  const form = new FormData()
  form.set("task", JSON.stringify({ instruction: INSTRUCTION, piece: "digest" }))
  form.append("files", new Blob([readFileSync(path)]), "notes.txt")
  const began = performance.now()
  const submitted = await fetch(`${url}/api/tasks`, { method: "POST", body: form })
  if (submitted.status !== 201) throw new Error(`submit: ${submitted.status} ${await submitted.text()}`)
  const { id } = await submitted.json() as { id: number }
  let task = await get<Task>(`${url}/api/tasks/${id}`)
  while (!ENDED.has(task.status) && performance.now() - began < TASK_DEADLINE_MS) {
    await Bun.sleep(POLL_MS)
    task = await get<Task>(`${url}/api/tasks/${id}`)
  }
  const file = await fetch(`${url}/api/tasks/${id}/files/${OUTPUT}`)
  const text = file.ok ? await file.text() : ""
  const hits = keys.filter((key) => text.toLowerCase().includes(key)).length
  const why = task.status === "succeeded" ? "" : ` (${task.job?.error_summary ?? "no reason"})`
  return { note: basename(path, ".txt"), status: task.status + why, seconds: (performance.now() - began) / 1000, text, hits: `${hits}/${keys.length}`, calls: task.job?.usage.tool_calls ?? 0 }
}

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line.trim() !== "")

export const digest = async (): Promise<ReadonlyArray<BenchRow>> => {
  const keywords = JSON.parse(readFileSync(join(NOTES, "keywords.json"), "utf8")) as Record<string, ReadonlyArray<string>>
  const notes = readdirSync(NOTES).filter((name) => name.endsWith(".txt")).toSorted()
  const node = await startNode()
  const played: Array<Played> = []
  try {
    for (const name of notes) {
      const one = await playNote(node.url, join(NOTES, name), keywords[basename(name, ".txt")] ?? [])
      played.push(one)
      console.log(`${one.note.padEnd(20)} ${one.status.padEnd(10)} ${one.seconds.toFixed(1).padStart(6)} s  ${lines(one.text).length} lines  ${one.hits.padStart(5)} keywords  ${one.calls} calls`)
    }
  } finally {
    await node.close()
  }
  for (const one of played) console.log(`\n## ${one.note}\n${one.text.trimEnd()}`)
  console.log("")
  const good = played.filter((one) => one.status === "succeeded" && one.text.trim() !== "")
  return [
    atLeast("digest: succeeded with a result file", good.length, `of ${played.length}`, WANTED, "wanted"),
    figure("digest: three different lines", played.filter((one) => new Set(lines(one.text)).size === 3).length, `of ${played.length}`),
    figure("digest: seconds a note", played.reduce((sum, one) => sum + one.seconds, 0) / played.length, "s"),
  ]
}
