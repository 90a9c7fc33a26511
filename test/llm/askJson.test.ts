import { afterAll, expect, test } from "vitest"
import { askJson, hostRoot } from "../../src/llm/askJson.ts"
import { refusedUrl } from "../support/badEndpoints.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"

const llm = startScriptedLlm({ routes: { "POST /echo": { json: { ok: true }, headers: { server: "llama.cpp" } }, "GET /page": { text: "<html>" }, "GET /huge": { text: "x".repeat(5 * 1024 * 1024) } } })
afterAll(() => llm.close())
const root = `http://127.0.0.1:${llm.port}`
const options = { api_key: null, timeout_ms: 2_000 }

test("a JSON answer with its status and the server's name", async () => {
  expect(await askJson(`${root}/echo`, { ...options, body: { a: 1 } })).toEqual({ _tag: "Reply", status: 200, json: { ok: true }, server: "llama.cpp" })
})

test("a page or a flood is an answer without JSON", async () => {
  expect(await askJson(`${root}/page`, options)).toMatchObject({ _tag: "Reply", json: undefined })
  expect(await askJson(`${root}/huge`, options)).toMatchObject({ _tag: "Reply", json: undefined })
})

test("no answer is a value with its cause", async () => {
  expect(await askJson(`${refusedUrl()}/models`, options)).toEqual({ _tag: "NoAnswer", detail: "connection refused" })
  expect(await askJson("http://no-such-host.invalid/v1", options)).toEqual({ _tag: "NoAnswer", detail: "unknown host" })
})

test("the root of the host is what Ollama's own routes stand under", () => {
  expect(["http://h:1/v1", "http://h:1/v1/", "http://h:1/", "http://h:1/proxy/v1", "http://h:1/proxy"].map(hostRoot)).toEqual(["http://h:1", "http://h:1", "http://h:1", "http://h:1/proxy", "http://h:1/proxy"])
})
