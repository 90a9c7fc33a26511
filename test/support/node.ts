// Starts the real product as a process of its own: a configuration and a data folder in a temporary directory, a port that
// the system chooses, and the scripted model as its worker. `endNodes` (call it in afterEach) ends whatever is left and removes
// the directories.
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseEvents } from "../../src/cli/events.ts"
import type { Job, Task, TaskEvent } from "../../src/cli/shapes.ts"
import { ROOT } from "./source.ts"

const READY_MS = 20_000
const END_MS = 15_000
const POLL_MS = 10

export interface NodeOptions {
  /** Merged over the defaults, section by section. */
  readonly config?: Readonly<Record<string, unknown>>
  /** The whole configuration file as text, in place of `config`. */
  readonly config_text?: string
  readonly env?: Readonly<Record<string, string>>
  /** Base URL of the model that worker `w1` uses. */
  readonly llm?: string
  /** Default: a new temporary directory; attacca.yaml and data/ lie in it. */
  readonly dir?: string
  readonly args?: ReadonlyArray<string>
  /** Start by `scripts/start.sh`, as a user does, in place of the entry itself. */
  readonly script?: boolean
  readonly cwd?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined when the body is no JSON. */
  readonly json: unknown
}

export interface Node {
  readonly base: string
  readonly dir: string
  readonly pid: number
  readonly child: ChildProcess
  /** Milliseconds from the spawn to the line that says it is ready. */
  readonly ready_ms: number
  readonly stdout: () => string
  readonly stderr: () => string
  readonly call: (method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>) => Promise<Answer>
  /** Submits by JSON, or by multipart when there are files; throws with the answer when it is not 201. */
  readonly submit: (body: Readonly<Record<string, unknown>>, files?: Readonly<Record<string, string>>) => Promise<Task>
  readonly putPiece: (name: string, yaml: string) => Promise<void>
  readonly task: (id: number) => Promise<Task>
  /** The task as soon as it has one of these statuses; fails with its state and the log after `ms`. */
  readonly until: (id: number, statuses: ReadonlyArray<string>, ms?: number) => Promise<Task>
  /** The task as soon as its job fulfils a condition. */
  readonly when: (id: number, condition: (job: Job) => boolean, ms?: number) => Promise<Job>
  /** Events until one fulfils the condition (it is included). */
  readonly events: (id: number, until: (event: TaskEvent) => boolean, after?: string, ms?: number) => Promise<Array<TaskEvent>>
  /** SIGTERM; the exit code. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL, and the wait for the end. */
  readonly kill: () => Promise<void>
  readonly exited: Promise<number | null>
}

const living = new Set<ChildProcess>()
const directories = new Set<string>()

export const temporaryDirectory = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "attacca-e2e-"))
  directories.add(dir)
  return dir
}

