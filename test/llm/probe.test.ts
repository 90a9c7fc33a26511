// The health probe against servers of each dialect, over real sockets.
import { Effect } from "effect"
import { afterEach, expect, test } from "vitest"
import { type Probe, type ProbeQuestion, probeEndpoint } from "../../src/llm/probe.ts"
import { deafEndpoint, refusedUrl } from "../support/badEndpoints.ts"
import { type ScriptedLlm, type ScriptedLlmOptions, startScriptedLlm } from "../support/scriptedLlm.ts"

const open: Array<ScriptedLlm> = []
afterEach(() => open.splice(0).forEach((llm) => llm.close()))
const server = (options: ScriptedLlmOptions): string => {
  const llm = startScriptedLlm(options)
  open.push(llm)
  return llm.url
}
const probe = (question: Partial<ProbeQuestion> & { readonly url: string }): Promise<Probe> => Effect.runPromise(probeEndpoint({ api_key: null, model: null, ...question }))

test("an OpenAI-compatible list gives the models", async () => {
  expect(await probe({ url: server({ models: ["b", "a"] }) })).toEqual({ healthy: true, models: ["b", "a"], last_error: null, server: "openai" })
})

test("Ollama is known by its own list, under the root of the host, embedding models last", async () => {
  const models = [{ name: "nomic-embed-text:latest", details: { family: "nomic-bert" } }, { name: "all-minilm", details: { family: "bert" } }, { name: "qwen3:8b", details: { family: "qwen3" } }]
  expect(await probe({ url: server({ routes: { "GET /api/tags": { json: { models } } } }) })).toEqual({ healthy: true, models: ["qwen3:8b", "nomic-embed-text:latest", "all-minilm"], last_error: null, server: "ollama" })
})

test("llama.cpp is not taken for Ollama although it answers the same route", async () => {
  const data = [{ id: "model.gguf", object: "model", owned_by: "llamacpp" }]
  const url = server({ routes: { "GET /api/tags": { json: { models: [{ name: "model.gguf" }], data } }, "GET /v1/models": { json: { object: "list", data } } } })
  expect(await probe({ url })).toMatchObject({ healthy: true, models: ["model.gguf"], server: "llamacpp" })
})

test("vLLM is known by the owner of its models", async () => {
  const url = server({ routes: { "GET /v1/models": { json: { object: "list", data: [{ id: "q", object: "model", owned_by: "vllm", max_model_len: 4096 }] } } } })
  expect(await probe({ url })).toMatchObject({ models: ["q"], server: "vllm" })
})

test("the bearer key goes with both questions, and a refusal is an unhealthy worker", async () => {
  const url = server({ api_key: "k-secret" })
  expect(await probe({ url, api_key: "k-secret" })).toMatchObject({ healthy: true, models: ["scripted-1"] })
  expect(await probe({ url, api_key: "wrong" })).toMatchObject({ healthy: false, last_error: expect.stringMatching(/refuses the key \(401\)/) })
})

test("a worker without a model may have no list at all; one with a model needs it", async () => {
  const url = server({ routes: { "GET /v1/models": { status: 404, json: {} } } })
  expect(await probe({ url })).toMatchObject({ healthy: true, models: [], server: "openai" })
  expect(await probe({ url, model: "m" })).toMatchObject({ healthy: false, last_error: expect.stringMatching(/no list of models.*404.*\/v1/) })
})

test("a server that is still loading is unhealthy with its own words", async () => {
  const url = server({ routes: { "GET /v1/models": { status: 503, json: { error: { message: "Loading model", code: 503 } } } } })
  expect(await probe({ url })).toMatchObject({ healthy: false, last_error: "503: Loading model" })
})

test("no HTTP answer is unhealthy whatever is configured", async () => {
  expect(await probe({ url: refusedUrl() })).toEqual({ healthy: false, models: [], last_error: "connection refused", server: "openai" })
  const deaf = await deafEndpoint()
  try {
    expect(await probe({ url: deaf.url, timeout_ms: 150 })).toMatchObject({ healthy: false, last_error: "no answer within 150 ms" })
  } finally {
    deaf.close()
  }
})

test("an address below another path is asked there", async () => {
  const llm = startScriptedLlm({ routes: { "GET /proxy/v1/models": { json: { data: [{ id: "far" }] } } } })
  open.push(llm)
  expect(await probe({ url: `http://127.0.0.1:${llm.port}/proxy/v1/` })).toMatchObject({ models: ["far"] })
})
