// The end of a task in words: its status, figures, result and output files, and what a person can do next.
import { taskCommand } from "./invocation.ts"
import type { Output } from "./output.ts"
import type { Task } from "./shapes.ts"
import { bytes, clean, duration, number, oneLine } from "./text.ts"

const MAX_FILES = 50

const figures = (task: Task): string => {
  const { job } = task
  if (job === null) return ""
  const from = Date.parse(job.started_at ?? job.created_at)
  const to = job.finished_at === null ? Date.now() : Date.parse(job.finished_at)
  return [
    duration(to - from), `${number(job.usage.llm_calls)} model calls`, `${number(job.usage.tool_calls)} tool calls`,
    `${number(job.usage.prompt_tokens + job.usage.completion_tokens)} tokens`, job.attempt > 1 ? `attempt ${job.attempt}` : "",
  ].filter((one) => one !== "").join(", ")
}

export const fileLines = (base: string, task: Task): Array<string> => {
  const files = task.files.output
  const width = Math.max(0, ...files.slice(0, MAX_FILES).map((file) => oneLine(file.path, 120).length))
  const lines = files.slice(0, MAX_FILES).map((file) =>
    `  ${oneLine(file.path, 120).padEnd(width)}  ${bytes(file.bytes).padStart(9)}  ${base}/api/tasks/${task.id}/files/${file.path.split("/").map(encodeURIComponent).join("/")}`)
  return files.length > MAX_FILES ? [...lines, `  … and ${files.length - MAX_FILES} more`] : lines
}

const next = (task: Task, out: Output): void => {
  const hint = (line: string): void => out.line(out.paint("dim", line))
  if (task.status === "waiting_human" && task.job?.wait_reason === "quarantined") hint(`let it go on: ${taskCommand()} resume ${task.id}`)
  else if (task.status === "waiting_human") hint(`answer: ${taskCommand()} answer ${task.id} "…"   or give up: ${taskCommand()} cancel ${task.id}`)
  else if (task.status === "failed") hint(`try again: ${taskCommand()} retry ${task.id}`)
}

/** Writes the end of a task; the result stands alone below its heading, so that it can be copied. */
export const endText = (base: string, task: Task, out: Output): void => {
  const figure = figures(task)
  const { job } = task
  if (task.status === "succeeded") out.line(out.paint("green", `task ${task.id} succeeded`) + out.paint("dim", ` (${figure})`))
  else if (task.status === "waiting_human") out.line(out.paint("yellow", `task ${task.id} waits for a person${job?.wait_reason == null ? "" : ` (${job.wait_reason})`}`))
  else {
    out.line(out.paint("red", `task ${task.id} ${task.status}${job?.abort_reason == null || job.abort_reason === task.status ? "" : ` (${job.abort_reason})`}`) + out.paint("dim", ` (${figure})`))
    if (job?.error_summary != null) out.line(out.paint("red", clean(job.error_summary)))
  }
  if (task.result !== null && task.result !== "") {
    out.line(out.paint("bold", "result:"))
    out.line(clean(task.result).trimEnd())
  }
  const lines = fileLines(base, task)
  if (lines.length > 0) {
    out.line(out.paint("bold", "output files:"))
    for (const line of lines) out.line(line)
  }
  next(task, out)
}
