// What Ctrl-C means while a task is followed: the task lives on the node, so leaving is safe, and cancelling is a choice.
// At a terminal one key decides; without one, leaving is what happens.
import type { Output } from "./output.ts"
import { taskCommand } from "./invocation.ts"

export type Choice = "leave" | "cancel" | "follow"

/** The part of process.stdin that is used. */
export interface Keys {
  readonly isTTY?: boolean | undefined
  readonly setRawMode?: (raw: boolean) => unknown
  readonly on: (event: "data" | "end", listener: (chunk: Uint8Array | string) => void) => unknown
  readonly off: (event: "data" | "end", listener: (chunk: Uint8Array | string) => void) => unknown
  readonly resume: () => unknown
  readonly pause: () => unknown
}

const CTRL_C = "\u0003"

const choiceOf = (key: string): Choice | null => {
  const first = key[0]?.toLowerCase()
  if (first === "c") return "cancel"
  if (first === "f") return "follow"
  return first === CTRL_C || first === "\r" || first === "\n" || first === "l" || first === "q" || first === "\u0004" ? "leave" : null
}

/** Asks once; a second Ctrl-C, the end of the input or `interrupted` (a signal from outside) leave. */
export const askChoice = (task_id: number, keys: Keys, out: Output, interrupted: AbortSignal): Promise<Choice> => {
  if (keys.isTTY !== true || keys.setRawMode === undefined) return Promise.resolve("leave")
  out.endLine()
  out.write(out.paint("yellow", `Task ${task_id} goes on without you. [Enter] leave it running   [c] cancel it   [f] go on following `))
  return new Promise((resolve) => {
    const decide = (choice: Choice): void => {
      keys.off("data", onData)
      keys.off("end", onEnd)
      interrupted.removeEventListener("abort", onEnd)
      keys.setRawMode?.(false)
      keys.pause()
      out.line("")
      resolve(choice)
    }
    const onEnd = (): void => decide("leave")
    const onData = (chunk: Uint8Array | string): void => {
      const choice = choiceOf(typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk))
      if (choice !== null) decide(choice)
    }
    keys.setRawMode?.(true)
    keys.on("data", onData)
    keys.on("end", onEnd)
    interrupted.addEventListener("abort", onEnd)
    keys.resume()
  })
}

export const leftText = (task_id: number): string =>
  `task ${task_id} goes on; watch it with ${taskCommand()} show ${task_id} --follow, stop it with ${taskCommand()} cancel ${task_id}`