/** Polls a condition; fails with what `describe` says after `ms`. */
export const eventually = async <A>(ask: () => Promise<A | null> | A | null, describe: () => string, ms = 10_000): Promise<A> => {
  const end = performance.now() + ms
  for (;;) {
    const value = await ask()
    if (value !== null) return value
    if (performance.now() > end) throw new Error(`${describe()} (after ${ms} ms)`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Without what belongs to the environment of the tests: the node refuses variables that name no setting. */
const cleanEnv = (extra: Readonly<Record<string, string>>): Record<string, string> => ({
  ...Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !/^(ATTACCA_|npm_|INIT_CWD$|VITEST|NODE_ENV$|FORCE_COLOR$)/.test(entry[0]))),
  NO_COLOR: "1", BUN_CONFIG_MAX_HTTP_REQUESTS: "65535", ...extra,
})

const configOf = (options: NodeOptions): string => {
  if (options.config_text !== undefined) return options.config_text
  const defaults: Record<string, unknown> = {
    data_dir: "./data", http: { host: "127.0.0.1", port: 0 }, log: { format: "json", level: "info" }, embedded: { enabled: false },
    workers: [{ id: "w1", endpoint: options.llm ?? "http://127.0.0.1:1/v1", model: "scripted-1", max_concurrency: 4, healthcheck_interval_seconds: 10 }],
    retry: { max_attempts: 3, backoff_seconds: [1] },
  }
  const merged = Object.fromEntries(Object.entries({ ...defaults, ...options.config }).map(([key, value]) => {
    const base = defaults[key]
    const sections = typeof base === "object" && base !== null && !Array.isArray(base) && typeof value === "object" && value !== null
    return [key, sections ? { ...base, ...value } : value]
  }))
  return JSON.stringify(merged, null, 2)
}

interface Launched {
  readonly dir: string
  readonly child: ChildProcess
  readonly started_at: number
  readonly stdout: () => string
  readonly stderr: () => string
  readonly exited: Promise<number | null>
}

const launch = (options: NodeOptions): Launched => {
  const dir = options.dir ?? temporaryDirectory()
  mkdirSync(dir, { recursive: true })
  const file = join(dir, "attacca.yaml")
  writeFileSync(file, configOf(options))
  const [program, ...first] = options.script === true ? ["sh", join(ROOT, "scripts", "start.sh")] : [process.execPath, join(ROOT, "src", "main.ts")]
  const started_at = performance.now()
  const child = spawn(program ?? "", [...first, "--config", file, ...(options.args ?? [])], { cwd: options.cwd ?? dir, env: cleanEnv(options.env ?? {}), stdio: ["ignore", "pipe", "pipe"] })
  living.add(child)
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (chunk: Buffer) => { stdout += chunk.toString() })
  child.stderr.on("data", (chunk: Buffer) => { stderr += chunk.toString() })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code) => {
      living.delete(child)
      resolve(code)
    })
  })
  return { dir, child, started_at, stdout: () => stdout, stderr: () => stderr, exited }
}

export interface Failed {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A start that is expected to fail: its exit code and what it said. A node that starts after all is ended and said so. */
export const failToStart = async (options: NodeOptions): Promise<Failed> => {
  const launched = launch(options)
  const timer = setTimeout(() => launched.child.kill("SIGKILL"), READY_MS)
  const ready = eventually(() => (/is ready at /.test(launched.stdout()) ? true : launched.child.exitCode === null ? null : false), () => "neither ready nor ended", READY_MS)
  if (await ready) launched.child.kill("SIGKILL")
  const code = await launched.exited
  clearTimeout(timer)
  return { code, stdout: launched.stdout(), stderr: launched.stderr() }
}

const callWith = (base: string): Node["call"] => async (method, path, body, headers = {}) => {
  const plain = body === undefined || body instanceof FormData || typeof body === "string"
  const response = await fetch(`${base}${path}`, {
    method, headers: { ...(plain ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: plain ? (body as FormData | string) : JSON.stringify(body) }),
  })
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: response.status, headers: response.headers, text, json }
}

const readEvents = async (base: string, id: number, until: (event: TaskEvent) => boolean, after: string, ms: number): Promise<Array<TaskEvent>> => {
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(new Error(`no such event within ${ms} ms`)), ms)
  const seen: Array<TaskEvent> = []
  try {
    const response = await fetch(`${base}/api/tasks/${id}/events`, { headers: { accept: "text/event-stream", ...(after === "" ? {} : { "last-event-id": after }) }, signal: stop.signal })
    if (!response.ok || response.body === null) throw new Error(`events answered ${response.status}: ${await response.text()}`)
    for await (const event of parseEvents(response.body)) {
      seen.push(event)
      if (until(event)) return seen
    }
    return seen
  } catch (cause) {
    throw new Error(`${String(cause)}; seen: ${seen.map((event) => event.event).join(" ")}`, { cause })
  } finally {
    clearTimeout(timer)
    stop.abort()
  }
}

