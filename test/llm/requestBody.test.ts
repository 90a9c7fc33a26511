import { expect, test } from "vitest"
import type { ChatRequest } from "../../src/llm/LlmClient.ts"
import { requestBody } from "../../src/llm/requestBody.ts"

const request: ChatRequest = {
  endpoint: { worker_id: "w", url: "http://x/v1", api_key: "k", model: "m" }, messages: [{ role: "user", content: "hi" }],
  tools: [{ type: "function", function: { name: "Read", description: "d", parameters: { type: "object" } } }], tool_choice: "required", max_tokens: 9, timeout_ms: 1, idle_timeout_ms: 1,
}

test("everything that the request says, and the usage of the stream", () => {
  expect(requestBody(request, false)).toEqual({ model: "m", messages: request.messages, tools: request.tools, tool_choice: "required", max_tokens: 9, stream: true, stream_options: { include_usage: true } } as unknown as ReturnType<typeof requestBody>)
})

test("what is absent is left out; progress is asked of llama.cpp only", () => {
  const bare = requestBody({ ...request, endpoint: { ...request.endpoint, model: "" }, tools: [], max_tokens: null }, true)
  expect(Object.keys(bare).sort()).toEqual(["messages", "return_progress", "stream", "stream_options"])
})
