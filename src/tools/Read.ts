// Reads a text file of the workspace. The text comes back verbatim and without line numbers, so that a part of it can be
// given to Edit as it stands. Huge files are read in bounded memory; what does not fit is cut with the place of the rest.
import { closeSync, read } from "node:fs"
import { Buffer } from "node:buffer"
import { promisify } from "node:util"
import { readAt, type OpenFile } from "../workspace/files.ts"
import { attempt, ToolFailure } from "./attempt.ts"
import { openForReading, shown } from "./place.ts"
import { counted, LineWindow, sniff, SNIFF_BYTES, type Encoding, type WindowEnd } from "./text.ts"
import { failure, output, type Tool, type ToolOutcome } from "./Tool.ts"

const readAsync = promisify(read)
/** Up to here a file is read in one go, without leaving the event loop. */
const AT_ONCE_BYTES = 256 * 1024
const CHUNK_BYTES = 256 * 1024
/** How far lines are counted past the end of what is shown. */
const COUNT_ON_BYTES = 64 * 1024 * 1024
/** Kept free for the line that says where the rest is. */
const MARKER_CHARS = 200

interface Seen {
  readonly end: WindowEnd
  /** False when counting stopped before the end of the file. */
  readonly whole: boolean
}

const scan = async (file: OpenFile, encoding: Encoding, window: LineWindow, signal: AbortSignal): Promise<Seen> => {
  const decoder = new TextDecoder(encoding)
  if (file.stat.size <= AT_ONCE_BYTES) {
    window.push(decoder.decode(readAt(file.fd, 0, AT_ONCE_BYTES)))
    return { end: window.end(), whole: true }
  }
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  let position = 0
  let beyond = 0
  for (;;) {
    const { bytesRead } = await readAsync(file.fd, chunk, 0, CHUNK_BYTES, position)
    signal.throwIfAborted()
    if (bytesRead === 0) break
    position += bytesRead
    window.push(decoder.decode(chunk.subarray(0, bytesRead), { stream: true }))
    if (window.full && (beyond += bytesRead) > COUNT_ON_BYTES) return { end: window.end(), whole: false }
  }
  window.push(decoder.decode())
  return { end: window.end(), whole: true }
}

const marker = ({ end, whole }: Seen): string => {
  const notes: Array<string> = []
  if (end.overflow > 0) notes.push(`… this line goes on for ${counted(end.overflow, "more character")} that are not shown; use Grep to find a part of it`)
  if (end.next !== null) notes.push(`… ${whole ? "" : "more than "}${counted(end.lines - end.next + 1, "more line")}; continue with offset=${end.next}`)
  if (end.text.includes("\ufffd")) notes.push("… \ufffd stands for bytes that are not valid text")
  return notes.length === 0 ? "" : (end.text.endsWith("\n") ? "" : "\n") + notes.join("\n")
}

const answer = (path: string, seen: Seen, offset: number): ToolOutcome => {
  const { end } = seen
  if (end.lines === 0) return output(`${path} is empty`)
  if (offset > end.lines) return failure(`${path} has ${counted(end.lines, "line")}; offset=${offset} is past its end`)
  return output(end.text + marker(seen))
}

export const Read: Tool = {
  name: "Read",
  description: "Read a text file of the workspace. Gives the text as it stands. A long file is cut; the last line then says with which offset to continue.",
  input: {
    type: "object",
    properties: {
      path: { type: "string", minLength: 1, description: "File, relative to the workspace, for example input/notes.txt" },
      offset: { type: "integer", minimum: 1, description: "First line to read, counted from 1" },
      limit: { type: "integer", minimum: 1, description: "Number of lines to read" },
    },
    required: ["path"],
    additionalProperties: false,
  },
  effect: "read",
  timeout_ms: 60_000,
  run: (args, context) => attempt(async (signal) => {
    const { path, offset = 1, limit = Number.MAX_SAFE_INTEGER } = args as { path: string; offset?: number; limit?: number }
    const file = await openForReading(context, path)
    try {
      const kind = sniff(readAt(file.fd, 0, SNIFF_BYTES))
      const name = shown(context, file.real)
      if ("binary" in kind) throw new ToolFailure(`${name} is ${kind.binary} of ${counted(file.stat.size, "byte")}, not text; Read shows text only`)
      const window = new LineWindow(offset, limit, Math.max(MARKER_CHARS, context.max_output_chars - MARKER_CHARS))
      return answer(name, await scan(file, kind.encoding, window, signal), offset)
    } finally {
      closeSync(file.fd)
    }
  }),
  dependsOn: async (args, context) => [await context.resolve(String(args["path"]), "read")],
}