/** Starts a node and waits until it says that it is ready. Throws with its output when it ends instead. */
export const startNode = async (options: NodeOptions = {}): Promise<Node> => {
  const launched = launch(options)
  const output = (): string => `stdout: ${launched.stdout().slice(-2000)}\nstderr: ${launched.stderr().slice(-4000)}`
  const base = await eventually(() => {
    if (launched.child.exitCode !== null) throw new Error(`the node ended with ${launched.child.exitCode}\n${output()}`)
    return /is ready at (http:\S+)/.exec(launched.stdout())?.[1] ?? null
  }, () => `the node is not ready\n${output()}`, READY_MS)
  const ready_ms = performance.now() - launched.started_at
  const call = callWith(base)
  const task = async (id: number): Promise<Task> => (await call("GET", `/api/tasks/${id}`)).json as Task
  const stateOf = (now: Task | null): string => `task ${now?.id} is ${now?.status}: ${JSON.stringify(now?.job)}\n${output()}`
  const wait = async (id: number, fine: (now: Task) => boolean, ms = 10_000): Promise<Task> => {
    let now: Task | null = null
    return eventually(async () => {
      now = await task(id)
      return fine(now) ? now : null
    }, () => stateOf(now), ms)
  }
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<number | null> => {
    launched.child.kill(signal)
    const timer = setTimeout(() => launched.child.kill("SIGKILL"), END_MS)
    return launched.exited.finally(() => clearTimeout(timer))
  }
  return {
    base, dir: launched.dir, pid: launched.child.pid ?? 0, child: launched.child, ready_ms, stdout: launched.stdout, stderr: launched.stderr, exited: launched.exited, call, task,
    submit: async (body, files = {}) => {
      let payload: unknown = body
      if (Object.keys(files).length > 0) {
        const form = new FormData()
        form.set("task", JSON.stringify(body))
        for (const [name, text] of Object.entries(files)) form.append("files", new Blob([text]), name)
        payload = form
      }
      const answer = await call("POST", "/api/tasks", payload)
      if (answer.status !== 201) throw new Error(`submit answered ${answer.status}: ${answer.text}`)
      return answer.json as Task
    },
    putPiece: async (name, yaml) => {
      const answer = await call("PUT", `/api/pieces/${name}`, yaml, { "content-type": "text/yaml" })
      if (answer.status !== 200 && answer.status !== 201) throw new Error(`PUT piece answered ${answer.status}: ${answer.text}`)
    },
    until: (id, statuses, ms) => wait(id, (now) => statuses.includes(now.status), ms),
    when: async (id, condition, ms) => {
      const { job } = await wait(id, (now) => now.job !== null && condition(now.job), ms)
      if (job === null) throw new Error("a task without a job fulfilled the condition")
      return job
    },
    events: (id, until, after = "", ms = 10_000) => readEvents(base, id, until, after, ms),
    stop: () => end("SIGTERM"),
    kill: async () => { await end("SIGKILL") },
  }
}

/** Ends every process that is left and removes the temporary directories. */
export const endNodes = async (): Promise<void> => {
  const ends = [...living].map((child) => new Promise<void>((resolve) => {
    child.once("close", () => resolve())
    child.kill("SIGKILL")
  }))
  await Promise.all(ends)
  for (const dir of directories) rmSync(dir, { recursive: true, force: true })
  directories.clear()
}

/** A piece with one movement and the file tools, for tests that script every call. */
export const probePiece = (name = "probe", extra = ""): string => `name: ${name}
description: one movement with the file tools
initial_movement: work
movements:
  - name: work
    instruction: Do the task.
    tools: [Read, Write, Edit, Ls, Glob, Grep, CreateChecklist, CheckItem, AskUser]
    max_turns: 60
    rules:
      - if: it is done
        next: COMPLETE
      - if: it cannot be done
        next: ABORT
${extra}`

/** Runs the command line against a node as a process, in a folder of its own choosing. */
export const runCli = (node: Pick<Node, "base" | "dir">, argv: ReadonlyArray<string>, cwd = node.dir) => {
  const child = spawn(process.execPath, [join(ROOT, "src", "cli.ts"), ...argv], { cwd, env: cleanEnv({ ATTACCA_URL: node.base }), stdio: ["ignore", "pipe", "pipe"] })
  living.add(child)
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (chunk: Buffer) => { stdout += chunk.toString() })
  child.stderr.on("data", (chunk: Buffer) => { stderr += chunk.toString() })
  const done = new Promise<Failed>((resolve) => child.on("close", (code) => {
    living.delete(child)
    resolve({ code, stdout, stderr })
  }))
  return { child, done, stdout: () => stdout }
}
