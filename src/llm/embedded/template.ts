// Messages and tools → the prompt's text. A model's own chat template is used as it is; when it knows tools in the
// `<tool_call>` form its calls are native, else tools and calls are told in plain words, which any model can continue.
// Pure, given the template engine.
import { spaced } from "./json.ts"
import { messageOf } from "./values.ts"
import type { Message, ToolDefinition } from "./request.ts"
import type { Template } from "./runtime.ts"

/** How a model writes a call: `open`, a JSON object with name and arguments, `close`. */
export interface Dialect {
  readonly native: boolean
  readonly open: string
  readonly close: string
}

export const PLAIN: Dialect = { native: false, open: "", close: "" }
export const NATIVE: Dialect = { native: true, open: "<tool_call>\n", close: "\n</tool_call>" }

/** Templates that write calls as XML name `<function=`; those that name other markers get the plain dialect too. */
export const dialectOf = (source: string | null): Dialect =>
  source !== null && source.includes("tools") && source.includes("<tool_call>") && !source.includes("<function=") ? NATIVE : PLAIN

interface Turn {
  readonly role: string
  readonly content: string
}

const typeText = (schema: unknown): string => {
  if (typeof schema !== "object" || schema === null) return "any"
  const s = schema as Record<string, unknown>
  if (s["const"] !== undefined) return spaced(s["const"])
  if (Array.isArray(s["enum"])) return s["enum"].slice(0, 12).map(spaced).join(" or ")
  if (s["type"] === "array") return `list of ${typeText(s["items"])}`
  if (Array.isArray(s["anyOf"])) return s["anyOf"].map(typeText).join(" or ")
  return typeof s["type"] === "string" ? s["type"] : Array.isArray(s["type"]) ? s["type"].join(" or ") : "any"
}

const signature = (tool: ToolDefinition): string => {
  const properties = typeof tool.parameters["properties"] === "object" && tool.parameters["properties"] !== null ? Object.entries(tool.parameters["properties"]) : []
  const required = Array.isArray(tool.parameters["required"]) ? tool.parameters["required"] : []
  const args = properties.map(([name, schema]) => `${name}${required.includes(name) ? "" : "?"}: ${typeText(schema)}`)
  return `- ${tool.name}(${args.join(", ")}): ${tool.description}`
}

const toolText = (tools: ReadonlyArray<ToolDefinition>): string =>
  tools.length === 0 ? "" : `\n\nTools:\n${tools.map(signature).join("\n")}\n\nTo use a tool, answer with one JSON object: {"name": TOOL, "arguments": {...}}`

/** Tools and calls told in words, for a template that has no place for them. */
const flattened = (messages: ReadonlyArray<Message>, tools: ReadonlyArray<ToolDefinition>): ReadonlyArray<Turn> => {
  const names = new Map(messages.flatMap((m) => m.calls.map((call) => [call.id, call.name] as const)))
  const turns = messages.map((m): Turn => {
    if (m.role === "tool") return { role: "user", content: `Result${names.has(m.tool_call_id ?? "") ? ` of ${names.get(m.tool_call_id ?? "")}` : ""}:\n${m.content}` }
    if (m.calls.length === 0) return { role: m.role, content: m.content }
    const calls = m.calls.map((call) => `{"name": ${JSON.stringify(call.name)}, "arguments": ${spaced(call.arguments)}}`)
    return { role: "assistant", content: [m.content, ...calls].filter((part) => part !== "").join("\n") }
  })
  if (tools.length === 0) return turns
  const first = turns[0]
  return first?.role === "system" ? [{ role: "system", content: first.content + toolText(tools) }, ...turns.slice(1)]
    : [{ role: "system", content: toolText(tools).trimStart() }, ...turns]
}

/** For templates that refuse system messages or two turns of one role in a row. */
const alternating = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> => {
  const out: Array<{ role: string; content: string }> = []
  for (const turn of turns) {
    const role = turn.role === "system" ? "user" : turn.role
    const last = out.at(-1)
    if (last?.role === role) last.content += `\n\n${turn.content}`
    else out.push({ role, content: turn.content })
  }
  return out
}

const native = (messages: ReadonlyArray<Message>): ReadonlyArray<Record<string, unknown>> =>
  messages.map((m) => ({
    role: m.role, content: m.content,
    ...(m.calls.length > 0 ? { tool_calls: m.calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } })) } : {}),
    ...(m.tool_call_id === null ? {} : { tool_call_id: m.tool_call_id }),
  }))

const LABELS: Readonly<Record<string, string>> = { user: "User: ", assistant: "Assistant: " }
const bare = (turns: ReadonlyArray<Turn>): string => `${turns.map((turn) => `${LABELS[turn.role] ?? ""}${turn.content}\n\n`).join("")}Assistant:`

export interface Prompt {
  readonly text: string
  readonly dialect: Dialect
  /** Texts that end the answer because the prompt is not a template's. */
  readonly stop: ReadonlyArray<string>
}

export class ChatTemplate {
  readonly dialect: Dialect
  readonly #template: Template | null
  readonly #marks: { readonly bos_token: string; readonly eos_token: string }

  constructor(source: string | null, template: (source: string) => Template, marks: { readonly bos_token: string; readonly eos_token: string }) {
    this.dialect = dialectOf(source)
    this.#template = source === null ? null : template(source)
    this.#marks = marks
  }

  render(messages: ReadonlyArray<Message>, tools: ReadonlyArray<ToolDefinition>, thinking: boolean): Prompt {
    const turns = flattened(messages, tools)
    const template = this.#template
    if (template === null) return { text: bare(turns), dialect: PLAIN, stop: ["\n\nUser:"] }
    const common = { ...this.#marks, add_generation_prompt: true, enable_thinking: thinking }
    if (this.dialect.native) {
      const listed = tools.map((tool) => ({ type: "function", function: { name: tool.name, description: tool.description, parameters: tool.parameters } }))
      return { text: template.render({ ...common, messages: native(messages), ...(tools.length > 0 ? { tools: listed } : {}) }), dialect: NATIVE, stop: [] }
    }
    try {
      return { text: template.render({ ...common, messages: turns }), dialect: PLAIN, stop: [] }
    } catch (refused) {
      // A template says by raising that it has no such role or order; what it says then is the reason given if this fails too.
      try {
        return { text: template.render({ ...common, messages: alternating(turns) }), dialect: PLAIN, stop: [] }
      } catch {
        throw new Error(`the model's chat template refuses these messages: ${messageOf(refused)}`)
      }
    }
  }
}
