// The context size in each server's dialect, over real sockets.
import { Effect } from "effect"
import { afterEach, expect, test } from "vitest"
import { type ContextQuestion, findContextLimit } from "../../src/llm/contextLimit.ts"
import { type ScriptedLlm, type ScriptedLlmOptions, startScriptedLlm } from "../support/scriptedLlm.ts"

const open: Array<ScriptedLlm> = []
afterEach(() => open.splice(0).forEach((llm) => llm.close()))
const limit = (routes: NonNullable<ScriptedLlmOptions["routes"]>, question: Partial<ContextQuestion>): Promise<number> => {
  const llm = startScriptedLlm({ routes })
  open.push(llm)
  return Effect.runPromise(findContextLimit({ url: llm.url, api_key: null, model: "m", server: "openai", configured: null, ...question }))
}

test("the configuration wins without a question", async () => {
  expect(await Effect.runPromise(findContextLimit({ url: "http://127.0.0.1:1/v1", api_key: null, model: "m", server: "ollama", configured: 777 }))).toBe(777)
})

test("Ollama: what the loaded model runs with, else num_ctx, else what it was trained for", async () => {
  const show = (parameters: string) => ({ "POST /api/show": { json: { parameters, model_info: { "general.architecture": "qwen3", "qwen3.context_length": 40960 } } } })
  const ps = { "GET /api/ps": { json: { models: [{ name: "m", context_length: 4096 }] } } }
  expect(await limit({ ...show(""), ...ps }, { server: "ollama" })).toBe(4096)
  expect(await limit(show("temperature 0.7\nnum_ctx        8192"), { server: "ollama" })).toBe(8192)
  expect(await limit(show(""), { server: "ollama" })).toBe(40960)
})

test("llama.cpp: the size of one slot", async () => {
  expect(await limit({ "GET /props": { json: { default_generation_settings: { n_ctx: 16384 }, total_slots: 4 } } }, { server: "llamacpp" })).toBe(16384)
})

test("vLLM and the embedded engine: max_model_len of the model in use", async () => {
  const models = { "GET /v1/models": { json: { data: [{ id: "other", max_model_len: 1 }, { id: "m", max_model_len: 32768 }] } } }
  expect(await limit(models, { server: "vllm" })).toBe(32768)
  expect(await limit(models, { server: "llamacpp" })).toBe(32768)
  expect(await limit(models, { server: "vllm", model: null })).toBe(1)
})

test("LM Studio: the size that the model was loaded with", async () => {
  expect(await limit({ "GET /api/v0/models": { json: { data: [{ id: "m", loaded_context_length: 4096, max_context_length: 131072 }] } } }, {})).toBe(4096)
})

test("a server that says nothing has the default", async () => {
  expect(await limit({}, {})).toBe(128_000)
  expect(await limit({ "GET /props": { text: "<html>" } }, { server: "llamacpp" })).toBe(128_000)
})
