// The command line: finds the command that the words mean, runs it against the node and answers the exit code. Everything
// it touches of the process comes in as `Surroundings`, so that cli.ts is the only file that knows process.
import { findAddress } from "./address.ts"
import { bypassProxy } from "./api.ts"
import { has, readArguments, valueOf } from "./arguments.ts"
import type { Arguments, Flag } from "./arguments.ts"
import { commandHelp, generalHelp, PIECES_COMMANDS, TASK_COMMANDS, TASK_WORDS } from "./commands.ts"
import type { Command } from "./commands.ts"
import { CommandFailure, EXIT } from "./failure.ts"
import type { Keys } from "./interrupt.ts"
import { callerFolder } from "./invocation.ts"
import { outputTo } from "./output.ts"
import type { Output, Sink } from "./output.ts"
import { runPieces } from "./pieces.ts"
import { runSubmit } from "./submit.ts"
import { runTask } from "./task.ts"
import { didYouMean } from "../settings/suggest.ts"

export interface Surroundings {
  readonly env: Record<string, string | undefined>
  readonly cwd: string
  /** The folder of package.json. */
  readonly project: string
  readonly stdout: Sink
  readonly stderr: Sink
  readonly stdin: Keys
  readonly readStdin: () => Promise<string>
  /** Calls back at each Ctrl-C until the returned function is called. */
  readonly onInterrupt: (listener: () => void) => () => void
}

/** What every command gets. */
export interface Context {
  readonly around: Surroundings
  readonly args: Arguments
  readonly base: string
  /** Progress and results for a person. */
  readonly out: Output
  /** Paths of the user start here. */
  readonly folder: string
  /** Prints the one JSON document of `--json`; true when that was asked for. */
  readonly json: (value: unknown) => boolean
}

const wrong = (message: string, help: string): CommandFailure => new CommandFailure(message, EXIT.usage, [help])

interface Chosen {
  readonly group: "task" | "pieces"
  readonly command: Command
}

const find = (commands: ReadonlyArray<Command>, name: string): Command => {
  const command = commands.find((one) => one.name === name)
  if (command === undefined) throw wrong(`unknown command "${name}"${didYouMean(name, commands.map((one) => one.name))}`, "--help lists the commands")
  return command
}

const lax = ({ name, short, value, help }: Flag): Flag => ({ name, many: true, help, ...(short === undefined ? {} : { short }), ...(value === undefined ? {} : { value }) })
/** Flags that may stand before the word that tells the command, whatever their values; its own table reads them again. */
const ALL_TASK_FLAGS = [...new Map(TASK_COMMANDS.flatMap((command) => command.flags).map((flag) => [flag.name, lax(flag)])).values()]

/** Asked for before `--`; after it every word is a word. */
const wantsHelp = (argv: ReadonlyArray<string>): boolean => {
  const end = argv.indexOf("--")
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === "--help" || word === "-h")
}

/** Which command a line means. The rest of the words are checked by the command's own table. */
const choose = (group: string | undefined, argv: ReadonlyArray<string>): Chosen => {
  if (group === "pieces") {
    const words = argv.filter((word) => !word.startsWith("-"))
    return { group, command: find(PIECES_COMMANDS, words[0] ?? "list") }
  }
  if (group !== "task") throw wrong(group === undefined ? "no command" : `unknown command "${group}"${didYouMean(group, ["task", "pieces"])}`, "--help lists the commands")
  const { words } = lenient(argv)
  const [first = "", second] = words
  const isNumber = second !== undefined && /^\d+$/.test(second)
  const asked = TASK_WORDS.has(first) && (isNumber || (words.length === 1 && (first === "list" || wantsHelp(argv))))
  return { group, command: find(TASK_COMMANDS, asked ? first : "") }
}

/** The words without the flags, whatever the flags are worth: a wrong flag is told by the command that reads it. */
const lenient = (argv: ReadonlyArray<string>): Arguments => {
  try {
    return readArguments(argv, ALL_TASK_FLAGS)
  } catch {
    return { words: argv.filter((word) => !word.startsWith("-")), flags: new Map() }
  }
}

const printFailure = (failure: CommandFailure, out: Output): void => {
  out.line(`${out.paint("red", "attacca:")} ${failure.message}`)
  for (const detail of failure.details) out.line(`  ${detail}`)
}

/** Runs one command line (without the program's name) and answers its exit code; never rejects for an expected failure. */
export const runCommandLine = async (argv: ReadonlyArray<string>, around: Surroundings): Promise<number> => {
  const options = argv.includes("--no-color") ? { env: { ...around.env, TERM: "dumb" }, colour: false } : { env: around.env }
  const out = outputTo(around.stdout, options)
  const errors = outputTo(around.stderr, options)
  try {
    const [group, ...rest] = argv
    if (group === "--help" || group === "-h" || group === "help") {
      out.line(generalHelp())
      return EXIT.succeeded
    }
    const chosen = choose(group, rest)
    if (wantsHelp(rest)) {
      out.line(commandHelp(chosen.command))
      return EXIT.succeeded
    }
    const args = readArguments(rest, chosen.command.flags)
    const folder = callerFolder(around.env, around.cwd, around.project)
    const base = await findAddress({ url: valueOf(args, "url"), env: around.env, folders: [...new Set([folder, around.project])] })
    bypassProxy(base, around.env)
    const json = (value: unknown): boolean => {
      if (!has(args, "json")) return false
      around.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
      return true
    }
    const context: Context = { around, args, base, out, folder, json }
    if (chosen.group === "pieces") return await runPieces(chosen.command.name, context)
    return chosen.command.name === "" ? await runSubmit(context) : await runTask(chosen.command.name, context)
  } catch (cause) {
    if (!(cause instanceof CommandFailure)) throw cause
    out.live("")
    printFailure(cause, errors)
    return cause.exit_code
  }
}
