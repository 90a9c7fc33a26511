import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { gather, OWNER, type Services } from "../../src/http/services.ts"
import { Registry } from "../../src/store/Registry.ts"
import { claimOf, finish, startApp, submitTo, type TestApp } from "./support.ts"

let app: TestApp
let services: Services
beforeAll(async () => {
  app = await startApp()
  services = await app.run(gather(app.ports))
})
afterAll(() => app.stop())

const publish = (roles: ReadonlyArray<string>) => app.run(Registry.use((registry) => registry.publish({ id: "n1", url: "http://x", version: "1" }, [
  { id: "w1", endpoint: "http://h/v1", enabled: true, healthy: true, claims: true, roles, models: ["m"], inflight: 0, max_concurrency: 2, context_limit_tokens: null, last_error: null },
])))
const waits = async (id: number) => (await app.run(Effect.flatMap(services.findTask(id), (found) => services.showTask(found)))).job?.wait_reason

describe("what routes share", () => {
  it("finds tasks and jobs or says that there is none", async () => {
    const task = await submitTo(app)
    expect((await app.run(services.findTask(task.id))).task.owner).toBe(OWNER)
    expect((await app.run(services.findJob(task.job.id))).task_id).toBe(task.id)
    await expect(app.run(services.findTask(999_999))).rejects.toMatchObject({ _tag: "NotFound" })
    await expect(app.run(services.findJob("x".repeat(1000)))).rejects.toMatchObject({ _tag: "NotFound", id: "x".repeat(100) })
  })

  it("shows why a queued job waits from the registry as it was a moment ago", async () => {
    const task = await submitTo(app)
    expect(await waits(task.id)).toBe("role")
    await publish(["auto"])
    await expect.poll(() => waits(task.id), { timeout: 5_000 }).toBe(null)
    await finish(app, task.id, { _tag: "Succeeded", result: "r" })
    expect(await waits(task.id)).toBe(null)
  })

  it("shows a job that is retried by hand as waiting for the lock only while another of its task runs", async () => {
    const task = await submitTo(app)
    await claimOf(app, task.id)
    await app.json("POST", `/api/tasks/${task.id}/cancel`)
    await app.json("POST", `/api/tasks/${task.id}/retry`)
    await publish(["auto"])
    expect(await waits(task.id)).toBe(null)
  })

  it("goes on when an audit entry cannot be written", async () => {
    const other = await startApp()
    const broken = await other.run(gather(other.ports))
    await other.stop()
    await expect(Effect.runPromise(broken.audit("file.refused", null, {}))).resolves.toBeUndefined()
  })
})
