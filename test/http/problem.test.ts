import { describe, expect, it } from "vitest"
import { BadRequest, defectResponse, type Failure, NoSuchRoute, NotReady, problemResponse, RangeOutside, Refused, TooLarge, WrongMediaType, WrongMethod } from "../../src/http/problem.ts"
import { Conflict, IllegalMove, InvalidInput, LeaseLost, NotFound, StoreError } from "../../src/job/errors.ts"
import { PathRefused, WorkspaceError } from "../../src/workspace/Workspace.ts"

const cases: ReadonlyArray<readonly [number, Failure]> = [
  [400, new BadRequest({ detail: "not JSON" })],
  [400, new PathRefused({ path: "..", detail: "leads outside" })],
  [403, new Refused({ reason: "origin", detail: "foreign" })],
  [404, new NotFound({ what: "task", id: "7" })],
  [404, new NoSuchRoute({ method: "GET", path: "/x" })],
  [405, new WrongMethod({ method: "PUT", allow: ["GET", "HEAD"] })],
  [409, new Conflict({ detail: "it runs" })],
  [409, new IllegalMove({ from: "failed", to: "running", mover: "claimer" })],
  [409, new LeaseLost({ job_id: "j", fence: 1 })],
  [413, new TooLarge({ max_bytes: 9 })],
  [415, new WrongMediaType({ got: "", accepted: ["application/json"] })],
  [416, new RangeOutside({ bytes: 10 })],
  [422, new InvalidInput({ detail: "title: too long", errors: [{ path: "title", message: "too long" }] })],
  [500, new WorkspaceError({ detail: "it cannot be made" })],
  [500, new StoreError({ reason: "io", detail: "disk" })],
  [503, new StoreError({ reason: "busy", detail: "locked" })],
  [503, new StoreError({ reason: "unreachable", detail: "no answer" })],
  [507, new StoreError({ reason: "full", detail: "no space" })],
  [503, new NotReady({ detail: "not registered" })],
]

describe("a problem", () => {
  it.each(cases)("has status %i for %s", async (status, failure) => {
    const response = problemResponse(failure)
    const body = await response.json() as Record<string, unknown>
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    expect(body).toMatchObject({ status, detail: failure.message })
    expect(body["type"]).toMatch(/^urn:attacca:problem:[a-z-]+$/)
    expect(Object.keys(body).slice(0, 4)).toEqual(["type", "title", "status", "detail"])
  })

  it("names every wrong place of invalid input, and only of that", async () => {
    expect(await problemResponse(new InvalidInput({ detail: "x", errors: [{ path: "a.b", message: "m", line: 3, column: 1 }] })).json()).toMatchObject({ errors: [{ path: "a.b", message: "m", line: 3, column: 1 }] })
    expect(await problemResponse(new Conflict({ detail: "x" })).json()).not.toHaveProperty("errors")
  })

  it("says what is allowed, how long the file is, and when to come back", () => {
    expect(problemResponse(new WrongMethod({ method: "PUT", allow: ["GET", "HEAD"] })).headers.get("allow")).toBe("GET, HEAD")
    expect(problemResponse(new RangeOutside({ bytes: 10 })).headers.get("content-range")).toBe("bytes */10")
    expect(problemResponse(new NotReady({ detail: "x" })).headers.get("retry-after")).toBe("1")
  })

  it("shows an address without its credentials", async () => {
    const answer = problemResponse(new StoreError({ reason: "unreachable", detail: "libsql://u:pw@db.example?authToken=tok&x=1 cannot be reached" }))
    const { detail } = await answer.json() as { detail: string }
    expect(detail).toBe("database: libsql://***@db.example?authToken=***&x=1 cannot be reached")
  })

  it("tells nothing of a bug but where to look for it", async () => {
    const response = defectResponse("id-1")
    expect([response.status, await response.json()]).toEqual([500, { type: "urn:attacca:problem:internal", title: "Something went wrong here", status: 500, detail: "the server's log has the details under request id-1" }])
  })
})
