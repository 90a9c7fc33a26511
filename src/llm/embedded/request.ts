// The body of `POST /v1/chat/completions` as the engine takes it. Fields it does not know are ignored, as OpenAI-compatible
// servers do; a field it knows with a wrong value is refused by name. Pure.
import { isRecord } from "./values.ts"

/** Answered as an OpenAI error object. */
export class RequestRefused extends Error {
  readonly status: number
  readonly code: string
  readonly param: string | null
  constructor(status: number, code: string, message: string, param: string | null = null) {
    super(message)
    this.status = status
    this.code = code
    this.param = param
  }
}

export interface Call {
  readonly id: string
  readonly name: string
  /** Parsed where it is JSON, else the text as it came. */
  readonly arguments: unknown
}

export interface Message {
  readonly role: "system" | "user" | "assistant" | "tool"
  readonly content: string
  readonly calls: ReadonlyArray<Call>
  readonly tool_call_id: string | null
}

export interface ToolDefinition {
  readonly name: string
  readonly description: string
  readonly parameters: Readonly<Record<string, unknown>>
}

/** `names`: the tools that may be called; null is all of them. */
export interface Choice {
  readonly mode: "auto" | "required" | "none"
  readonly names: ReadonlyArray<string> | null
}

export interface ChatBody {
  readonly messages: ReadonlyArray<Message>
  readonly tools: ReadonlyArray<ToolDefinition>
  readonly choice: Choice
  readonly parallel: boolean
  readonly stream: boolean
  readonly include_usage: boolean
  readonly progress: boolean
  readonly max_tokens: number | null
  readonly stop: ReadonlyArray<string>
  /** JSON Schema that the answer's text must satisfy; null is free text. */
  readonly schema: Readonly<Record<string, unknown>> | null
  readonly thinking: boolean
  readonly sampling: Partial<Sampling>
}

export interface Sampling {
  readonly temperature: number
  readonly top_p: number
  readonly top_k: number
  readonly min_p: number
  readonly repeat_penalty: number
  readonly frequency_penalty: number
  readonly presence_penalty: number
  readonly dry_multiplier: number
  readonly seed: number
}

const refuse = (param: string, message: string): never => {
  throw new RequestRefused(400, "invalid_value", `${param}: ${message}`, param)
}

const text = (value: unknown, param: string): string => {
  if (value === null || value === undefined) return ""
  if (typeof value === "string") return value
  if (!Array.isArray(value)) return refuse(param, "must be a text or a list of parts")
  return value.map((part: unknown, i) => {
    if (isRecord(part) && part["type"] === "text" && typeof part["text"] === "string") return part["text"]
    return refuse(`${param}[${i}]`, "this model reads text parts only")
  }).join("")
}

const parsed = (value: unknown): unknown => {
  if (typeof value !== "string") return value ?? {}
  try {
    return JSON.parse(value)
  } catch {
    return value // a call of another model whose arguments were broken: shown as they were
  }
}

const calls = (value: unknown, param: string): ReadonlyArray<Call> => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return refuse(param, "must be a list")
  return value.map((call: unknown, i) => {
    const fn = isRecord(call) ? call["function"] : undefined
    if (!isRecord(call) || !isRecord(fn) || typeof fn["name"] !== "string") return refuse(`${param}[${i}].function.name`, "must be a text")
    return { id: String(call["id"] ?? ""), name: fn["name"], arguments: parsed(fn["arguments"]) }
  })
}

const ROLES: Readonly<Record<string, Message["role"]>> = { system: "system", developer: "system", user: "user", assistant: "assistant", tool: "tool" }

const message = (value: unknown, i: number): Message => {
  const param = `messages[${i}]`
  if (!isRecord(value)) return refuse(param, "must be an object")
  const role = typeof value["role"] === "string" ? ROLES[value["role"]] : undefined
  if (role === undefined) return refuse(`${param}.role`, "must be system, user, assistant or tool")
  return {
    role, content: text(value["content"], `${param}.content`), calls: calls(value["tool_calls"], `${param}.tool_calls`),
    tool_call_id: typeof value["tool_call_id"] === "string" ? value["tool_call_id"] : null,
  }
}

const tool = (value: unknown, i: number): ToolDefinition => {
  const fn = isRecord(value) ? value["function"] : undefined
  if (!isRecord(fn) || typeof fn["name"] !== "string" || fn["name"] === "") return refuse(`tools[${i}].function.name`, "must be a text")
  const parameters = fn["parameters"] ?? { type: "object", properties: {} }
  if (!isRecord(parameters)) return refuse(`tools[${i}].function.parameters`, "must be a JSON Schema object")
  return { name: fn["name"], description: typeof fn["description"] === "string" ? fn["description"] : "", parameters }
}

