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

// The database keeps text up to its first NUL only. The last check carries the description, so it must be one that
// is published; a pattern is published only with the flag `u`.
const noNul = Schema.makeFilter((text: string) => !text.includes("\0") || "expected text without NUL characters")
const notBlank = Schema.makeFilter((text: string) => text.trim() !== "" || "expected more than blanks")
const Text = (max: number, described: string) => Schema.String.check(noNul, Schema.isMinLength(1), Schema.isMaxLength(max)).annotate({ description: described })
const Solid = (max: number, described: string) => Schema.String.check(noNul, notBlank, Schema.isMinLength(1), Schema.isMaxLength(max)).annotate({ description: described })
const Name = (described: string) => Schema.String.check(
  Schema.isMaxLength(MAX_NAME_CHARS),
  Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]*$/u, { expected: 'a name of letters, digits, ".", "_" and "-"' }),
).annotate({ description: described })
const optional = Schema.optionalKey
const nullable = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const NotYet = (described: string) => Schema.optionalKey(Schema.Unknown).annotateKey({ description: `${described}. Not supported yet.` })

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
