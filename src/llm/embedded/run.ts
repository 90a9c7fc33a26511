// Runs another program to its end, with a limit in time and its last words kept. Interruption kills it with all that it started.
import { spawn } from "node:child_process"

export interface Ran {
  readonly code: number | null
  readonly output: string
}

const MAX_OUTPUT_CHARS = 4000

/** Rejects with the signal's reason, with a plain Error when the program is not there or runs past `timeout_ms`. */
export const run = (command: string, args: ReadonlyArray<string>, options: { readonly cwd?: string; readonly env?: Record<string, string>; readonly timeout_ms: number }, signal: AbortSignal): Promise<Ran> =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const child = spawn(command, [...args], { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"], detached: true })
    let output = ""
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-MAX_OUTPUT_CHARS)
    }
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
      } catch {
        child.kill("SIGKILL") // the group is gone already, or was never made
      }
    }
    const settle = (how: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener("abort", abort)
      how()
    }
    const abort = () => {
      kill()
      settle(() => reject(signal.reason))
    }
    const timer = setTimeout(() => {
      kill()
      settle(() => reject(new Error(`${command} did not end within ${options.timeout_ms / 1000} s: ${output.trim()}`)))
    }, options.timeout_ms)
    signal.addEventListener("abort", abort, { once: true })
    child.on("error", (cause) => settle(() => reject(new Error(`${command} cannot be run: ${cause.message}`))))
    child.on("close", (code) => settle(() => resolve({ code, output })))
  })
