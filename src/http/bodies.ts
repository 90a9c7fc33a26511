// The schemas of request bodies: they check what comes in and are published in /openapi.json. Limits stand here, each with
// its reason. A field whose capability is not built yet is known here, so that it is refused by name and not as a typo.
import { Schema } from "effect"
import { ASK_POLICIES, OUTPUT_FORMATS, PRIORITIES, VISIBILITIES } from "../job/record.ts"

/** About 250,000 tokens: more than the context of the models this is for; larger material belongs into a file. */
export const MAX_INSTRUCTION_CHARS = 1_000_000
export const MAX_TITLE_CHARS = 300
export const MAX_COMMENT_CHARS = 100_000
export const MAX_KEY_CHARS = 255
/** Role names and piece names are words, not texts. */
export const MAX_NAME_CHARS = 100

// The database keeps text up to its first NUL only.
const noNul = (text: string) => !text.includes("\0")
const Text = (max: number, described: string) => Schema.String.check(
  Schema.isMinLength(1), Schema.isMaxLength(max), Schema.makeFilter((text) => noNul(text) || "expected text without NUL characters"),
).annotate({ description: described })
const Solid = (max: number, described: string) => Text(max, described).check(
  Schema.makeFilter((text) => text.trim() !== "" || "expected more than blanks"))
const Name = (described: string) => Schema.String.check(
  Schema.makeFilter((text) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text) && text.length <= MAX_NAME_CHARS
    || `expected a name of at most ${MAX_NAME_CHARS} letters, digits, ".", "_" or "-"`),
).annotate({ description: described })
const optional = Schema.optionalKey
const nullable = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const NotYet = (described: string) => Schema.optionalKey(Schema.Unknown).annotate({ description: `${described}. Not supported yet.` })

export const TaskOptionsBody = Schema.Struct({
  mcp_disabled: optional(Schema.Boolean),
  skills_disabled: optional(Schema.Boolean),
})

export const NewTaskBody = Schema.Struct({
  instruction: Solid(MAX_INSTRUCTION_CHARS, "What is to be done, in words. Lines such as `ui_priority: high` are read where the field is absent."),
  title: nullable(Solid(MAX_TITLE_CHARS, "Derived from the instruction when absent.")),
  piece: nullable(Text(MAX_NAME_CHARS, "Name of the piece to play; `general` when absent.")),
  role: nullable(Name("Class of service: `auto` when absent; a worker serves the roles that its configuration lists.")),
  priority: optional(Schema.Literals(PRIORITIES)),
  output_format: optional(Schema.Literals(OUTPUT_FORMATS)),
  ask_policy: optional(Schema.Literals(ASK_POLICIES).annotate({ description: "low: ask only when blocked; high: ask whenever a choice matters." })),
  options: optional(TaskOptionsBody),
  visibility: optional(Schema.Literals(VISIBILITIES)),
  idempotency_key: nullable(Text(MAX_KEY_CHARS, "The same key gives the same task; the header Idempotency-Key works too.")),
  output_schema: NotYet("JSON Schema of the output"),
  browser_session_profile_id: NotYet("Browser profile"),
  schedule: NotYet("Cron expression and time zone"),
}).annotate({ identifier: "NewTask" })
export type NewTaskBody = typeof NewTaskBody.Type

export const NewCommentBody = Schema.Struct({
  body: Solid(MAX_COMMENT_CHARS, "The comment's text."),
  job_id: nullable(Text(MAX_KEY_CHARS, "A job of this task that the comment speaks of.")),
  piece: NotYet("Piece of a continuation"),
  mode: NotYet("How an interjection reaches a running job"),
}).annotate({ identifier: "NewComment" })
