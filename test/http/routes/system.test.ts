import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Registry } from "../../../src/store/Registry.ts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { problem, startApp, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

describe("the node's own routes", () => {
  it("show workers without credentials, nodes with sums, and settings without secrets", async () => {
    await app.run(Registry.use((registry) => registry.publish({ id: "n1", url: "http://x", version: "1" }, [
      { id: "w1", endpoint: "http://user:pass@h/v1", enabled: true, healthy: true, claims: true, roles: ["auto"], models: ["m"], inflight: 1, max_concurrency: 2, context_limit_tokens: 8, last_error: null },
    ])))
    const workers = await (await app.fetch("/api/workers")).text()
    expect(workers).not.toContain("pass")
    expect(JSON.parse(workers)).toMatchObject({ items: [{ id: "w1", healthy: true, inflight: 1, max_concurrency: 2, roles: ["auto"], models: ["m"], last_error: null }] })
    expect((await app.json("GET", "/api/nodes")).body).toMatchObject({ items: [{ id: "n1", healthy: true, inflight: 1, max_concurrency: 2, roles: ["auto"], models: ["m"], last_error: null }] })
    expect((await app.json("GET", "/api/config")).body).toMatchObject({ data_dir: `${app.dir}/data`, http: { max_body_bytes: 200_000 } })
  })

  it("answer health, readiness, metrics, and the published documents", async () => {
    expect((await app.json("GET", "/healthz")).body).toEqual({ status: "ok", version: "0.0.0-test" })
    expect((await app.json("GET", "/readyz")).body).toEqual({ status: "ready", node_id: null })
    expect(await (await app.fetch("/metrics")).text()).toBe("up 1\n")
    expect((await app.json("GET", "/schemas/piece.json")).body).toHaveProperty("properties")
  })

  it("take over a changed configuration, or name what is wrong and change nothing", async () => {
    const file = join(app.dir, "attacca.yaml")
    const text = readFileSync(file, "utf8")
    writeFileSync(file, `${text}workers:\n  - { id: w9, endpoint: "http://127.0.0.1:1/v1" }\nretry: { max_attempts: 7 }\n`)
    expect((await app.json("POST", "/api/config/reload")).body).toEqual({ changed: [], added: ["w9"], removed: [], restart: ["retry.max_attempts"] })
    writeFileSync(file, `${text}wrkers: []\n`)
    const wrong = await app.json("POST", "/api/config/reload")
    expect([wrong.status, problem(wrong).errors?.[0]]).toMatchObject([422, { path: "wrkers", line: expect.any(Number) as number }])
    writeFileSync(file, text)
  })
})

describe("readiness", () => {
  it("that readiness can tell is 503", async () => {
    const waiting = await startApp({ ports: { node: { id: "n1", registered: () => false } } })
    expect((await waiting.fetch("/readyz")).status).toBe(503)
    await waiting.stop()
  })
})
