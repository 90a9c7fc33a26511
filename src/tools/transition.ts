// The tool that ends a movement (P3). It is not run like the others: the agent loop offers it with the possible `next`
// values as an enum, reads its arguments here and walks on.
import type { JsonSchema } from "../job/piece.ts"
import type { ToolSpec } from "../llm/LlmClient.ts"
import { coerced, parseArguments, type Arguments } from "./arguments.ts"
import { problems, shortSchema } from "./schema.ts"

export const TRANSITION = "transition"

export interface Transition {
  readonly next: string
  readonly output: string
  readonly lessons: ReadonlyArray<string>
}

const DESCRIPTION = "End this movement. `next` says where to go on, `output` is its result for the reader and the next movement. Call it when the movement's work is done, not together with other calls that must come first."

const schemas = new Map<string, JsonSchema>()
const MAX_SCHEMAS = 1000

/** JSON Schema of the arguments for a movement with these possible nexts; the same value for the same list. */
export const transitionSchema = (nexts: ReadonlyArray<string>): JsonSchema => {
  const key = JSON.stringify(nexts)
  const known = schemas.get(key)
  if (known !== undefined) return known
  const schema: JsonSchema = {
    type: "object",
    properties: {
      next: { type: "string", enum: nexts },
      output: { type: "string", description: "Result of this movement" },
      lessons: { type: "array", items: { type: "string" }, description: "What was learned that may help another run" },
    },
    required: ["next", "output"],
    additionalProperties: false,
  }
  if (schemas.size >= MAX_SCHEMAS) schemas.clear()
  schemas.set(key, schema)
  return schema
}

export const transitionSpec = (nexts: ReadonlyArray<string>): ToolSpec => ({
  type: "function",
  function: { name: TRANSITION, description: DESCRIPTION, parameters: transitionSchema(nexts) },
})

/** With one possible next there is no choice to make, and an object is as good a result as its text. */
const completed = (args: Arguments, nexts: ReadonlyArray<string>): Arguments => ({
  ...args,
  ...(args["next"] === undefined && nexts.length === 1 ? { next: nexts[0] } : {}),
  ...(typeof args["output"] === "object" && args["output"] !== null && !Array.isArray(args["output"]) ? { output: JSON.stringify(args["output"], null, 2) } : {}),
})

/** Reads the model's call, or says what is wrong with it. */
export const readTransition = (text: string, nexts: ReadonlyArray<string>): { readonly ok: true; readonly transition: Transition } | { readonly ok: false; readonly error: string } => {
  const schema = transitionSchema(nexts)
  const parsed = parseArguments(text)
  let wrong: ReadonlyArray<string>
  if (parsed.ok) {
    const args = coerced(schema, completed(parsed.args, nexts))
    wrong = problems(schema, args)
    if (wrong.length === 0) {
      const { next, output, lessons = [] } = args as { next: string; output: string; lessons?: ReadonlyArray<string> }
      return { ok: true, transition: { next, output, lessons } }
    }
  } else wrong = [parsed.error]
  return { ok: false, error: ["the movement goes on:", ...wrong.map((line) => `- ${line}`), `Arguments of ${TRANSITION}: ${shortSchema(schema)}`].join("\n") }
}
