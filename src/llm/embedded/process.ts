// The engine as a child process of the node: started with its standard input held open, which ends it when the node dies,
// however it dies. It gets a process group of its own, so that Ctrl-C in a terminal reaches the node alone and running
// jobs keep their model while they drain.
import { spawn, type ChildProcess } from "node:child_process"
import { join } from "node:path"
import { INSTALLATION } from "../../settings/root.ts"
import { isRecord, messageOf } from "./values.ts"
import type { GpuKind } from "./runtime.ts"

export interface EngineCommand {
  readonly engineDir: string
  readonly modelPath: string
  readonly gpu: GpuKind
  readonly context: number | null
  readonly threads: number | null
  /** The port of the engine before this one, so that its address stays the same. 0: any. */
  readonly port: number
}

export interface ReadyLine {
  readonly port: number
  readonly model: string
  readonly context: number
}

/** `binary`: it does not load on this machine, another one may. `died`: it ended, or gave no sign in time. */
export class EngineFailed extends Error {
  readonly reason: "binary" | "model" | "died"
  constructor(reason: "binary" | "model" | "died", detail: string) {
    super(detail)
    this.reason = reason
  }
}

const SERVER = join(INSTALLATION, "src/llm/embedded/server.ts")
const MAX_STDERR_CHARS = 2000
const END_GRACE_MS = 2000
/** A process that only computes needs none of the node's secrets. */
const SECRET = /TOKEN|SECRET|PASSWORD|API_KEY|^ATTACCA_/i

const environment = (): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !SECRET.test(name)))

const argumentsOf = (command: EngineCommand): ReadonlyArray<string> => [
  SERVER, "--model", command.modelPath, "--engine", command.engineDir, "--gpu", command.gpu === false ? "none" : command.gpu, "--port", String(command.port),
  ...(command.context === null ? [] : ["--context", String(command.context)]),
  ...(command.threads === null ? [] : ["--threads", String(command.threads)]),
]

export class EngineProcess {
  readonly #child: ChildProcess
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>
  #stderr = ""

  constructor(command: EngineCommand) {
    this.#child = spawn(process.execPath, [...argumentsOf(command)], { stdio: ["pipe", "pipe", "pipe"], detached: true, env: { ...environment(), BUN_BE_BUN: "1" } })
    this.#child.stdin?.on("error", () => {}) // the process went first; `ended` says so
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-MAX_STDERR_CHARS)
    })
    this.ended = new Promise((resolve) => {
      this.#child.on("error", (cause) => resolve(`it cannot be started: ${cause.message}`))
      this.#child.on("exit", (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}${this.#stderr === "" ? "" : `: ${this.#stderr.trim().split("\n").at(-1)}`}`))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves once the engine serves. Rejects with EngineFailed, or the signal's reason. */
  ready(timeout_ms: number, signal: AbortSignal): Promise<ReadyLine> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        clearTimeout(timer)
        signal.removeEventListener("abort", abort)
        how()
      }
      const abort = () => settle(() => reject(signal.reason))
      const timer = setTimeout(() => settle(() => reject(new EngineFailed("died", `the engine was not ready within ${timeout_ms / 1000} s`))), timeout_ms)
      if (signal.aborted) return abort()
      signal.addEventListener("abort", abort, { once: true })
      void this.ended.then((how) => settle(() => reject(new EngineFailed("died", `the engine did not start: ${how}`))))
      let text = ""
      this.#child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk.toString("utf8")
        const line = /^\{.*\}$/m.exec(text)?.[0]
        if (line === undefined) return
        settle(() => {
          try {
            resolve(readyLine(line))
          } catch (cause) {
            reject(cause instanceof EngineFailed ? cause : new EngineFailed("died", messageOf(cause)))
          }
        })
      })
    })
  }

  /** Ends the process: kindly by closing its input, by force after two seconds. Never rejects. */
  async end(): Promise<void> {
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_GRACE_MS)
    await this.ended
    clearTimeout(timer)
  }
}

const readyLine = (line: string): ReadyLine => {
  const value: unknown = JSON.parse(line)
  if (!isRecord(value)) throw new EngineFailed("died", `the engine said ${line}`)
  const { ready, port, model, context, reason, detail } = value
  if (ready !== true) throw new EngineFailed(reason === "binary" ? "binary" : "model", String(detail))
  if (typeof port !== "number" || typeof model !== "string" || typeof context !== "number") throw new EngineFailed("died", `the engine said ${line}`)
  return { port, model, context }
}
