import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { ask, bypassProxy, open, problemFailure, submit } from "../../src/cli/api.ts"
import { listenRaw } from "../support/rawHttp.ts"
import { startFakeApi } from "../support/fakeApi.ts"
import type { FakeApi } from "../support/fakeApi.ts"

let api: FakeApi
beforeEach(() => { api = startFakeApi() })
afterEach(() => api.stop())

describe("a call", () => {
  it("answers the JSON", async () => {
    api.on("GET /x", () => ({ json: { a: 1 } }))
    expect(await ask<unknown>(api.base, "/x")).toEqual({ a: 1 })
  })

  it("that takes too long ends as unreachable", async () => {
    const server = listenRaw({ onRequest: () => {}, onAbort: () => {} }, 0)
    await expect(open(`http://127.0.0.1:${server.port}`, "/", { timeout_ms: 50 })).rejects.toMatchObject({ exit_code: 4, message: expect.stringContaining("no answer in time") as string })
    server.close()
  })

  it("ends when its caller leaves, with the caller's own reason", async () => {
    const server = listenRaw({ onRequest: () => {}, onAbort: () => {} }, 0)
    const stop = new AbortController()
    const call = open(`http://127.0.0.1:${server.port}`, "/", { signal: stop.signal })
    stop.abort(new Error("left"))
    await expect(call).rejects.toThrow("left")
    server.close()
  })
})

describe("a submission", () => {
  it("whose answer was lost is sent again under the same key", async () => {
    const keys: Array<string | undefined> = []
    const server = listenRaw({
      onAbort: () => {},
      onRequest: (request, reply) => {
        keys.push(request.headers["idempotency-key"])
        if (keys.length === 1) reply.reset()
        else reply.send(201, { "content-type": "application/json" }, '{"id":1}')
      },
    }, 0)
    expect(await submit<unknown>(`http://127.0.0.1:${server.port}`, () => new FormData())).toEqual({ id: 1 })
    expect(keys).toHaveLength(2)
    expect(keys[0]).toBe(keys[1] as string)
    server.close()
  })

  it("is not sent again when the node refuses it", async () => {
    api.on("POST /api/tasks", () => ({ status: 422, json: { detail: "no" } }))
    await expect(submit(api.base, () => new FormData())).rejects.toMatchObject({ exit_code: 2 })
    expect(api.calls).toHaveLength(1)
  })
})

it.each([[400, 2], [413, 2], [422, 2], [403, 1], [404, 1], [409, 1], [500, 1], [507, 1]])("a problem with status %d ends with %d", (status, code) => {
  expect(problemFailure(status, { title: "T", detail: "D" })).toMatchObject({ exit_code: code, message: "D" })
  expect(problemFailure(status, {}).message).toBe(`the node answered ${status}`)
})

it("a proxy is not asked for this machine, and is for others", () => {
  const env: Record<string, string | undefined> = { NO_PROXY: "x.example" }
  bypassProxy("http://example.com", env)
  expect(env).toEqual({ NO_PROXY: "x.example" })
  bypassProxy("http://127.0.0.1:3000", env)
  expect(env).toEqual({ NO_PROXY: "x.example,127.0.0.1", no_proxy: "127.0.0.1" })
})
