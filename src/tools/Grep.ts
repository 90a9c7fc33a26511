// Searches the text files of the workspace for a regular expression. The engine is linear in time, files are read in
// pieces, and the search gives the event loop a turn every few milliseconds and stops at its own deadline with what it
// has. Binary files are skipped and counted; links are not followed.
import { closeSync, read } from "node:fs"
import { Buffer } from "node:buffer"
import { promisify } from "node:util"
import { PathRefused, systemCode } from "../workspace/errors.ts"
import { openPlain, readAt, type OpenFile } from "../workspace/files.ts"
import { breathe } from "../workspace/walk.ts"
import { attempt, ToolFailure } from "./attempt.ts"
import { linear, type Regex } from "./regex.ts"
import { isLiteral, LineSearch, literal } from "./search.ts"
import { counted, sniff, SNIFF_BYTES, type Encoding } from "./text.ts"
import { output, type Tool, type ToolContext } from "./Tool.ts"
import { globFilter, treeAt, treeState, type Tree } from "./tree.ts"

const readAsync = promisify(read)
const DEADLINE_MS = 20_000
const AT_ONCE_BYTES = 256 * 1024
const CHUNK_BYTES = 256 * 1024
const DEFAULT_RESULTS = 100
const NOTE_CHARS = 400

interface GrepArguments {
  readonly pattern: string
  readonly path?: string
  readonly glob?: string
  readonly case_insensitive?: boolean
  readonly context?: number
  readonly max_results?: number
}

const matcherFor = ({ pattern, case_insensitive = false }: GrepArguments): Regex => {
  if (isLiteral(pattern) && !case_insensitive) return literal(pattern)
  try {
    return linear(pattern, { case_insensitive })
  } catch (cause) {
    throw new ToolFailure(`pattern: ${cause instanceof Error ? cause.message : String(cause)}. To look for the text itself, put \\ before ( ) [ ] { } . * + ? ^ $ |`)
  }
}

/** What has been found so far, and why the search ended early if it did. */
class Result {
  readonly lines: Array<string> = []
  matches = 0
  binary = 0
  unreadable = 0
  cutLines = 0
  searched = 0
  ended: string | null = null
  private chars = 0

  constructor(private readonly max_results: number, private readonly max_chars: number) {}

  /** False when there is no room for more. */
  readonly take = (line: string, isMatch: boolean): boolean => {
    if (isMatch && this.matches === this.max_results) return this.end(`stopped after ${counted(this.max_results, "match", "matches")}; search a smaller part, or raise max_results`)
    if (this.chars + line.length + 1 > this.max_chars) return this.end("there are more matches than fit here; search a smaller part or for something rarer")
    if (isMatch) this.matches++
    this.chars += line.length + 1
    this.lines.push(line)
    return true
  }

  end(why: string): false {
    this.ended = why
    return false
  }
}

const searchOpen = async (file: OpenFile, encoding: Encoding, search: LineSearch, pause: () => Promise<boolean>): Promise<boolean> => {
  const decoder = new TextDecoder(encoding)
  if (file.stat.size <= AT_ONCE_BYTES) return await search.push(decoder.decode(readAt(file.fd, 0, AT_ONCE_BYTES)), pause) && search.end()
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  for (let position = 0;;) {
    const { bytesRead } = await readAsync(file.fd, chunk, 0, CHUNK_BYTES, position)
    if (bytesRead === 0) return await search.push(decoder.decode(), pause) && search.end()
    position += bytesRead
    if (!await search.push(decoder.decode(chunk.subarray(0, bytesRead), { stream: true }), pause) || !await pause()) return false
  }
}

/** Searches one file; false when the whole search is over. */
const searchFile = async (real: string, search: LineSearch, result: Result, pause: () => Promise<boolean>): Promise<boolean> => {
  let file: OpenFile
  try {
    file = openPlain(real)
  } catch (cause) {
    if (!(cause instanceof PathRefused) && systemCode(cause) === null) throw cause
    result.unreadable++ // it went away or changed meanwhile, or may not be read
    return true
  }
  try {
    const kind = sniff(readAt(file.fd, 0, SNIFF_BYTES))
    if ("binary" in kind) {
      result.binary++
      return true
    }
    result.searched++
    return await searchOpen(file, kind.encoding, search, pause)
  } finally {
    result.cutLines += search.cutLines
    closeSync(file.fd)
  }
}

const answer = (asked: GrepArguments, tree: Tree, result: Result): string => {
  const notes: Array<string> = []
  if (result.ended !== null) notes.push(`… ${result.ended}`)
  if (!tree.complete) notes.push("… the folder holds too many entries to search them all; search one of its folders")
  if (result.cutLines > 0) notes.push(`… of ${counted(result.cutLines, "very long line")} only the beginning was searched`)
  if (result.binary > 0) notes.push(`… ${counted(result.binary, "binary file")} skipped`)
  if (result.unreadable > 0) notes.push(`… ${counted(result.unreadable, "file")} could not be read`)
  if (result.lines.length > 0) return [...result.lines, ...notes].join("\n")
  const where = `${counted(result.searched, "text file")} in ${tree.start}${asked.glob === undefined ? "" : ` (${asked.glob})`}`
  return [`no match for ${asked.pattern} in ${where}`, ...notes].join("\n")
}

const grep = async (asked: GrepArguments, context: ToolContext, signal: AbortSignal): Promise<string> => {
  const matcher = matcherFor(asked)
  const filter = asked.glob === undefined ? () => true : globFilter(asked.glob, true)
  const until = performance.now() + DEADLINE_MS
  const tree = await treeAt(context, asked.path ?? ".", signal)
  const result = new Result(asked.max_results ?? DEFAULT_RESULTS, Math.max(NOTE_CHARS, context.max_output_chars - NOTE_CHARS))
  let slice = performance.now()
  const pause = async (): Promise<boolean> => {
    slice = await breathe(slice)
    signal.throwIfAborted()
    return slice < until || result.end(`stopped after ${DEADLINE_MS / 1000} s; search a smaller part`)
  }
  for (const file of tree.files) {
    if (!filter(file)) continue
    const search = new LineSearch(file.path, matcher, asked.context ?? 0, result.take)
    if (!await searchFile(file.real, search, result, pause) || !await pause()) break
  }
  return answer(asked, tree, result)
}

export const Grep: Tool = {
  name: "Grep",
  description: "Search text files of the workspace for a regular expression. Answers lines as path:line:text.",
  input: {
    type: "object",
    properties: {
      pattern: { type: "string", minLength: 1, description: "Regular expression; no look-around, no back-references" },
      path: { type: "string", minLength: 1, description: "File or folder to search, relative to the workspace; default: all of it" },
      glob: { type: "string", minLength: 1, description: "Only files that match, for example *.md" },
      case_insensitive: { type: "boolean", description: "Default false" },
      context: { type: "integer", minimum: 0, maximum: 20, description: "Lines to show around each match" },
      max_results: { type: "integer", minimum: 1, maximum: 1000, description: `Matching lines to show, default ${DEFAULT_RESULTS}` },
    },
    required: ["pattern"],
    additionalProperties: false,
  },
  effect: "read",
  timeout_ms: 30_000,
  run: (args, context) => attempt(async (signal) => output(await grep(args as unknown as GrepArguments, context, signal))),
  dependsOn: (args, context) => treeState(context, String(args["path"] ?? "."), true),
}