const nameOf = (value: unknown): string | null => {
  const fn = isRecord(value) ? value["function"] : undefined
  return isRecord(fn) && typeof fn["name"] === "string" ? fn["name"] : isRecord(value) && typeof value["name"] === "string" ? value["name"] : null
}

const choice = (value: unknown, tools: ReadonlyArray<ToolDefinition>): Choice => {
  if (value === undefined || value === null) return { mode: "auto", names: null }
  if (value === "auto" || value === "none" || value === "required") return { mode: value, names: null }
  if (!isRecord(value)) return refuse("tool_choice", "must be auto, none, required or an object")
  const known = (name: string | null): string => {
    if (name === null || !tools.some((t) => t.name === name)) return refuse("tool_choice", `names ${name ?? "no tool"}, which is not among tools`)
    return name
  }
  if (value["type"] === "allowed_tools") {
    const allowed = isRecord(value["allowed_tools"]) ? value["allowed_tools"] : value
    const names = Array.isArray(allowed["tools"]) ? allowed["tools"].map((t: unknown) => known(nameOf(t))) : refuse("tool_choice.tools", "must be a list")
    return { mode: allowed["mode"] === "required" ? "required" : "auto", names }
  }
  return { mode: "required", names: [known(nameOf(value))] }
}

const within = (body: Readonly<Record<string, unknown>>, param: string, low: number, high: number): number | undefined => {
  const value = body[param]
  if (value === undefined || value === null) return undefined
  if (typeof value !== "number" || !(value >= low && value <= high)) return refuse(param, `must be a number from ${low} to ${high}`)
  return value
}

const SAMPLING: ReadonlyArray<readonly [keyof Sampling, number, number]> = [
  ["temperature", 0, 5], ["top_p", 0, 1], ["top_k", 0, 1000], ["min_p", 0, 1], ["repeat_penalty", 1, 5], ["frequency_penalty", -2, 2],
  ["presence_penalty", -2, 2], ["dry_multiplier", 0, 10], ["seed", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
]

const sampling = (body: Readonly<Record<string, unknown>>): Partial<Sampling> =>
  Object.fromEntries(SAMPLING.flatMap(([param, low, high]) => {
    const value = within(body, param, low, high)
    return value === undefined ? [] : [[param, value]]
  }))

const schema = (value: unknown): ChatBody["schema"] => {
  if (!isRecord(value) || value["type"] === "text") return null
  if (value["type"] === "json_object") return { type: "object" }
  const inner = isRecord(value["json_schema"]) ? value["json_schema"]["schema"] : undefined
  return value["type"] === "json_schema" && isRecord(inner) ? inner : refuse("response_format", "must be text, json_object or json_schema with a schema")
}

const stops = (value: unknown): ReadonlyArray<string> => {
  const all = typeof value === "string" ? [value] : value ?? []
  if (!Array.isArray(all) || all.some((s) => typeof s !== "string") || all.length > 4) return refuse("stop", "must be a text or up to four texts")
  return all.filter((s: string) => s !== "")
}

/** Throws RequestRefused, which names the wrong field. */
export const parseBody = (value: unknown): ChatBody => {
  if (!isRecord(value)) throw new RequestRefused(400, "invalid_value", "the body must be a JSON object")
  if (!Array.isArray(value["messages"]) || value["messages"].length === 0) return refuse("messages", "must be a list with at least one message")
  if ((value["n"] ?? 1) !== 1) return refuse("n", "only one answer at a time")
  const listed = value["tools"] ?? []
  const tools = Array.isArray(listed) ? listed.map(tool) : refuse("tools", "must be a list")
  const max = within(value, "max_completion_tokens", 1, 1e9) ?? within(value, "max_tokens", 1, 1e9)
  const options = isRecord(value["stream_options"]) ? value["stream_options"] : {}
  const template = isRecord(value["chat_template_kwargs"]) ? value["chat_template_kwargs"] : {}
  return {
    messages: value["messages"].map(message), tools, choice: choice(value["tool_choice"], tools), parallel: value["parallel_tool_calls"] !== false,
    stream: value["stream"] === true, include_usage: options["include_usage"] === true, progress: value["return_progress"] !== false,
    max_tokens: max === undefined ? null : Math.floor(max), stop: stops(value["stop"]), schema: schema(value["response_format"]),
    thinking: template["enable_thinking"] === true, sampling: sampling(value),
  }
}
