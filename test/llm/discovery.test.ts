// Finding local servers, over real sockets on ports of the tests' own.
import { Effect } from "effect"
import { afterEach, expect, test } from "vitest"
import { chooseWorkers, discover } from "../../src/llm/discovery.ts"
import type { Settings, WorkerSettings } from "../../src/settings/settings.ts"
import { deafEndpoint } from "../support/badEndpoints.ts"
import { type ScriptedLlm, type ScriptedLlmOptions, startScriptedLlm } from "../support/scriptedLlm.ts"

const open: Array<ScriptedLlm> = []
afterEach(() => open.splice(0).forEach((llm) => llm.close()))
type Routes = NonNullable<ScriptedLlmOptions["routes"]>
const server = (routes: Routes): number => {
  const llm = startScriptedLlm({ routes: { "GET /v1/models": { status: 404, json: {} }, ...routes } })
  open.push(llm)
  return llm.port
}
const found = async (id: string, routes: Routes): Promise<WorkerSettings | undefined> => (await Effect.runPromise(discover([{ id, port: server(routes) }])))[0]
const list = (...data: ReadonlyArray<object>): Routes => ({ "GET /v1/models": { json: { object: "list", data } } })

test("Ollama: the newest model that can use tools, no embedding model", async () => {
  const worker = await found("ollama", {
    "GET /api/tags": { json: { models: [{ name: "nomic-embed-text", details: { family: "nomic-bert" } }, { name: "qwen2.5:1.5b", details: { family: "qwen2", parameter_size: "1.5B" } }] } },
    "POST /api/show": { json: { capabilities: ["completion", "tools"] } },
  })
  expect(worker).toMatchObject({ id: "ollama", endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1$/), model: "qwen2.5:1.5b", size: "small", max_concurrency: 1, roles: ["auto", "fast", "quality"] })
})

test("Ollama without a model that fits makes no worker", async () => {
  expect(await found("ollama", { "GET /api/tags": { json: { models: [] } } })).toBeUndefined()
  expect(await found("ollama", { "GET /api/tags": { json: { models: [{ name: "gemma:2b" }] } }, "POST /api/show": { json: { capabilities: ["completion"] } } })).toBeUndefined()
})

test("llama.cpp: as many jobs as it has slots", async () => {
  expect(await found("llamacpp", { ...list({ id: "m.gguf", object: "model", owned_by: "llamacpp" }), "GET /props": { json: { total_slots: 4 } } })).toMatchObject({ id: "llamacpp", model: "m.gguf", max_concurrency: 4 })
})

test("vLLM and LM Studio by their lists", async () => {
  expect(await found("vllm", list({ id: "q", object: "model", owned_by: "vllm" }))).toMatchObject({ model: "q", max_concurrency: 8 })
  const lmstudio = await found("lmstudio", {
    ...list({ id: "text-embedding-x", object: "model" }, { id: "big", object: "model" }, { id: "loaded", object: "model" }),
    "GET /api/v0/models": { json: { data: [{ id: "text-embedding-x", type: "embeddings" }, { id: "big", type: "llm", state: "not-loaded" }, { id: "loaded", type: "llm", state: "loaded" }] } },
  })
  expect(lmstudio?.model).toBe("loaded")
})

test("web servers, other JSON and nodes of this system are never taken", async () => {
  expect(await found("vllm", { "GET /v1/models": { text: "<html>hello</html>" } })).toBeUndefined()
  expect(await found("vllm", { "GET /v1/models": { json: { data: [] } } })).toBeUndefined()
  expect(await found("vllm", { "GET /v1/models": { json: [{ id: "x" }] } })).toBeUndefined()
  expect(await found("vllm", list({ id: 7 }))).toBeUndefined()
  expect(await found("vllm", list({ id: "product-1", kind: "shoe" }))).toBeUndefined()
  expect(await found("vllm", list({ id: "auto", object: "model", owned_by: "attacca" }))).toBeUndefined()
  expect(await found("ollama", { "GET /api/tags": { json: { models: ["a"] } } })).toBeUndefined()
})

test("a port that accepts nothing costs no more than its time limit", async () => {
  const deaf = await deafEndpoint()
  try {
    const at = performance.now()
    expect(await Effect.runPromise(discover([{ id: "vllm", port: Number(new URL(deaf.url).port) }]))).toEqual([])
    expect(performance.now() - at).toBeLessThan(2_000)
  } finally {
    deaf.close()
  }
})

const settings = (workers: ReadonlyArray<WorkerSettings>, enabled: "auto" | boolean, port = 3000): Settings =>
  ({ workers, embedded: { enabled, model: null, sha256: null }, http: { port } }) as unknown as Settings
const choose = async (given: Settings, ports: ReadonlyArray<number>): Promise<ReadonlyArray<string>> =>
  (await Effect.runPromise(chooseWorkers(given, ports.map((port) => ({ id: "vllm", port }))))).map(({ id }) => id)

test("configured workers, else those found, else the embedded one", async () => {
  const port = server(list({ id: "q", object: "model", owned_by: "vllm" }))
  const mine = { id: "mine" } as WorkerSettings
  expect(await choose(settings([mine], "auto"), [port])).toEqual(["mine"])
  expect(await choose(settings([mine], true), [port])).toEqual(["mine", "embedded"])
  expect(await choose(settings([], "auto"), [port])).toEqual(["vllm"])
  expect(await choose(settings([], true), [port])).toEqual(["vllm", "embedded"])
  expect(await choose(settings([], "auto"), [])).toEqual(["embedded"])
  expect(await choose(settings([], false), [])).toEqual([])
  expect(await choose(settings([], "auto", port), [port])).toEqual(["embedded"])
})
