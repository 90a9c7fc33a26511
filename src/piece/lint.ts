// What a piece should be besides well-formed: every movement reachable and able to end, rules in a sensible order, tools and
// models that exist. Called by PieceSource at PUT and validate, and by `pieces lint`; the answer has the form of
// POST /api/pieces/validate. Errors refuse the piece, warnings do not: a tool or model may be installed later.
import type { InputIssue } from "../job/errors.ts"
import { isTerminalNext } from "../job/piece.ts"
import type { Movement, Piece, ToolEntry } from "../job/piece.ts"
import type { Path } from "../settings/document.ts"
import { didYouMean } from "../settings/suggest.ts"
import { schemaProblem } from "../tools/schema.ts"
import type { Tool } from "../tools/Tool.ts"
import { GROUPS, PUBLISHED_TOOLS, selectTools } from "../tools/Toolbox.ts"
import { readPiece } from "./parse.ts"
import { templateProblems } from "./template.ts"

export interface LintOptions {
  /** The installed tools. */
  readonly tools: ReadonlyArray<Tool>
  /** Models that enabled workers offer; null: not known, so not judged. */
  readonly models: ReadonlyArray<string> | null
  /** The name under which the piece is kept; null: any. */
  readonly name: string | null
}

export interface LintReport {
  readonly valid: boolean
  readonly errors: ReadonlyArray<InputIssue>
  readonly warnings: ReadonlyArray<InputIssue>
}

interface Finding {
  readonly severity: "error" | "warning"
  readonly path: Path
  readonly message: string
  readonly at?: "key" | "value"
}

const error = (path: Path, message: string, at: "key" | "value" = "value"): Finding => ({ severity: "error", path, message, at })
const warning = (path: Path, message: string, at: "key" | "value" = "value"): Finding => ({ severity: "warning", path, message, at })

/** Where a movement can lead: its rules' nexts and, behind a park, where the job resumes. */
const leadsTo = (movement: Movement): ReadonlyArray<string> =>
  movement.rules.flatMap((rule) => [rule.next, ...(rule.resume === null ? [] : [rule.resume])])

/** Names that can be reached from the given ones by `step`. */
const closure = (start: Iterable<string>, step: (name: string) => Iterable<string>): ReadonlySet<string> => {
  const seen = new Set(start)
  for (const name of seen) for (const next of step(name)) seen.add(next) // a Set grows while it is walked
  return seen
}

const graph = (piece: Piece): ReadonlyArray<Finding> => {
  const byName = new Map(piece.movements.map((movement) => [movement.name, movement]))
  const reached = closure([piece.initial_movement], (name) => leadsTo(byName.get(name) ?? { ...piece.movements[0]!, rules: [] }))
  const before = new Map<string, Array<string>>()
  for (const movement of piece.movements) for (const next of leadsTo(movement)) before.set(next, [...(before.get(next) ?? []), movement.name])
  const ending = closure(piece.movements.filter((m) => m.rules.some((rule) => isTerminalNext(rule.next))).map((m) => m.name), (name) => before.get(name) ?? [])
  return piece.movements.flatMap(({ name }, i) => {
    if (!reached.has(name)) return [error(["movements", i, "name"], `no rule leads to the movement "${name}" from "${piece.initial_movement}"`)]
    return ending.has(name) ? [] : [error(["movements", i, "rules"], `from the movement "${name}" there is no way to COMPLETE, ABORT, ASK or WAIT_SUBTASKS`, "key")]
  })
}

const rules = ({ rules: list }: Movement, path: Path): ReadonlyArray<Finding> => {
  const catchAll = list.findIndex((rule) => rule.if === null)
  if (catchAll === -1) return []
  return list.slice(catchAll + 1).map((_, j) => error([...path, "rules", catchAll + 1 + j], `never used: the rule before it has no \`if\` and holds always`))
}

const argumentProblems = (entry: ToolEntry, tool: Tool, path: Path): ReadonlyArray<Finding> => {
  const properties = Object.keys((tool.input["properties"] ?? {}) as object)
  const found: Array<Finding> = []
  for (const part of ["with", "narrow"] as const) {
    for (const name of Object.keys(entry[part])) {
      const at = [...path, part, name]
      if (!properties.includes(name)) found.push(error(at, `${tool.name} has no argument "${name}"${didYouMean(name, properties)}`, "key"))
      else if (part === "narrow" && Object.hasOwn(entry.with, name)) found.push(error(at, `"${name}" is filled in by \`with\` already`, "key"))
    }
  }
  return found
}

