import { describe, expect, it } from "vitest"
import { parseBody, RequestRefused } from "../../../src/llm/embedded/request.ts"

const user = [{ role: "user", content: "hi" }]
const tools = [{ type: "function", function: { name: "Read", parameters: { type: "object" } } }, { type: "function", function: { name: "Write" } }]
const refusal = (body: unknown): RequestRefused => {
  try {
    parseBody(body)
  } catch (cause) {
    if (cause instanceof RequestRefused) return cause
  }
  throw new Error("was not refused")
}

describe("a chat request", () => {
  it("is read with its defaults", () => {
    expect(parseBody({ messages: user })).toMatchObject({
      messages: [{ role: "user", content: "hi", calls: [], tool_call_id: null }], tools: [], choice: { mode: "auto", names: null },
      parallel: true, stream: false, progress: true, max_tokens: null, stop: [], schema: null, thinking: false, sampling: {},
    })
  })

  it("takes parts of text, developer messages, calls and results", () => {
    const { messages } = parseBody({
      messages: [
        { role: "developer", content: "rules" }, { role: "user", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] },
        { role: "assistant", content: null, tool_calls: [{ id: "1", type: "function", function: { name: "Read", arguments: "{\"path\":\"x\"}" } }, { id: "2", type: "function", function: { name: "Read", arguments: "{broken" } }] },
        { role: "tool", tool_call_id: "1", content: "text" },
      ],
    })
    expect(messages.map((m) => [m.role, m.content])).toEqual([["system", "rules"], ["user", "ab"], ["assistant", ""], ["tool", "text"]])
    expect(messages[2]?.calls.map((call) => call.arguments)).toEqual([{ path: "x" }, "{broken"])
    expect(messages[3]?.tool_call_id).toBe("1")
  })

  it("reads every form of tool_choice", () => {
    const choice = (tool_choice: unknown) => parseBody({ messages: user, tools, tool_choice }).choice
    expect(choice("none")).toEqual({ mode: "none", names: null })
    expect(choice("required")).toEqual({ mode: "required", names: null })
    expect(choice({ type: "function", function: { name: "Write" } })).toEqual({ mode: "required", names: ["Write"] })
    expect(choice({ type: "allowed_tools", allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "Read" } }] } })).toEqual({ mode: "auto", names: ["Read"] })
  })

  it("reads sampling, stop texts, bounds and response formats", () => {
    const body = parseBody({ messages: user, temperature: 0.2, top_p: 0.5, seed: 7, stop: "END", max_completion_tokens: 12, max_tokens: 99, stream: true, stream_options: { include_usage: true }, parallel_tool_calls: false })
    expect(body).toMatchObject({ sampling: { temperature: 0.2, top_p: 0.5, seed: 7 }, stop: ["END"], max_tokens: 12, stream: true, include_usage: true, parallel: false })
    expect(parseBody({ messages: user, response_format: { type: "json_object" } }).schema).toEqual({ type: "object" })
    expect(parseBody({ messages: user, response_format: { type: "json_schema", json_schema: { schema: { type: "array" } } } }).schema).toEqual({ type: "array" })
    expect(parseBody({ messages: user, chat_template_kwargs: { enable_thinking: true } }).thinking).toBe(true)
  })

  it("names the field that is wrong", () => {
    const cases: ReadonlyArray<readonly [unknown, string]> = [
      [{ messages: [] }, "messages"], [{ messages: [{ role: "bot", content: "" }] }, "messages[0].role"],
      [{ messages: [{ role: "user", content: [{ type: "image_url" }] }] }, "messages[0].content[0]"], [{ messages: user, n: 2 }, "n"],
      [{ messages: user, temperature: "hot" }, "temperature"], [{ messages: user, top_p: 2 }, "top_p"], [{ messages: user, max_tokens: 0 }, "max_tokens"],
      [{ messages: user, tools: [{}] }, "tools[0].function.name"], [{ messages: user, stop: [1] }, "stop"],
      [{ messages: user, tools, tool_choice: { type: "function", function: { name: "Delete" } } }, "tool_choice"],
      [{ messages: user, response_format: { type: "yaml" } }, "response_format"],
    ]
    expect(cases.map(([body]) => refusal(body).param)).toEqual(cases.map(([, param]) => param))
    expect(refusal("text").status).toBe(400)
  })
})
