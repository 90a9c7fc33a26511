// `logs/activity.log` (P17): lines are collected in memory and appended in the background, many workspaces a timer. A
// reader sees every line logged before it asked, because the workspace flushes first. Bounded: what comes faster than the
// disk takes it is dropped and counted in the log; a failing disk is told once and never fails a run.
import { renameSync } from "node:fs"
import { systemCode } from "./errors.ts"
import { appendTo, openFolder } from "./files.ts"

export const ACTIVITY_LOG = "activity.log"
export interface ActivityOptions {
  /** Real path of a workspace. */
  readonly root: (workspace: string) => string
  /** Called once, with the first error; the lines concerned are lost. */
  readonly onError: (cause: unknown) => void
  readonly now?: () => number
  readonly flush_ms?: number
  /** Characters held for one workspace before they are written at once, and for all together before lines are dropped. */
  readonly max_chars?: number
  readonly max_total_chars?: number
  /** Past this size the file becomes `activity.log.1`, replacing an older one. */
  readonly max_file_bytes?: number
}

export interface ActivityLog {
  readonly log: (workspace: string, line: string) => void
  readonly flush: (workspace: string) => void
  /** Writes what is left and stops the timer. */
  readonly close: () => void
  /** Forgets what is not written yet: the workspace is being removed. */
  readonly forget: (workspace: string) => void
}

const MAX_LINE_CHARS = 8192
const PER_TIMER = 64

/** One line, readable and unable to forge another line or steer a terminal. */
const oneLine = (at: number, line: string): string => {
  const cut = line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}… ${line.length - MAX_LINE_CHARS} more characters` : line
  const plain = cut.trimEnd().replace(/\r?\n/g, " ⏎ ").replace(/(?!\t)[\p{Cc}\u2028\u2029]/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`)
  return `${new Date(at).toISOString()} ${plain}\n`
}

interface Buffered {
  text: string
  dropped: number
}

export const makeActivityLog = (options: ActivityOptions): ActivityLog => {
  const { now = Date.now, flush_ms = 50, max_chars = 64 * 1024, max_total_chars = 16 * 1024 * 1024, max_file_bytes = 16 * 1024 * 1024 } = options
  const buffers = new Map<string, Buffered>()
  let total = 0
  let timer: ReturnType<typeof setTimeout> | null = null
  let told = false

  const write = (workspace: string, text: string): void => {
    const logs = openFolder(options.root(workspace), ["logs"])
    try {
      if (appendTo(logs, ACTIVITY_LOG, text) > max_file_bytes) renameSync(logs.path(ACTIVITY_LOG), logs.path(`${ACTIVITY_LOG}.1`))
    } finally {
      logs.close()
    }
  }

  const flush = (workspace: string): void => {
    const buffered = buffers.get(workspace)
    if (buffered === undefined) return
    buffers.delete(workspace)
    total -= buffered.text.length
    const note = buffered.dropped === 0 ? "" : oneLine(now(), `… ${buffered.dropped} lines were dropped: they came faster than they could be written`)
    try {
      write(workspace, buffered.text + note)
    } catch (cause) {
      if (systemCode(cause) === "ENOENT") return // the workspace is gone, and its log with it
      if (!told) options.onError(cause)
      told = true
    }
  }

  const tick = (): void => {
    timer = null
    let left = PER_TIMER
    for (const workspace of buffers.keys()) {
      if (left-- === 0) break
      flush(workspace)
    }
    schedule(0)
  }
  const schedule = (after_ms: number): void => {
    if (timer === null && buffers.size > 0) timer = setTimeout(tick, after_ms)
  }

  return {
    log: (workspace, line) => {
      let buffered = buffers.get(workspace)
      if (buffered === undefined) buffers.set(workspace, buffered = { text: "", dropped: 0 })
      const text = oneLine(now(), line)
      if (total + text.length > max_total_chars) buffered.dropped++
      else {
        buffered.text += text
        total += text.length
      }
      if (buffered.text.length > max_chars) flush(workspace)
      else schedule(flush_ms)
    },
    flush,
    close: () => {
      if (timer !== null) clearTimeout(timer)
      timer = null
      for (const workspace of [...buffers.keys()]) flush(workspace)
    },
    forget: (workspace) => {
      total -= buffers.get(workspace)?.text.length ?? 0
      buffers.delete(workspace)
    },
  }
}
