// Runs a command line in this process, with its output kept and its keys and interrupts in the test's hands.
import { EventEmitter } from "node:events"
import { runCommandLine } from "../../src/cli/run.ts"
import { memorySink } from "./fakeApi.ts"

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandLineOptions {
  readonly base?: string
  readonly cwd?: string
  readonly env?: Record<string, string>
  readonly stdin?: string
  readonly isTTY?: boolean
}

/** A keyboard: `press` is what a person types; it is at a terminal when `isTTY`. */
export class Keyboard extends EventEmitter {
  raw = false
  constructor(readonly isTTY: boolean) {
    super()
  }
  setRawMode(raw: boolean): void {
    this.raw = raw
  }
  resume(): void {}
  pause(): void {}
  press(key: string): void {
    this.emit("data", key)
  }
}

export const startCommandLine = (argv: ReadonlyArray<string>, options: CommandLineOptions = {}) => {
  const stdout = memorySink({ isTTY: options.isTTY === true, columns: 120 })
  const stderr = memorySink()
  const keyboard = new Keyboard(options.isTTY === true)
  const listeners = new Set<() => void>()
  const done = runCommandLine(argv, {
    env: { NO_COLOR: "1", ...(options.base === undefined ? {} : { ATTACCA_URL: options.base }), ...options.env },
    cwd: options.cwd ?? "/nowhere", project: "/nowhere", stdout, stderr, stdin: keyboard, readStdin: () => Promise.resolve(options.stdin ?? ""),
    onInterrupt: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }).then((code): Ran => ({ code, stdout: stdout.text(), stderr: stderr.text() }))
  return {
    done, keyboard,
    output: () => stdout.text(),
    /** Ctrl-C from outside; says whether anybody listened. */
    interrupt: (): boolean => {
      const present = [...listeners]
      for (const listener of present) listener()
      return present.length > 0
    },
  }
}

export const commandLine = (argv: ReadonlyArray<string>, options: CommandLineOptions = {}): Promise<Ran> => startCommandLine(argv, options).done
