import { Effect, Exit } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Call, json, MAX_LIMIT, readPage, taskId } from "../../src/http/route.ts"

const page = (query: string) => Effect.runSyncExit(readPage(new URL(`http://x/?${query}`), { status: ["queued", "running"] }))
const id = (text: string) => Effect.runSyncExit(taskId({ request: new Request("http://x/"), url: new URL("http://x/"), param: () => text } satisfies Call))

describe("the parameters of a list", () => {
  it("have defaults and are read by name", () => {
    expect(page("")).toEqual(Exit.succeed({ limit: 50, cursor: null, rest: {} }))
    expect(page("limit=200&cursor=17&status=queued")).toEqual(Exit.succeed({ limit: MAX_LIMIT, cursor: "17", rest: { status: "queued" } }))
  })

  it("are all named when they are wrong", () => {
    const exit = page("limit=0&cursor=x&status=gone&other=1")
    const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
    expect(reason?._tag === "Fail" ? reason.error.errors.map((e) => e.path) : []).toEqual(["limit", "cursor", "status", "other"])
  })

  it("never pass a limit outside 1 to 200, whatever they say", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String)), (text) => {
      const exit = page(`limit=${encodeURIComponent(text)}`)
      if (Exit.isFailure(exit)) return
      expect(exit.value.limit).toBeGreaterThanOrEqual(1)
      expect(exit.value.limit).toBeLessThanOrEqual(MAX_LIMIT)
    }))
  })
})

describe("a task's id in a path", () => {
  it("is a positive integer; anything else is no task", () => {
    expect(id("7")).toEqual(Exit.succeed(7))
    for (const text of ["0", "-1", "1.5", "1e3", "abc", "", "07", " 7", "9007199254740993", "99999999999999999999", "__proto__"]) expect([text, Exit.isFailure(id(text))]).toEqual([text, true])
  })
})

describe("a JSON answer", () => {
  it("is not kept by caches", async () => {
    const answer = json(201, { a: 1 }, { location: "/x" })
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control"), answer.headers.get("location"), await answer.text()]).toEqual([201, "application/json", "no-store", "/x", '{"a":1}'])
  })
})
