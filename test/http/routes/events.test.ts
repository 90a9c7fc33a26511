import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { finish, paths, startApp, submitTo, type TestApp } from "../support.ts"

let app: TestApp
beforeAll(async () => { app = await startApp() })
afterAll(() => app.stop())

const events = async (id: number, query = "", headers: Record<string, string> = {}) => {
  const answer = await app.fetch(`/api/tasks/${id}/events${query}`, { headers })
  const text = await answer.text()
  return { answer, list: text.split("\n\n").filter((block) => block.startsWith("id: ")).map((block) => ({ id: /^id: (\d+)$/m.exec(block)?.[1] ?? "", event: /^event: (\w+)$/m.exec(block)?.[1] ?? "", data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "null") as Record<string, unknown> })) }
}

describe("the events of an ended task", () => {
  it("come from the start, each with its job and time, and the stream ends after done", async () => {
    const task = await submitTo(app)
    await finish(app, task.id, { _tag: "Succeeded", result: "the end" })
    const { answer, list } = await events(task.id)
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control")]).toEqual([200, "text/event-stream", "no-store"])
    expect(list.every(({ data }) => data["job_id"] === task.job.id && !Number.isNaN(Date.parse(String(data["at"]))))).toBe(true)
    expect(list[0]).toMatchObject({ event: "status", data: { status: "queued" } })
    expect(list.at(-1)).toMatchObject({ event: "done", data: { status: "succeeded", result: "the end" } })
  })

  it("go on after an id given by header or parameter, the header first", async () => {
    const task = await submitTo(app)
    await finish(app, task.id, { _tag: "Succeeded", result: "r" })
    const { list } = await events(task.id)
    const rest = list.slice(1)
    expect((await events(task.id, `?after=${list[0]?.id}`)).list).toEqual(rest)
    expect((await events(task.id, "?after=0", { "last-event-id": list[0]?.id ?? "" })).list).toEqual(rest)
    expect((await events(task.id, "", { "last-event-id": list.at(-1)?.id ?? "" })).list).toEqual([])
  })

  it("are refused for an id that is none, and HEAD opens no stream", async () => {
    const task = await submitTo(app)
    expect(paths(await app.json("GET", `/api/tasks/${task.id}/events?after=-1`))).toEqual(["after"])
    expect(paths(await app.json("GET", `/api/tasks/${task.id}/events`, undefined, { "last-event-id": "abc" }))).toEqual(["Last-Event-ID"])
    const head = await app.fetch(`/api/tasks/${task.id}/events`, { method: "HEAD" })
    expect([head.status, head.headers.get("content-type"), app.app.openStreams()]).toEqual([200, "text/event-stream", 0])
  })
})
