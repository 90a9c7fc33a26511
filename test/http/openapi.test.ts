import Ajv2020 from "ajv/dist/2020.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startApp, type TestApp } from "./support.ts"

interface Operation { operationId: string; parameters: ReadonlyArray<{ name: string; in: string }>; requestBody?: { content: Record<string, { schema: object }> }; responses: Record<string, { content?: Record<string, { schema: object }> }> }
interface Document { openapi: string; paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, object> } }

let app: TestApp
let document: Document
beforeAll(async () => {
  app = await startApp()
  document = (await app.json("GET", "/openapi.json")).body
})
afterAll(() => app.stop())

const operations = () => Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
const validator = (schema: object) => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  return ajv.compile({ ...schema, components: document.components })
}

describe("the OpenAPI document", () => {
  it("lists exactly the routes that are served", async () => {
    const documented = operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`).sort()
    expect(documented).toEqual(app.app.routes.map((route) => `${route.method} ${route.path}`).sort())
    for (const { path, method } of operations()) {
      const answer = await app.app.fetch(new Request(`http://127.0.0.1:3000${path.replace(/\{\w+\}/g, "1")}`, { method: method.toUpperCase() }))
      const type = ((await answer.clone().json().catch(() => ({}))) as { type?: string }).type
      expect([path, method, answer.status === 405, type === "urn:attacca:problem:no-such-route"]).toEqual([path, method, false, false])
      await answer.body?.cancel()
    }
  })

  it("holds the contract's routes", () => {
    const wanted = [
      "POST /api/tasks", "GET /api/tasks", "GET /api/tasks/{id}", "DELETE /api/tasks/{id}", "POST /api/tasks/{id}/comments", "GET /api/tasks/{id}/comments", "POST /api/tasks/{id}/cancel",
      "POST /api/tasks/{id}/retry", "POST /api/tasks/{id}/resume", "GET /api/tasks/{id}/events", "GET /api/tasks/{id}/files", "GET /api/tasks/{id}/files/{path}", "PUT /api/tasks/{id}/files/input/{path}",
      "GET /api/tasks/{id}/jobs", "GET /api/jobs/{id}", "GET /api/jobs/{id}/turns", "GET /api/jobs/{id}/audit", "GET /api/pieces", "GET /api/pieces/{name}", "PUT /api/pieces/{name}", "DELETE /api/pieces/{name}",
      "POST /api/pieces/validate", "GET /api/workers", "GET /api/nodes", "GET /api/config", "POST /api/config/reload", "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /schemas/piece.json",
    ]
    expect(operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(wanted.sort())
  })

  it("resolves every reference, names every path parameter and gives each operation a name of its own", () => {
    for (const [, ref] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) expect(document.components.schemas).toHaveProperty(ref ?? "")
    expect(JSON.stringify(document)).not.toContain("#/$defs/")
    for (const { path, operation } of operations()) {
      const inPath = operation.parameters.filter((p) => p.in === "path").map((p) => `{${p.name}}`)
      expect(inPath).toEqual(path.match(/\{\w+\}/g) ?? [])
      expect(operation.responses).toHaveProperty("403")
    }
    const ids = operations().map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it("describes every field of the submission that its name does not explain", () => {
    const { properties } = document.components.schemas["NewTask"] as { properties: Record<string, object> }
    for (const name of ["instruction", "title", "piece", "role", "ask_policy", "idempotency_key", "schedule", "output_schema"]) expect([name, JSON.stringify(properties[name])]).toEqual([name, expect.stringContaining("description")])
  })

  it("has a schema of the submission that says what the server says", async () => {
    const schema = document.paths["/api/tasks"]?.["post"]?.requestBody?.content["application/json"]?.schema ?? {}
    const valid = validator(schema)
    const bodies: ReadonlyArray<object> = [
      { instruction: "x" }, { instruction: "x", priority: "high", options: { mcp_disabled: true }, title: null }, { instruction: "" }, {}, { instruction: 7 }, { instruction: "x", priority: "urgent" },
      { instruction: "x", nonsense: 1 }, { instruction: "x", options: { other: true } }, { instruction: "x", title: "y".repeat(301) }, { instruction: "x", visibility: "all" }, { instruction: "x", role: "a b" }, { instruction: "x", role: "fast" },
    ]
    for (const body of bodies) {
      const { status } = await app.json("POST", "/api/tasks", body)
      expect([body, valid(body)]).toEqual([body, status === 201])
    }
  })

  it("describes the answers that the server gives, problems included", async () => {
    const answer = async (method: string, path: string, documented: string, body?: object) => {
      const { status, body: got } = await app.json(method, path, body)
      const content = document.paths[documented]?.[method.toLowerCase()]?.responses[String(status)]?.content
      const schema = Object.values(content ?? {})[0]?.schema
      expect([path, status, schema === undefined]).toEqual([path, status, false])
      const valid = validator(schema ?? {})
      expect([path, valid(got), valid.errors]).toEqual([path, true, null])
    }
    await answer("POST", "/api/tasks", "/api/tasks", { instruction: "x" })
    await answer("POST", "/api/tasks", "/api/tasks", { instruction: 1 })
    for (const path of ["/api/tasks", "/api/pieces", "/api/workers", "/api/nodes", "/api/config", "/healthz", "/readyz", "/schemas/piece.json"]) await answer("GET", path, path)
    await answer("GET", "/api/pieces/general", "/api/pieces/{name}")
    await answer("POST", "/api/tasks/1/comments", "/api/tasks/{id}/comments", { body: "x" })
    await answer("GET", "/api/tasks/1/comments", "/api/tasks/{id}/comments")
    await answer("GET", "/api/tasks/1/files", "/api/tasks/{id}/files")
    await answer("GET", "/api/tasks/1/jobs", "/api/tasks/{id}/jobs")
    await answer("GET", "/api/tasks/999999", "/api/tasks/{id}")
    await answer("POST", "/api/tasks/1/resume", "/api/tasks/{id}/resume")
  })
})
