// The schema of a piece as it stands in YAML: the authority for keys, types and ranges, published at /schemas/piece.json.
// `parse.ts` decodes with it and fills in the defaults. Keys of capabilities that are not built yet are known here, so
// that they are refused as such; building one moves its key from NOT_YET into the schema.
import { Schema } from "effect"
import { TERMINALS } from "../job/piece.ts"
import type { Path } from "../settings/document.ts"

export const DEFAULTS = { max_movements: 20, max_turns: 30, timeout_ms: 20 * 60_000 } as const

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const MAX_DURATION_MS = 30 * 86_400_000
const DURATION = /^(?:\d[\d_]*(?:\.\d+)?(?:ms|s|m|h|d))+$/u

/** Milliseconds of `90s`, `20m`, `1h30m`; null for anything else. */
export const durationMs = (text: string): number | null => {
  if (!DURATION.test(text)) return null
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d_]+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(amount!.replaceAll("_", "")) * UNIT_MS[unit!]!
  return Math.round(total)
}

/** 2_000_000 is text to YAML 1.2 and a number to people. */
export const wholeNumber = (value: number | string): number => (typeof value === "number" ? value : Number(value.replaceAll("_", "")))

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/u
export const isPieceName = (text: string): boolean => NAME.test(text)

const text = (description: string) => Schema.String.check(Schema.isPattern(/\S/u, { expected: "text" })).annotate({ description })
const name = (description: string) => Schema.String.check(Schema.isPattern(NAME, { expected: "a name of letters, digits, dash and underscore (64 at most)" })).annotate({ description })
const count = (description: string, maximum: number, fallback?: number) => {
  const expected = `a whole number from 1 to ${maximum.toLocaleString("en").replaceAll(",", "_")}`
  const number = Schema.Number.check(Schema.isInt({ expected }), Schema.isBetween({ minimum: 1, maximum }, { expected }))
  const grouped = Schema.String.check(Schema.makeFilter((s: string) => !(wholeNumber(s) < 1 || wholeNumber(s) > maximum), { expected }), Schema.isPattern(/^\d[\d_]{0,20}$/u, { expected }))
  return Schema.Union([number, grouped]).annotate({ description, expected, ...(fallback === undefined ? {} : { default: fallback }) })
}
const duration = (description: string, fallback?: string) =>
  Schema.String.check(
    Schema.makeFilter((s: string) => (durationMs(s) ?? 1) >= 1 && (durationMs(s) ?? 1) <= MAX_DURATION_MS, { expected: "a duration from 1ms to 30d" }),
    Schema.isPattern(DURATION, { expected: "a duration such as 90s, 20m or 1h30m" }),
  ).annotate({ description, ...(fallback === undefined ? {} : { default: fallback }) })

const RuleSchema = Schema.Struct({
  if: Schema.optionalKey(text("Condition in words; the model judges it. Left out: holds always (catch-all)")),
  next: text(`Movement to go to, or one of ${TERMINALS.join(", ")}`),
  resume: Schema.optionalKey(text("With ASK and WAIT_SUBTASKS: the movement in which the job goes on; default: the same movement")),
}).annotate({ description: "Tried in order; the first that holds decides" })

const Anything = Schema.Record(Schema.String, Schema.Unknown)

const NarrowingSchema = Schema.Struct({
  tool: text("Name of the tool"),
  with: Schema.optionalKey(Anything.annotate({ description: "Arguments that the runtime fills in and hides from the model. `{files_named:task}` stands for the output path named in the task" })),
  narrow: Schema.optionalKey(Schema.Record(Schema.String, Anything).annotate({
    description: "JSON Schema by argument that must hold besides the tool's own. In an `enum`, `{files:GLOB}` stands for the workspace's matching paths and `{files_named:task}` for the output paths named in the task (none: output/result.md)",
  })),
  once: Schema.optionalKey(Schema.Boolean.annotate({
    description: "The runtime asks for this call until it has succeeded, once for each value of a narrowed enum; then, when only one next is possible, it ends the movement itself with the results as output",
    default: false,
  })),
}).annotate({ description: "One tool with fixed or narrowed arguments" })

