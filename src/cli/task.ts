// The commands of `task` that speak of a task by its number: list, show, answer, say, cancel, retry, resume.
import { ask } from "./api.ts"
import { has, valueOf } from "./arguments.ts"
import { CommandFailure, EXIT } from "./failure.ts"
import { taskCommand } from "./invocation.ts"
import { endText } from "./result.ts"
import type { Context } from "./run.ts"
import type { Comment, Page, Task } from "./shapes.ts"
import { ago, clean, duration, fit, number, oneLine, percent } from "./text.ts"
import { watch } from "./watch.ts"

const DEFAULT_LIST = 20
/** The API's own limit of one page. */
const MAX_LIST = 200

const refuse = (message: string, ...details: ReadonlyArray<string>): CommandFailure => new CommandFailure(message, EXIT.usage, details)

const list = async (context: Context): Promise<number> => {
  const { out, args } = context
  const limit = args.words[1] === undefined ? DEFAULT_LIST : Number(args.words[1])
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIST) throw refuse(`task list shows 1 to ${MAX_LIST} tasks, not ${args.words[1] ?? ""}`)
  const status = valueOf(args, "status")
  const page = await ask<Page<Task>>(context.base, `/api/tasks?limit=${limit}${status === undefined ? "" : `&status=${status}`}`)
  if (context.json(page)) return EXIT.succeeded
  if (page.items.length === 0) {
    out.line(status === undefined ? `no tasks yet; submit one with ${taskCommand()} "…"` : `no task is ${status}`)
    return EXIT.succeeded
  }
  const rows = page.items.map((task) => [String(task.id), task.status, ago(task.created_at, Date.now()), oneLine(task.piece, 20), oneLine(task.title, 200)])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const columns = context.around.stdout.columns || undefined
  for (const row of rows) {
    const line = row.map((cell, i) => (i === 0 ? cell.padStart(widths[0] ?? 0) : i < 4 ? cell.padEnd(widths[i] ?? 0) : cell)).join("  ")
    out.line(columns === undefined ? line : fit(line, columns))
  }
  return EXIT.succeeded
}

const show = async (context: Context, id: number): Promise<number> => {
  if (has(context.args, "follow")) return watch(context, { task_id: id })
  const task = await ask<Task>(context.base, `/api/tasks/${id}`)
  if (context.json(task)) return EXIT.succeeded
  const { out } = context
  const { job } = task
  const pair = (name: string, value: string): void => { if (value !== "") out.line(`${out.paint("dim", `${name}:`.padEnd(13))}${value}`) }
  out.line(out.paint("bold", `task ${task.id}: ${oneLine(task.title, 200)}`))
  pair("instruction", clean(task.instruction).trimEnd().replaceAll("\n", `\n${" ".repeat(13)}`))
  pair("piece", `${oneLine(task.piece, 60)}, role ${oneLine(task.role, 60)}, submitted ${ago(task.created_at, Date.now())}`)
  pair("notice", clean(task.notice ?? ""))
  if (job !== null) {
    pair("job", `${job.id}, attempt ${job.attempt} of ${job.max_attempts}${job.worker_id === null ? "" : `, worker ${oneLine(job.worker_id, 60)}`}`)
    if (job.current_movement !== null) pair("movement", `${oneLine(job.current_movement, 60)}${job.current_activity === null ? "" : `: ${oneLine(job.current_activity, 200)}`}`)
    if (job.context.limit_tokens > 0) pair("context", `${number(job.context.used_tokens)} of ${number(job.context.limit_tokens)} tokens (${percent(job.context.used_tokens, job.context.limit_tokens)} %)`)
    if (job.next_retry_at !== null) pair("next try", `in ${duration(Math.max(0, Date.parse(job.next_retry_at) - Date.now()))}`)
  }
  pair("input", task.files.input.map((file) => oneLine(file.path, 120)).join(", "))
  if (task.status === "waiting_human") pair("question", await question(context, id))
  if (["succeeded", "failed", "cancelled", "waiting_human"].includes(task.status)) endText(context.base, task, out)
  else pair("status", `${task.status}${job?.wait_reason == null ? "" : ` (${job.wait_reason})`}`)
  return EXIT.succeeded
}