const schemaProblems = (entry: ToolEntry, path: Path): ReadonlyArray<Finding> => Object.entries(entry.narrow).flatMap(([name, schema]) => {
  const at = [...path, "narrow", name]
  const given = schema["enum"]
  if (given !== undefined && (!Array.isArray(given) || given.length === 0)) return [error([...at, "enum"], "expected a list of values that is not empty")]
  const problem = schemaProblem(schema)
  return problem === null ? [] : [error(at, `not a JSON Schema: ${problem}`)]
})

const toolEntry = (entry: ToolEntry, path: Path, options: LintOptions): ReadonlyArray<Finding> => {
  const narrows = entry.once || Object.keys(entry.with).length > 0 || Object.keys(entry.narrow).length > 0
  const at = narrows ? [...path, "tool"] : path
  const known = options.tools.find((tool) => tool.name === entry.tool)
  if (known !== undefined) return [...argumentProblems(entry, known, path), ...schemaProblems(entry, path)]
  if (/^@|[*?]/.test(entry.tool) && narrows) return [error(at, `\`with\`, \`narrow\` and \`once\` need the name of one tool, not ${entry.tool}`)]
  if (entry.tool.startsWith("@") && GROUPS[entry.tool] === undefined) return [error(at, `there is no group ${entry.tool}${didYouMean(entry.tool, Object.keys(GROUPS))}`)]
  const later = PUBLISHED_TOOLS.has(entry.tool) || /^@|[*?]|^(plugin|mcp)__/.test(entry.tool)
  const said = selectTools(options.tools, [entry]).warnings[0]
  if (said === undefined) return []
  if (later) return [warning(at, /^(plugin|mcp)__[^*?]*$/.test(entry.tool) ? `${entry.tool} is not installed here` : said), ...schemaProblems(entry, path)]
  return [error(at, `there is no tool ${entry.tool}${didYouMean(entry.tool, [...options.tools.map((tool) => tool.name), ...PUBLISHED_TOOLS, ...Object.keys(GROUPS)])}`)]
}

const movement = (one: Movement, path: Path, piece: Piece, options: LintOptions): ReadonlyArray<Finding> => {
  const names = piece.movements.map(({ name }) => name)
  const twice = selectTools(options.tools, one.tools).warnings.filter((text) => text.includes("narrowed twice"))
  return [
    ...templateProblems(one.instruction, names).map((p): Finding => ({ severity: p.severity, path: [...path, "instruction"], message: p.message })),
    ...one.tools.flatMap((entry, i) => toolEntry(entry, [...path, "tools", i], options)),
    ...twice.map((text) => warning([...path, "tools"], text, "key")),
    ...rules(one, path),
  ]
}

const whole = (piece: Piece, options: LintOptions): ReadonlyArray<Finding> => [
  ...(options.name !== null && piece.name !== options.name ? [error(["name"], `the piece is called "${piece.name}" here and "${options.name}" outside; use one name`)] : []),
  ...(piece.model !== null && options.models !== null && !options.models.includes(piece.model)
    ? [warning(["model"], `no enabled worker offers the model "${piece.model}"${didYouMean(piece.model, options.models)}`)] : []),
  ...piece.movements.flatMap((one, i) => movement(one, ["movements", i], piece, options)),
]

/** Everything that can be said of a piece. The graph is judged only when every name in it resolves. */
export const lintPiece = (text: string, options: LintOptions): LintReport => {
  const read = readPiece(text)
  if (read.piece === null) return { valid: false, errors: read.errors, warnings: [] }
  const findings = [...whole(read.piece, options), ...(read.errors.length === 0 ? graph(read.piece) : [])]
  const pick = (severity: Finding["severity"]) => findings.filter((f) => f.severity === severity).map((f) => read.issueAt(f.path, f.message, f.at))
  const byPlace = (a: InputIssue, b: InputIssue) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
  const errors = [...read.errors, ...pick("error")].toSorted(byPlace)
  return { valid: errors.length === 0, errors, warnings: pick("warning").toSorted(byPlace) }
}