const MovementSchema = Schema.Struct({
  name: name("Name of the movement, unique in the piece"),
  persona: Schema.optionalKey(text("Who the model is in this movement")),
  instruction: text("What to do. Placeholders: {task}, {previous_output}, {output:MOVEMENT}, {workspace}, {iteration}"),
  tools: Schema.optionalKey(Schema.Array(Schema.Union([text("A tool, a glob such as mcp__github__*, or a group such as @files"), NarrowingSchema])).annotate({
    description: "What the model may call; nothing else is offered but `transition`",
    default: [],
  })),
  rules: Schema.Array(RuleSchema).check(Schema.isMinLength(1, { expected: "at least one rule" })).annotate({ description: "Where the piece goes from here" }),
  max_turns: Schema.optionalKey(count("Turns after which the job is aborted", 10_000, DEFAULTS.max_turns)),
  timeout: Schema.optionalKey(duration("Time after which the attempt has failed", "20m")),
}).annotate({ description: "One state of the piece: an agent loop with its own instruction, tools and rules" })

export const PieceSchema = Schema.Struct({
  name: name("Name of the piece; that of its file"),
  description: Schema.optionalKey(Schema.String.annotate({ description: "What the piece is for, in a line", default: "" })),
  initial_movement: Schema.optionalKey(text("Movement to start with; default: the first")),
  max_movements: Schema.optionalKey(count("Movements after which the job is aborted, over the whole run", 10_000, DEFAULTS.max_movements)),
  model: Schema.optionalKey(text("Model that the piece needs; it waits for a worker that offers it")),
  budget: Schema.optionalKey(Schema.Struct({
    turns: Schema.optionalKey(count("LLM calls", 1_000_000_000)),
    tokens: Schema.optionalKey(count("Tokens, prompts and answers together", 1_000_000_000_000)),
    wall_time: Schema.optionalKey(duration("Time since the job started")),
    tool_calls: Schema.optionalKey(count("Tool calls", 1_000_000_000)),
  }).annotate({ description: "Limits of the whole job; spending one ends it" })),
  movements: Schema.Array(MovementSchema).check(Schema.isMinLength(1, { expected: "at least one movement" })).annotate({ description: "The states of the piece" }),
}).annotate({ title: "Attacca piece", description: "A workflow: a state machine of movements" })

/** Keys of the piece format whose capability is not built yet, by where they may stand. */
const NOT_YET = {
  piece: ["required_mcp", "vars", "loop_monitors"],
  movement: ["permissions", "output_schema", "parallel", "outcomes", "report", "gates", "pass", "call", "with"],
  rule: ["when"],
} as const

/** What to say of a key that the schema does not have but the format does; null for a key that nobody knows. */
export const unknownKeyMessage = (path: Path): string | null => {
  const key = String(path.at(-1))
  const place = path.length === 1 ? "piece" : path.length === 3 && path[0] === "movements" ? "movement" : path.length === 5 && path[2] === "rules" ? "rule" : null
  const known: ReadonlyArray<string> = place === null ? [] : NOT_YET[place]
  return known.includes(key) ? `"${key}" is not supported yet; remove it` : null
}

/** The JSON Schema of a piece (draft 2020-12), for editors and other programs. */
export const pieceJsonSchema = (): Record<string, unknown> => {
  const document = Schema.toJsonSchemaDocument(PieceSchema, { onExcessProperty: "error" })
  return { $schema: "https://json-schema.org/draft/2020-12/schema", $id: "/schemas/piece.json", ...document.schema, ...(Object.keys(document.definitions).length > 0 ? { $defs: document.definitions } : {}) }
}
