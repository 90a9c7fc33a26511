import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { BASE, problem, startApp, type TestApp } from "./support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp({ config: "http: { max_body_bytes: 200000 }\n" }) })
afterAll(() => app.stop())

describe("routing", () => {
  it.each([["/api/tasks/999999"], ["/api/tasks/abc"], ["/api/tasks/0"], ["/api/tasks/1.5"], ["/api/tasks/99999999999999999999"], ["/api/jobs/nope"], ["/api/jobs/nope/turns"], ["/api/tasks/999999/events"], ["/api/tasks/999999/files"], ["/api/pieces/nope"], ["/nope"], ["/api"]])("answer 404 for %s", async (path) => {
    const answer = await app.json("GET", path)
    expect([answer.status, problem(answer).status]).toEqual([404, 404])
  })

  it("answer 405 with what is allowed", async () => {
    const answer = await app.json("PUT", "/api/tasks/1")
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, DELETE"])
    expect((await app.json("DELETE", "/api/config")).status).toBe(405)
  })
})

describe("callers", () => {
  it("of another site, host or machine are 403 on every route and leave one entry in the audit log", async () => {
    for (const route of app.app.routes) {
      const path = route.path.replace(/\{\w+\}/g, "1")
      const answer = await app.app.fetch(new Request(`${BASE}${path}`, { method: route.method, headers: { origin: "http://evil.example" } }))
      expect([path, answer.status]).toEqual([path, 403])
      expect(answer.headers.get("content-type")).toBe("application/problem+json")
    }
    expect((await app.app.fetch(new Request("http://evil.example/api/tasks"))).status).toBe(403)
    expect((await app.app.fetch(new Request(`${BASE}/api/tasks`), { address: "10.1.2.3" })).status).toBe(403)
    expect((await app.app.fetch(new Request(`${BASE}/api/tasks`), { address: "127.0.0.1" })).status).toBe(200)
    const actions = await app.auditActions(null)
    expect(actions.filter((a) => a === "origin.refused")).toHaveLength(2)
    expect(actions.filter((a) => a === "host.refused")).toHaveLength(1)
  })

  it("get headers that keep answers from being framed or guessed", async () => {
    const answer = await app.fetch("/api/tasks")
    expect([answer.headers.get("x-content-type-options"), answer.headers.get("content-security-policy"), answer.headers.get("cache-control")]).toEqual(["nosniff", "default-src 'none'; frame-ancestors 'none'", "no-store"])
    expect(answer.headers.has("access-control-allow-origin")).toBe(false)
  })
})

describe("a fault inside", () => {
  it("is a plain 500 that tells nothing, and the next request is served", async () => {
    const broken = await startApp({ ports: { metrics: () => Promise.reject(new Error("secret inside")) } })
    const answer = await broken.fetch("/metrics")
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining("secret")])
    expect((await broken.fetch("/healthz")).status).toBe(200)
    await broken.stop()
    expect((await broken.fetch("/api/tasks")).status).toBeGreaterThanOrEqual(500)
  })

})
