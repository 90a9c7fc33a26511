// The JSON body of a chat request. What is absent in the request is left out: several servers refuse an empty tool list
// or an unknown field. Pure; used by `attempt.ts`.
import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions"
import type { ChatRequest } from "./LlmClient.ts"

/** `llamacpp`: the server is known to be llama.cpp, so prompt progress may be asked for (P9). */
export const requestBody = (request: ChatRequest, llamacpp: boolean): ChatCompletionCreateParamsStreaming => ({
  ...(request.endpoint.model === "" ? {} : { model: request.endpoint.model }),
  messages: request.messages,
  ...(request.tools.length === 0 ? {} : { tools: request.tools, tool_choice: request.tool_choice }),
  ...(request.max_tokens === null ? {} : { max_tokens: request.max_tokens }),
  ...(llamacpp ? { return_progress: true } : {}),
  stream: true,
  stream_options: { include_usage: true },
  // The SDK's types ask for a model and know no `return_progress`; the wire format is wider than they are.
}) as unknown as ChatCompletionCreateParamsStreaming
