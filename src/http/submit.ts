// From a checked body to a NewTask: defaults, the `ui_*:` lines of the instruction (P7), the title, the piece that is played
// (W9), and every reason for a refusal at once. Pure; called by routes/tasks.ts, which has looked the piece up before.
import type { InputIssue } from "../job/errors.ts"
import { ASK_POLICIES, type NewTask, OUTPUT_FORMATS, PRIORITIES } from "../job/record.ts"
import type { WorkerSettings } from "../settings/settings.ts"
import type { NewTaskBody } from "./bodies.ts"

const MAX_DERIVED_TITLE_CHARS = 80
const UI_LINE = /^[ \t]*ui_([a-z_]+)[ \t]*:[ \t]*(.*?)[ \t]*$/

const UI_VALUES = { priority: PRIORITIES, output_format: OUTPUT_FORMATS, ask_policy: ASK_POLICIES } as const
const ROLE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** What the `ui_*:` lines say; the first line of a kind counts, unknown kinds are plain text. */
interface UiLines {
  readonly priority?: NewTask["priority"]
  readonly output_format?: NewTask["output_format"]
  readonly ask_policy?: NewTask["ask_policy"]
  readonly role?: string
}

/** A field that is present needs no line, so a line is judged only where its field is absent. */
export const readUiLines = (instruction: string, present: ReadonlySet<string>): { readonly found: UiLines; readonly errors: ReadonlyArray<InputIssue> } => {
  const found: Record<string, string> = {}
  const errors: Array<InputIssue> = []
  if (!instruction.includes("ui_")) return { found, errors }
  const lines = instruction.split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    const match = UI_LINE.exec(line)
    if (match === null) continue
    const [, kind = "", value = ""] = match
    const field = kind === "profile" ? "role" : kind
    if (present.has(field) || field in found) continue
    const allowed: ReadonlyArray<string> | null = field in UI_VALUES ? UI_VALUES[field as keyof typeof UI_VALUES] : null
    if (allowed === null && field !== "role") continue
    const fits = allowed === null ? ROLE.test(value) : allowed.includes(value)
    if (fits) found[field] = value
    else errors.push({ path: "instruction", message: `line ${index + 1}: ui_${kind} must be ${allowed === null ? "the name of a role" : allowed.join(", ")}; set the field "${field}" to ignore the line` })
  }
  return { found: found as UiLines, errors }
}

/** The first line that says something, cut at a word. */
export const deriveTitle = (instruction: string): string => {
  const lines = instruction.slice(0, 20_000).split(/\r?\n/).map((line) => line.replace(/\s+/g, " ").trim())
  const line = lines.find((l) => l !== "" && !UI_LINE.test(l)) ?? lines.find((l) => l !== "") ?? "Task"
  const characters = [...line]
  if (characters.length <= MAX_DERIVED_TITLE_CHARS) return line
  const cut = characters.slice(0, MAX_DERIVED_TITLE_CHARS - 1).join("")
  const space = cut.lastIndexOf(" ")
  return `${space > MAX_DERIVED_TITLE_CHARS / 2 ? cut.slice(0, space) : cut}…`
}

export interface PieceChoice {
  readonly name: string
  readonly notice: string | null
}

/** The piece to play: the one that is named, else `general`, or `digest` when all there is is one small model (W9). */
export const choosePiece = (named: string | null, workers: ReadonlyArray<WorkerSettings>): PieceChoice => {
  if (named !== null) return { name: named, notice: null }
  const usable = workers.filter((worker) => worker.enabled && worker.claims)
  const [only] = usable
  if (only === undefined || usable.length > 1 || only.size !== "small") return { name: "general", notice: null }
  return { name: "digest", notice: `The only worker, ${only.id}, has a small model, so the piece "digest" is played in place of "general". Name a piece to choose another.` }
}

const NOT_YET = ["schedule", "browser_session_profile_id", "output_schema"] as const

export const notYet = (body: Readonly<Record<string, unknown>>, fields: ReadonlyArray<string>): ReadonlyArray<InputIssue> =>
  fields.filter((field) => body[field] !== undefined && body[field] !== null).map((field) => ({ path: field, message: "not supported yet; leave it out" }))

export interface SubmitOptions {
  readonly owner: string
  readonly workspace: string
  readonly max_attempts: number
  readonly piece: PieceChoice
  readonly piece_text: string
  readonly model: string | null
}

export interface Checks {
  readonly ui: UiLines
  readonly idempotency_key: string | null
  readonly errors: ReadonlyArray<InputIssue>
}

/** Everything that can be wrong with a body besides its shape and its piece. */
export const checkBody = (body: NewTaskBody, header_key: string | null, max_key_chars: number): Checks => {
  const given: Readonly<Record<string, unknown>> = body
  const present = new Set(Object.keys(body).filter((key) => given[key] !== null))
  const ui = readUiLines(body.instruction, present)
  const key = body.idempotency_key ?? header_key
  const errors: Array<InputIssue> = [...ui.errors, ...notYet(given, NOT_YET)]
  if (header_key !== null && (header_key.length === 0 || header_key.length > max_key_chars)) {
    errors.push({ path: "Idempotency-Key", message: `the header must have 1 to ${max_key_chars} characters` })
  }
  if (header_key !== null && key !== header_key) {
    errors.push({ path: "idempotency_key", message: "the header Idempotency-Key names another key; send one of them" })
  }
  return { ui: ui.found, idempotency_key: key, errors }
}

export const newTask = (body: NewTaskBody, checks: Checks, options: SubmitOptions): NewTask => ({
  title: body.title?.trim() ?? deriveTitle(body.instruction),
  instruction: body.instruction,
  piece: options.piece.name,
  piece_text: options.piece_text,
  role: body.role ?? checks.ui.role ?? "auto",
  model: options.model,
  priority: body.priority ?? checks.ui.priority ?? "medium",
  output_format: body.output_format ?? checks.ui.output_format ?? "markdown",
  ask_policy: body.ask_policy ?? checks.ui.ask_policy ?? "low",
  options: body.options ?? {},
  visibility: body.visibility ?? "private",
  owner: options.owner,
  idempotency_key: checks.idempotency_key,
  max_attempts: options.max_attempts,
  workspace: options.workspace,
  notice: options.piece.notice,
})
