// Replaces an exact piece of a text file. The old text must stand there once, or `replace_all` must say that every place
// is meant; otherwise nothing changes and the answer says how often it was found, or which lines come nearest.
import { closeSync } from "node:fs"
import { Buffer } from "node:buffer"
import { readAt, replaceFile } from "../workspace/files.ts"
import { attemptWhole, ToolFailure } from "./attempt.ts"
import { openForReading, shown } from "./place.ts"
import { counted, sniff } from "./text.ts"
import { output, type Tool } from "./Tool.ts"
import { MAX_WRITE_BYTES } from "./Write.ts"

const MAX_LINES_COMPARED = 20_000
const MAX_LINE_CHARS = 200

interface EditArguments {
  readonly path: string
  readonly old_string: string
  readonly new_string: string
  readonly replace_all?: boolean
}

/** Where `part` stands in `text`, not overlapping. */
export const places = (text: string, part: string): Array<number> => {
  const found: Array<number> = []
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) found.push(at)
  return found
}

const pairs = (line: string): Set<string> => {
  const words = new Set<string>()
  for (let at = 0; at + 1 < line.length; at++) words.add(line.slice(at, at + 2))
  return words
}

/** The line most like the first line of what was looked for, by shared pairs of characters; null when none is like it. */
export const nearestLine = (text: string, wanted: string): { readonly line: number; readonly text: string } | null => {
  const first = wanted.split("\n").map((line) => line.trim().slice(0, MAX_LINE_CHARS)).find((line) => line !== "")
  if (first === undefined) return null
  const looked = pairs(first.toLowerCase())
  let best: { readonly line: number; readonly text: string } | null = null
  let most = 0.4
  for (const [index, line] of text.split("\n", MAX_LINES_COMPARED).entries()) {
    const there = pairs(line.trim().slice(0, MAX_LINE_CHARS).toLowerCase())
    let shared = 0
    for (const pair of looked) if (there.has(pair)) shared++
    const likeness = (2 * shared) / (looked.size + there.size || 1)
    if (likeness > most) {
      most = likeness
      best = { line: index + 1, text: line.slice(0, MAX_LINE_CHARS) }
    }
  }
  return best
}

const lineAt = (text: string, at: number): number => {
  let line = 1
  for (let newline = text.indexOf("\n"); newline !== -1 && newline < at; newline = text.indexOf("\n", newline + 1)) line++
  return line
}

/** The edited text and the lines where it changed. Throws ToolFailure when the old text is not found, or found too often. */
export const edited = (name: string, text: string, args: EditArguments): { readonly text: string; readonly lines: ReadonlyArray<number> } => {
  let { old_string: before, new_string: after } = args
  let found = places(text, before)
  if (found.length === 0 && text.includes("\r\n") && !before.includes("\r")) {
    // The file ends its lines the other way; the model saw them as plain newlines.
    before = before.replaceAll("\n", "\r\n")
    after = after.replace(/\r?\n/g, "\r\n")
    found = places(text, before)
  }
  if (found.length === 0) {
    const near = nearestLine(text, args.old_string)
    throw new ToolFailure(`old_string was not found in ${name}; it must be the same to the last space${near === null ? "" : `. The nearest is line ${near.line}: ${near.text}`}`)
  }
  const lines = found.map((at) => lineAt(text, at))
  if (found.length > 1 && args.replace_all !== true) {
    throw new ToolFailure(`old_string stands in ${name} ${found.length} times (lines ${lines.slice(0, 10).join(", ")}${lines.length > 10 ? ", …" : ""}); give more of the text around the place, or set replace_all`)
  }
  return { text: text.split(before).join(after), lines }
}

const readWhole = async (context: Parameters<Tool["run"]>[1], path: string): Promise<{ readonly name: string; readonly real: string; readonly text: string }> => {
  const file = await openForReading(context, path)
  try {
    const name = shown(context, file.real)
    if (file.stat.size > MAX_WRITE_BYTES) throw new ToolFailure(`${name} has ${counted(file.stat.size, "byte")}; Edit works on files of at most ${counted(MAX_WRITE_BYTES, "byte")}`)
    const bytes = readAt(file.fd, 0, file.stat.size)
    const kind = sniff(bytes.subarray(0, 8192))
    if ("binary" in kind) throw new ToolFailure(`${name} is ${kind.binary}, not text`)
    const text = bytes.toString("utf8")
    // Writing it back would change bytes that the edit does not name.
    if (kind.encoding !== "utf-8" || !Buffer.from(text).equals(bytes)) throw new ToolFailure(`${name} is not UTF-8 text; write the whole file anew with Write`)
    return { name, real: file.real, text }
  } finally {
    closeSync(file.fd)
  }
}

export const Edit: Tool = {
  name: "Edit",
  description: "Replace a piece of a text file. old_string must be copied exactly from the file and stand there once; otherwise give more of it, or set replace_all.",
  input: {
    type: "object",
    properties: {
      path: { type: "string", minLength: 1, description: "File, relative to the workspace" },
      old_string: { type: "string", minLength: 1, description: "The text to replace, exactly as Read showed it" },
      new_string: { type: "string", description: "What stands there afterwards" },
      replace_all: { type: "boolean", description: "Replace every place; default false" },
    },
    required: ["path", "old_string", "new_string"],
    additionalProperties: false,
  },
  effect: "effectful",
  timeout_ms: 60_000,
  run: (args, context) => attemptWhole(async () => {
    const asked = args as unknown as EditArguments
    if (asked.old_string === asked.new_string) throw new ToolFailure("old_string and new_string are the same; nothing to change")
    const writable = await context.resolve(asked.path, "write")
    const { name, real, text } = await readWhole(context, asked.path)
    const after = edited(name, text, asked)
    const bytes = Buffer.from(after.text)
    if (bytes.length > MAX_WRITE_BYTES) throw new ToolFailure(`${name} would grow to ${counted(bytes.length, "byte")}, more than ${counted(MAX_WRITE_BYTES, "byte")}`)
    if (writable !== real) throw new ToolFailure(`${name} changed while it was being edited; read it again`)
    await replaceFile(context.workspace, real, [bytes], { durable: true })
    const lines = after.lines.length > 10 ? `${after.lines.slice(0, 10).join(", ")}, …` : after.lines.join(", ")
    return output(`edited ${name}: ${counted(after.lines.length, "place")} replaced (line ${lines})`)
  }),
}
