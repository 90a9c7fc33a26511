// Reads the YAML (or JSON) of a piece into a checked `Piece`, or lists every wrong place with path, line and column. By the
// time a Piece exists every name in it resolves; what a piece should also be (reachable, ending, with known tools) is
// lint's. Called at submission, by the run, and by lint. Pure and bounded: see `settings/document.ts` for the limits.
import type { InputIssue } from "../job/errors.ts"
import { isTerminalNext, TERMINALS } from "../job/piece.ts"
import type { JsonSchema, Movement, Piece, Rule, ToolEntry } from "../job/piece.ts"
import { checkValue } from "../settings/check.ts"
import type { Wrong } from "../settings/check.ts"
import { pathText, readYaml } from "../settings/document.ts"
import type { Path, Position } from "../settings/document.ts"
import { didYouMean } from "../settings/suggest.ts"
import { DEFAULTS, durationMs, PieceSchema, unknownKeyMessage, wholeNumber } from "./schema.ts"

export type ParsedPiece = { readonly _tag: "Valid"; readonly piece: Piece } | { readonly _tag: "Invalid"; readonly errors: ReadonlyArray<InputIssue> }

/** A piece with the places of its parts; lint goes on from here. */
export interface ReadPiece {
  /** Null when the text is not a piece at all; then there are errors. */
  readonly piece: Piece | null
  readonly errors: ReadonlyArray<InputIssue>
  readonly issueAt: (path: Path, message: string, at?: "key" | "value") => InputIssue
}

type Raw = typeof PieceSchema.Type
type RawMovement = Raw["movements"][number]

const toEntry = (entry: NonNullable<RawMovement["tools"]>[number]): ToolEntry =>
  typeof entry === "string"
    ? { tool: entry, with: {}, narrow: {}, once: false }
    : { tool: entry.tool, with: entry.with ?? {}, narrow: (entry.narrow ?? {}) as Record<string, JsonSchema>, once: entry.once ?? false }

const toMovement = (raw: RawMovement): Movement => ({
  name: raw.name,
  persona: raw.persona ?? null,
  instruction: raw.instruction,
  tools: (raw.tools ?? []).map(toEntry),
  rules: raw.rules.map((rule): Rule => ({ if: rule.if ?? null, next: rule.next, resume: rule.resume ?? null })),
  max_turns: raw.max_turns === undefined ? DEFAULTS.max_turns : wholeNumber(raw.max_turns),
  timeout_ms: (raw.timeout === undefined ? null : durationMs(raw.timeout)) ?? DEFAULTS.timeout_ms,
})

const toPiece = (raw: Raw): Piece => {
  const count = (value: number | string | undefined) => (value === undefined ? null : wholeNumber(value))
  const { turns, tokens, tool_calls, wall_time } = raw.budget ?? {}
  return {
    name: raw.name,
    description: raw.description ?? "",
    initial_movement: raw.initial_movement ?? raw.movements[0]?.name ?? "",
    max_movements: count(raw.max_movements) ?? DEFAULTS.max_movements,
    model: raw.model ?? null,
    budget: { turns: count(turns), tokens: count(tokens), tool_calls: count(tool_calls), wall_time_ms: wall_time === undefined ? null : durationMs(wall_time) },
    movements: raw.movements.map(toMovement),
  }
}

const ruleProblems = (rule: Rule, path: Path, names: ReadonlySet<string>): ReadonlyArray<Wrong> => {
  const wrong: Array<Wrong> = []
  if (!isTerminalNext(rule.next) && !names.has(rule.next)) {
    wrong.push({ path: [...path, "next"], at: "value", message: `there is no movement "${rule.next}"${didYouMean(rule.next, [...names, ...TERMINALS])}` })
  }
  if (rule.resume === null) return wrong
  if (rule.next !== "ASK" && rule.next !== "WAIT_SUBTASKS") wrong.push({ path: [...path, "resume"], at: "key", message: "only a rule with next: ASK or WAIT_SUBTASKS can say where to resume" })
  else if (!names.has(rule.resume)) wrong.push({ path: [...path, "resume"], at: "value", message: `there is no movement "${rule.resume}"${didYouMean(rule.resume, names)}` })
  return wrong
}

/** Names that come twice or lead nowhere. */
const nameProblems = (piece: Piece): ReadonlyArray<Wrong> => {
  const wrong: Array<Wrong> = []
  const names = new Set<string>()
  piece.movements.forEach(({ name }, i) => {
    if (isTerminalNext(name.toUpperCase())) wrong.push({ path: ["movements", i, "name"], at: "value", message: `"${name}" is the name of an ending; call the movement otherwise` })
    if (names.has(name)) wrong.push({ path: ["movements", i, "name"], at: "value", message: `two movements are called "${name}"` })
    names.add(name)
  })
  if (!names.has(piece.initial_movement)) wrong.push({ path: ["initial_movement"], at: "value", message: `there is no movement "${piece.initial_movement}"${didYouMean(piece.initial_movement, names)}` })
  piece.movements.forEach(({ rules }, i) => rules.forEach((rule, j) => wrong.push(...ruleProblems(rule, ["movements", i, "rules", j], names))))
  return wrong
}

/** A key that is missing only because it is mistyped beside itself is told once, as the mistyped one. */
const withoutEchoes = (wrong: ReadonlyArray<Wrong>): ReadonlyArray<Wrong> => wrong.filter(({ path, message }) => {
  const [, missing] = /^"(.*)" is missing$/.exec(message) ?? []
  const parent = pathText(path.slice(0, -1))
  return missing === undefined || !wrong.some((other) => other.at === "key" && pathText(other.path.slice(0, -1)) === parent && other.message.endsWith(`did you mean "${missing}"?`))
})

export const readPiece = (text: string): ReadPiece => {
  const { value, problems, positionOf } = readYaml(text)
  const issueAt = (path: Path, message: string, at: "key" | "value" = "value"): InputIssue => ({ path: pathText(path), message, ...positionOf(path, at) })
  if (problems.length > 0) {
    return { piece: null, errors: problems.map(({ path, message, line, column }: Position & { path: Path; message: string }) => ({ path: pathText(path), message, line, column })), issueAt }
  }
  const checked = checkValue(PieceSchema, value, { unknownKey: unknownKeyMessage })
  if (checked.value === null) return { piece: null, errors: withoutEchoes(checked.wrong).map((w) => issueAt(w.path, w.message, w.at)), issueAt }
  const piece = toPiece(checked.value)
  return { piece, errors: nameProblems(piece).map((w) => issueAt(w.path, w.message, w.at)), issueAt }
}

export const parsePiece = (text: string): ParsedPiece => {
  const { piece, errors } = readPiece(text)
  return piece === null || errors.length > 0 ? { _tag: "Invalid", errors } : { _tag: "Valid", piece }
}
