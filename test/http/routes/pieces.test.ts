import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startApp, submitTo, type Problem, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

const YAML = (name: string, more = "") => `name: ${name}\ndescription: a test\n${more}initial_movement: a\nmovements:\n  - name: a\n    instruction: do it\n    rules:\n      - next: COMPLETE\n`
const yaml = (method: string, path: string, text: string) => app.fetch(path, { method, body: text, headers: { "content-type": "text/yaml" } })

describe("pieces", () => {
  it("are written, read word for word, played and deleted as one's own copy", async () => {
    const text = `# mine\n${YAML("mine", "model: big\n")}`
    expect((await yaml("PUT", "/api/pieces/mine", text)).status).toBe(201)
    expect((await yaml("PUT", "/api/pieces/mine", text)).status).toBe(200)
    expect((await app.json("GET", "/api/pieces/mine")).body).toMatchObject({ name: "mine", origin: "owner", valid: true, model: "big", description: "a test", yaml: text })
    expect(await (await app.fetch("/api/pieces/mine", { headers: { accept: "text/yaml" } })).text()).toBe(text)
    const task = await submitTo(app, { piece: "mine" })
    expect(task.job).toMatchObject({ piece: "mine", required_model: "big" })
    expect(((await app.json("GET", "/api/pieces")).body as { items: ReadonlyArray<{ name: string }> }).items.map((p) => p.name)).toEqual(expect.arrayContaining(["digest", "general", "mine"]))
    expect((await app.fetch("/api/pieces/mine", { method: "DELETE" })).status).toBe(204)
    expect((await app.json("DELETE", "/api/pieces/mine")).status).toBe(404)
    expect((await app.json("DELETE", "/api/pieces/general")).status).toBe(409)
  })

  it("are checked with line and column, as YAML or JSON", async () => {
    const wrong = YAML("x").replace("instruction", "instrction")
    const put = await yaml("PUT", "/api/pieces/x", wrong)
    const body = await put.json() as Problem
    expect([put.status, body.errors?.[0]]).toMatchObject([422, { line: 6, message: expect.stringContaining('did you mean "instruction"') as string }])
    const validated = await (await yaml("POST", "/api/pieces/validate", wrong)).json()
    expect(validated).toMatchObject({ valid: false, errors: [{ line: 6 }], warnings: [] })
    expect((await app.json("POST", "/api/pieces/validate", { name: "x", movements: [{ name: "a", instruction: "x", rules: [{ next: "COMPLETE" }] }] })).body).toMatchObject({ valid: true, errors: [] })
    expect((await app.fetch("/api/pieces/validate", { method: "POST", body: "x" })).status).toBe(415)
  })
})
