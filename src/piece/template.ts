// Placeholders in a movement's instruction. Filled when the movement starts; what is filled in is never read again for
// placeholders, so a file or a task that holds `{task}` stays as it is. Unknown placeholders stay as text. Pure.
import { didYouMean } from "../settings/suggest.ts"

export interface TemplateValues {
  readonly task: string
  readonly previous_output: string
  /** Last output by movement. */
  readonly outputs: Readonly<Record<string, string>>
  readonly workspace: string
  /** How often this movement has started, from 1. */
  readonly iteration: number
  /** Bound on each filled-in output; the middle of a longer one is left out. Default: none. */
  readonly max_output_chars?: number
}

const PLACEHOLDER = /\{([a-z_]+)(?::([^{}\n]{1,200}))?\}/g
const PLAIN = ["task", "previous_output", "workspace", "iteration"] as const
const NOT_YET = ["var", "report"]
const IN_NARROWING = ["files", "files_named"]

/** The beginning and the end of a text that is too long, with what was left out between them. */
export const shortened = (text: string, max_chars: number): string => {
  if (text.length <= max_chars) return text
  const head = Math.ceil(max_chars * 0.7)
  const tail = max_chars - head
  return `${text.slice(0, head)}\n… (${text.length - max_chars} characters left out)\n${tail > 0 ? text.slice(-tail) : ""}`
}

export const fillTemplate = (text: string, values: TemplateValues): string => {
  const bounded = (output: string) => shortened(output, values.max_output_chars ?? Infinity)
  return text.replace(PLACEHOLDER, (whole, name: string, argument: string | undefined) => {
    if (argument !== undefined) return name === "output" ? bounded(Object.hasOwn(values.outputs, argument) ? values.outputs[argument]! : "") : whole
    switch (name) {
      case "task": return values.task
      case "previous_output": return bounded(values.previous_output)
      case "workspace": return values.workspace
      case "iteration": return String(values.iteration)
      default: return whole
    }
  })
}

export interface TemplateProblem {
  readonly severity: "error" | "warning"
  readonly message: string
}

/** What is wrong with the placeholders of an instruction in a piece with these movements. */
export const templateProblems = (text: string, movements: ReadonlyArray<string>): ReadonlyArray<TemplateProblem> => {
  const found: Array<TemplateProblem> = []
  for (const [whole, name = "", argument] of text.matchAll(PLACEHOLDER)) {
    if (NOT_YET.includes(name) && argument !== undefined) found.push({ severity: "error", message: `${whole} is not supported yet` })
    else if (name === "output" && argument !== undefined) {
      if (!movements.includes(argument)) found.push({ severity: "warning", message: `${whole} names no movement of this piece${didYouMean(argument, movements)}` })
    } else if (IN_NARROWING.includes(name) && argument !== undefined) found.push({ severity: "warning", message: `${whole} is filled in only in the \`enum\` and \`with\` of a tool; here it stays as it is` })
    else if (argument !== undefined || !(PLAIN as ReadonlyArray<string>).includes(name)) {
      found.push({ severity: "warning", message: `${whole} is no placeholder and stays as it is${didYouMean(name, [...PLAIN, "output"])}` })
    }
  }
  return found
}
