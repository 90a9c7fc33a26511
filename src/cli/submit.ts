// `task "…"`: checks the files, uploads everything in one request and follows the task. Nothing is sent when a file is wrong.
import { stat } from "node:fs/promises"
import { basename, resolve } from "node:path"
import { submit } from "./api.ts"
import { has, valueOf, valuesOf } from "./arguments.ts"
import { CommandFailure, EXIT } from "./failure.ts"
import { leftText } from "./interrupt.ts"
import type { Context } from "./run.ts"
import type { Task } from "./shapes.ts"
import { bytes, oneLine } from "./text.ts"
import { watch } from "./watch.ts"

interface Upload {
  readonly path: string
  readonly name: string
  readonly bytes: number
}

const refuse = (message: string, ...details: ReadonlyArray<string>): CommandFailure => new CommandFailure(message, EXIT.usage, details)

const checkFile = async (said: string, folder: string): Promise<Upload> => {
  const path = resolve(folder, said)
  let info: Awaited<ReturnType<typeof stat>>
  try {
    info = await stat(path)
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ENOENT"
    throw refuse(missing ? `no such file: ${said}` : `cannot read ${said}: ${(cause as Error).message}`, ...(missing && said !== path ? [`looked at ${path}`] : []))
  }
  if (info.isDirectory()) throw refuse(`${said} is a folder; name the files in it`)
  if (!info.isFile()) throw refuse(`${said} is not a plain file`)
  return { path, name: basename(path), bytes: info.size }
}

const checkFiles = async (said: ReadonlyArray<string>, folder: string): Promise<Array<Upload>> => {
  const uploads: Array<Upload> = []
  for (const one of said) {
    const upload = await checkFile(one, folder)
    const twin = uploads.find((other) => other.name === upload.name)
    if (twin !== undefined) throw refuse(`two files are named ${upload.name}: ${twin.path} and ${upload.path}; in input/ one would replace the other`)
    uploads.push(upload)
  }
  return uploads
}

/** A file that cannot be opened is told by name before anything is sent. */
const readable = async (upload: Upload): Promise<Blob> => {
  try {
    return new Blob([await Bun.file(upload.path).arrayBuffer()])
  } catch (cause) {
    throw refuse(`cannot read ${upload.path}: ${(cause as Error).message}`)
  }
}

const body = (context: Context, instruction: string): Record<string, string> => {
  const fields: ReadonlyArray<readonly [flag: string, field: string]> = [["title", "title"], ["piece", "piece"], ["role", "role"], ["priority", "priority"], ["format", "output_format"], ["ask", "ask_policy"]]
  const said = fields.flatMap(([flag, field]) => {
    const value = valueOf(context.args, flag)
    return value === undefined ? [] : [[field, value] as const]
  })
  return { instruction, ...Object.fromEntries(said) }
}

/** Exit code of the whole: that of the task, or 0 with `--detach`. */
export const runSubmit = async (context: Context): Promise<number> => {
  const { args, out, base } = context
  const words = args.words.join(" ")
  const instruction = words === "-" ? await context.around.readStdin() : words
  if (instruction.trim() === "") throw refuse("no instruction", 'say what is to be done: task "Summarise input/notes.txt" --file notes.txt', "task --help lists the options and commands")
  const files = await checkFiles(valuesOf(args, "file"), context.folder)
  const blobs = await Promise.all(files.map(readable))
  const json = JSON.stringify(body(context, instruction))
  const task = await submit<Task>(base, () => {
    const form = new FormData()
    form.set("task", json)
    files.forEach((file, i) => form.append("files", blobs[i] ?? new Blob([]), file.name))
    return form
  })
  if (!has(args, "json")) {
    out.line(out.paint("bold", `task ${task.id}`) + out.paint("dim", ` · ${oneLine(task.title, 80)} · piece ${oneLine(task.piece, 60)} · ${base}`))
    for (const file of files) out.line(out.paint("dim", `  input/${oneLine(file.name, 120)} (${bytes(file.bytes)})`))
  }
  if (has(args, "detach")) {
    if (!context.json(task)) out.line(leftText(task.id))
    return EXIT.succeeded
  }
  return watch(context, { task_id: task.id, ...(task.job === null ? {} : { job_id: task.job.id }) })
}
