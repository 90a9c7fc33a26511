// The tools that one movement offers, and the bookkeeping of calls that the runtime asks for until they succeeded
// (`once`, P15). Pure but for the tool values themselves.
import type { JsonSchema } from "../job/piece.ts"
import type { ToolSpec } from "../llm/LlmClient.ts"
import type { NarrowedTool } from "../tools/Toolbox.ts"

export interface OfferedTool extends NarrowedTool {
  /** Null: free use. Else the call is asked for once, or once for each value of the enum argument `arg`. */
  readonly once: { readonly arg: string | null; readonly values: ReadonlyArray<unknown> } | null
}

/** A value whose call failed this often is passed over: a file that cannot be read must not hold the others up. */
const MAX_FAILURES = 2

export class OnceTracker {
  private readonly done = new Map<string, Set<unknown>>()
  private readonly failures = new Map<string, number>()

  succeeded(tool: OfferedTool, args: Readonly<Record<string, unknown>>): void {
    if (tool.once === null) return
    const values = this.done.get(tool.tool.name) ?? new Set()
    values.add(tool.once.arg === null ? true : args[tool.once.arg])
    this.done.set(tool.tool.name, values)
  }

  /** A call for one of several values failed; the only call of a tool is asked for until it succeeds. */
  failed(tool: OfferedTool, args: Readonly<Record<string, unknown>>): void {
    if (tool.once === null || tool.once.arg === null || tool.once.values.length < 2) return
    const key = JSON.stringify([tool.tool.name, args[tool.once.arg]])
    const times = (this.failures.get(key) ?? 0) + 1
    this.failures.set(key, times)
    if (times >= MAX_FAILURES) this.succeeded(tool, args)
  }

  /** Enum values that are still to be asked for; `[true]` for a tool without one; empty when done or free. */
  missing(tool: OfferedTool): ReadonlyArray<unknown> {
    if (tool.once === null) return []
    const done = this.done.get(tool.tool.name)
    const wanted = tool.once.arg === null ? [true] : tool.once.values
    return wanted.filter((value) => !done?.has(value))
  }

  /** The tool whose call is asked for next, if one is. */
  next(tools: ReadonlyArray<OfferedTool>): OfferedTool | undefined {
    return tools.find((tool) => this.missing(tool).length > 0)
  }

  /** True when the movement asks for calls and all of them have succeeded. */
  complete(tools: ReadonlyArray<OfferedTool>): boolean {
    return tools.some((tool) => tool.once !== null) && this.next(tools) === undefined
  }
}

/** The tool as the model sees it now: an enum that is asked for value by value holds only what is missing. */
export const currentSchema = (tool: OfferedTool, missing: ReadonlyArray<unknown>): JsonSchema => {
  const arg = tool.once?.arg ?? null
  if (arg === null || missing.length === 0) return tool.schema
  const properties = tool.schema["properties"] as Record<string, JsonSchema>
  return { ...tool.schema, properties: { ...properties, [arg]: { ...properties[arg], enum: missing } } }
}

export const specOf = (tool: OfferedTool, schema: JsonSchema): ToolSpec => ({
  type: "function",
  function: { name: tool.tool.name, description: tool.tool.description, parameters: schema },
})
