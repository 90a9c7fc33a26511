import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import edge, { makeEdge } from "../src/edge.ts"
import { JobStore } from "../src/store/JobStore.ts"
import { openStore } from "./support/database.ts"
import { type Primary, startPrimary } from "./support/primary.ts"

let dir = ""
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), "attacca-edge-")) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const request = (path: string, init: RequestInit = {}) => new Request(`https://edge.example${path}`, init)
const task = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ instruction: "Do it" }) }
const settings = (url: string) => ({ env: { ATTACCA_DATA_DIR: join(dir, "data"), ATTACCA_DATABASE__URL: url, ATTACCA_HTTP__ADVERTISE_URL: "https://edge.example" }, cwd: dir })

describe("the HTTP surface alone", () => {
  it("is a default export with fetch and nothing else, for any runtime that serves such a thing", () => {
    expect([Object.keys(edge), typeof edge.fetch]).toEqual([["fetch"], "function"])
  })

  it("answers health, its document, a submission and the task on the database of the settings", async () => {
    const surface = makeEdge(settings(`file:${dir}/attacca.db`))
    expect((await surface.fetch(request("/healthz"))).status).toBe(200)
    expect((await surface.fetch(request("/readyz"))).status).toBe(200)
    expect(((await (await surface.fetch(request("/openapi.json"))).json()) as { openapi: string }).openapi).toBe("3.1.1")
    const made = await surface.fetch(request("/api/tasks", task))
    const { id } = await made.json() as { id: number }
    expect(made.status).toBe(201)
    expect(await (await surface.fetch(request(`/api/tasks/${id}`))).json()).toMatchObject({ id, status: "queued", job: { wait_reason: "role" } })
    expect((await surface.fetch(new Request("https://other.example/healthz"))).status).toBe(403)
    await surface.close()
  })

  it("opens once for requests that come together", async () => {
    const surface = makeEdge(settings(`file:${dir}/attacca.db`))
    const answers = await Promise.all(Array.from({ length: 20 }, () => surface.fetch(request("/api/tasks", task))))
    expect(new Set(await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: number }).id))).size).toBe(20)
    await surface.close()
  })

  it("answers 503 with the reason while it cannot start, and starts as soon as it can", async () => {
    const surface = makeEdge(settings(`file:${dir}/blocked/attacca.db`))
    mkdirSync(join(dir, "blocked/attacca.db"), { recursive: true })
    const answer = await surface.fetch(request("/healthz"))
    expect([answer.status, answer.headers.get("content-type")]).toEqual([503, "application/problem+json"])
    rmSync(join(dir, "blocked"), { recursive: true })
    expect((await surface.fetch(request("/healthz"))).status).toBe(200)
    await surface.close()
    const wrong = makeEdge({ env: { ATTACCA_HTTP__PROT: "1" }, cwd: dir })
    expect(await (await wrong.fetch(request("/healthz"))).json()).toMatchObject({ status: 503, detail: expect.stringContaining("PROT") as string })
    await wrong.close()
  })
})

describe("the HTTP surface alone on a shared primary", () => {
  let primary: Primary
  beforeAll(async () => { primary = await startPrimary() })
  afterAll(() => primary.stop())

  it("takes a task that another process claims and ends, and streams its events", async () => {
    const surface = makeEdge(settings(primary.url))
    const { id } = await (await surface.fetch(request("/api/tasks", task))).json() as { id: number }
    const stream = (await surface.fetch(request(`/api/tasks/${id}/events`))).text()
    const node = openStore(primary.url)
    await node.runPromise(JobStore.use((jobs) => Effect.gen(function*() {
      const [job] = yield* jobs.claim({ node_id: "n1", slots: [{ worker_id: "w1", roles: ["auto"], models: null }], lease_ttl_ms: 30_000 })
      expect(job?.task_id).toBe(id)
      yield* jobs.finish({ id: job?.id ?? "", fence: job?.fence ?? 0, outcome: { _tag: "Succeeded", result: "from elsewhere" }, backoff_seconds: [], movements: 1, context_actions: 0 })
    })))
    expect(await stream).toContain("from elsewhere")
    expect(await (await surface.fetch(request(`/api/tasks/${id}`))).json()).toMatchObject({ status: "succeeded", result: "from elsewhere" })
    await node.dispose()
    await surface.close()
  })
})