/** The newest open question; empty when the job waits for something else. */
const question = async (context: Context, id: number): Promise<string> => {
  const comments = await ask<Page<Comment>>(context.base, `/api/tasks/${id}/comments?limit=200`)
  return clean(comments.items.findLast((comment) => comment.kind === "ask")?.body ?? "")
}

/** The rest of the words, or the standard input for `-`. */
const textOf = async (context: Context, name: string): Promise<string> => {
  const words = context.args.words.slice(2).join(" ")
  const text = words === "-" ? await context.around.readStdin() : words
  if (text.trim() === "") throw refuse(`${name} needs a text`, `${name} NUMBER "TEXT", or - to read it from the standard input`)
  return text
}

const comment = async (context: Context, name: "answer" | "say", id: number): Promise<number> => {
  const text = await textOf(context, name)
  const mode = valueOf(context.args, "mode")
  if (name === "answer") {
    const task = await ask<Task>(context.base, `/api/tasks/${id}`)
    if (task.status !== "waiting_human") throw new CommandFailure(`task ${id} asks nothing: it is ${task.status}`, EXIT.failed, [`to comment on it: ${taskCommand()} say ${id} "…"`])
  }
  const posted = await ask<Comment & { readonly effect: string }>(context.base, `/api/tasks/${id}/comments`, { method: "POST", json: { body: text, ...(mode === undefined ? {} : { mode }) } })
  const effects: Readonly<Record<string, string>> = {
    answer: "answered; the task goes on", interjection: "the running job gets it at its next step",
    continuation: "a new job of the task goes on from here", comment: "noted; the task's next run reads it",
  }
  const follows = (posted.effect === "answer" || posted.effect === "continuation") && !has(context.args, "detach")
  if (!follows && context.json(posted)) return EXIT.succeeded
  if (!has(context.args, "json")) context.out.line(effects[posted.effect] ?? posted.effect)
  return follows ? watch(context, { task_id: id, since: posted.created_at }) : EXIT.succeeded
}

const cancel = async (context: Context, id: number): Promise<number> => {
  const task = await ask<Task>(context.base, `/api/tasks/${id}/cancel`, { method: "POST" })
  if (!context.json(task)) context.out.line(`task ${id} is ${task.status}`)
  return EXIT.succeeded
}

/** `retry` makes a new job, `resume` lets the old one go on; both are followed from here. */
const again = async (context: Context, name: "retry" | "resume", id: number): Promise<number> => {
  const before = await ask<Task>(context.base, `/api/tasks/${id}`)
  const task = await ask<Task>(context.base, `/api/tasks/${id}/${name}`, { method: "POST" })
  if (has(context.args, "detach")) {
    if (!context.json(task)) context.out.line(`task ${id} is ${task.status}`)
    return EXIT.succeeded
  }
  const fresh = task.job !== null && task.job.id !== before.job?.id
  return watch(context, { task_id: id, ...(task.job === null ? {} : { job_id: task.job.id }), ...(fresh ? {} : { since: before.updated_at }) })
}

const WITH_TEXT: ReadonlySet<string> = new Set(["answer", "say"])

/** Runs a command other than the submission; the first word is its name, the second a number where it takes one. */
export const runTask = async (name: string, context: Context): Promise<number> => {
  const { words } = context.args
  const extra = WITH_TEXT.has(name) ? undefined : words[2]
  if (extra !== undefined) throw refuse(`task ${name} takes only a number, and then "${oneLine(extra, 60)}" came`, 'to submit these words as an instruction, put them in quotes as one: task "…"')
  if (name === "list") return list(context)
  const id = Number(words[1])
  if (!Number.isSafeInteger(id)) throw refuse(`${words[1] ?? ""} is not a task's number`)
  switch (name) {
    case "show": return show(context, id)
    case "answer":
    case "say": return comment(context, name, id)
    case "cancel": return cancel(context, id)
    default: return again(context, name === "retry" ? "retry" : "resume", id)
  }
}
