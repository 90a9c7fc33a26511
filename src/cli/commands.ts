// The table of commands: what each is called, takes and says in its help. run.ts looks them up here; the README repeats it.
import { flagLines } from "./arguments.ts"
import type { Flag } from "./arguments.ts"

export interface Command {
  /** How it is written after `task` or `pieces`; empty for the submission itself. */
  readonly name: string
  readonly usage: string
  readonly summary: string
  readonly flags: ReadonlyArray<Flag>
  /** Further lines of its help. */
  readonly more: ReadonlyArray<string>
}

const URL_FLAG: Flag = { name: "--url", value: "URL", help: "address of the node (else ATTACCA_URL, attacca.yaml, http://127.0.0.1:3000)" }
const JSON_FLAG: Flag = { name: "--json", help: "print JSON for programs instead of progress" }
const COLOUR_FLAG: Flag = { name: "--no-color", help: "no colours and no live line (also NO_COLOR=1)" }
const HELP_FLAG: Flag = { name: "--help", short: "-h", help: "this text" }
const DETACH_FLAG: Flag = { name: "--detach", short: "-d", help: "do not wait for the end" }
const COMMON = [URL_FLAG, JSON_FLAG, COLOUR_FLAG, HELP_FLAG]

const EXITS = ["Exit codes: 0 succeeded, 1 failed or cancelled, 2 wrong usage or input, 3 waits for a person, 4 no node answers."]

const SUBMIT: Command = {
  name: "", usage: 'task "INSTRUCTION" [options]', summary: "submit a task and follow it to its end",
  flags: [
    { name: "--file", short: "-f", value: "PATH", many: true, help: "upload a file into the task's input/ (may be repeated)" },
    { name: "--piece", short: "-p", value: "NAME", help: "the piece to play (default general; see pieces list)" },
    { name: "--title", value: "TEXT", help: "title in lists (default: from the instruction)" },
    { name: "--role", value: "ROLE", help: "class of service: auto, fast, quality or one of your own" },
    { name: "--priority", value: "LEVEL", oneOf: ["low", "medium", "high"], help: "low, medium or high" },
    { name: "--format", value: "FORMAT", oneOf: ["text", "markdown", "json"], help: "of the result: text, markdown or json" },
    { name: "--ask", value: "POLICY", oneOf: ["low", "high"], help: "low: ask only when blocked; high: ask whenever a choice matters" },
    DETACH_FLAG, ...COMMON,
  ],
  more: [
    "A first word list, show, answer, say, cancel, retry or resume with a number after it is a command; anything else is an",
    "instruction. `-` as the instruction reads it from the standard input; after `--` nothing is an option.",
    "Ctrl-C asks whether to leave the task running (Enter), cancel it (c) or go on following (f).",
    ...EXITS,
    "",
    "Examples:",
    '  task "Read input/notes.txt and write a three-line summary to output/summary.md" --file notes.txt',
    '  task "Compare the two drafts" -f a.md -f b.md --priority high --detach',
  ],
}

const numbered = (name: string, rest: string, summary: string, flags: ReadonlyArray<Flag>, more: ReadonlyArray<string> = []): Command =>
  ({ name, usage: `task ${name} NUMBER${rest}`, summary, flags: [...flags, ...COMMON], more: [...more, ...EXITS] })

export const TASK_COMMANDS: ReadonlyArray<Command> = [
  SUBMIT,
  {
    name: "list", usage: "task list [NUMBER]", summary: "the newest tasks, NUMBER of them (20)",
    flags: [{ name: "--status", value: "STATUS", oneOf: ["queued", "running", "retry", "waiting_human", "waiting_subtasks", "succeeded", "failed", "cancelled"], help: "only tasks with this status" }, ...COMMON],
    more: [],
  },
  numbered("show", "", "a task with its job, result and files", [{ name: "--follow", help: "go on watching it until it ends" }], ["Ends with 0 whatever the task's own status is; with --follow, with the task's code."]),
  numbered("answer", ' "TEXT"', "answer the question of a waiting task, and follow it on", [DETACH_FLAG]),
  numbered("say", ' "TEXT"', "comment on a task", [{ name: "--mode", value: "MODE", oneOf: ["steer", "queue", "interrupt"], help: "how it reaches a running job: steer, queue or interrupt" }, DETACH_FLAG]),
  numbered("cancel", "", "cancel a task that has not ended", []),
  numbered("retry", "", "run an ended task again, and follow it", [DETACH_FLAG]),
  numbered("resume", "", "let a quarantined task go on, and follow it", [DETACH_FLAG]),
]

export const PIECES_COMMANDS: ReadonlyArray<Command> = [
  { name: "list", usage: "pieces list", summary: "the pieces that a task may name", flags: COMMON, more: [] },
  {
    name: "lint", usage: "pieces lint FILE…", summary: "check piece files: keys, rules, reachability, tools", flags: COMMON,
    more: ["Prints file:line:column for every error. Exit codes: 0 valid, 1 errors, 2 wrong usage, 4 no node answers."],
  },
]

/** Words that are a command of `task` when a number follows. */
export const TASK_WORDS: ReadonlySet<string> = new Set(TASK_COMMANDS.map((command) => command.name).filter((name) => name !== ""))

export const commandHelp = (command: Command): string =>
  [`${command.usage}`, `  ${command.summary}`, "", "Options:", ...flagLines(command.flags), ...(command.more.length > 0 ? ["", ...command.more] : [])].join("\n")

const overview = (commands: ReadonlyArray<Command>): Array<string> => {
  const width = Math.max(...commands.map((command) => command.usage.length))
  return commands.map((command) => `  ${command.usage.padEnd(width)}  ${command.summary}`)
}

/** `program` is how the user starts the command line, for example `bun src/cli.ts`. */
export const generalHelp = (): string => [
  "Attacca's command line: talks to a running node over its HTTP API.", "", "Commands:",
  ...overview([...TASK_COMMANDS, ...PIECES_COMMANDS]), "",
  "With npm: npm run task -- \"INSTRUCTION\"; with Bun: bun run task \"INSTRUCTION\". --help after a command says more.",
  ...EXITS,
].join("\n")
