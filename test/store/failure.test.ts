import { describe, expect, it } from "vitest"
import { StoreError } from "../../src/job/errors.ts"
import { isOperationsOwn, isTransient, toStoreError } from "../../src/store/failure.ts"

const raised = (code: string, message = "it failed") => Object.assign(new Error(message), { code })

describe("what a driver raises", () => {
  it.each([
    ["SQLITE_BUSY", "busy"], ["SQLITE_BUSY_SNAPSHOT", "busy"], ["SQLITE_LOCKED", "busy"], ["SQLITE_FULL", "full"], ["SQLITE_READONLY_DBMOVED", "read_only"],
    ["SQLITE_IOERR_FSYNC", "io"], ["SQLITE_CANTOPEN", "io"], ["SQLITE_NOTADB", "io"], ["SQLITE_CORRUPT", "io"], ["SQLITE_CONSTRAINT_UNIQUE", "constraint"],
    ["SERVER_ERROR", "unreachable"], ["CLIENT_CLOSED", "closed"], ["SQLITE_ERROR", "other"],
  ] as const)("%s becomes %s and keeps its message", (code, reason) => {
    expect(toStoreError(raised(code), false)).toMatchObject({ _tag: "StoreError", reason, detail: `it failed (${code})` })
  })

  it("without a code is the network's doing where the database is remote", () => {
    expect(toStoreError(new TypeError("fetch failed"), true).reason).toBe("unreachable")
    expect(toStoreError(new TypeError("x is undefined"), false).reason).toBe("other")
  })

  it("that is a StoreError already stays what it is", () => {
    const error = new StoreError({ reason: "locked", detail: "held" })
    expect(toStoreError(error, true)).toBe(error)
  })

  it("may even be no error", () => {
    expect(toStoreError("boom", false)).toMatchObject({ reason: "other", detail: "boom" })
  })
})

describe("what to do about it", () => {
  const of = (reason: StoreError["reason"]) => new StoreError({ reason, detail: "" })
  it("busy and unreachable are tried again, a constraint may be one operation's own, the rest ends the batch", () => {
    expect((["busy", "unreachable"] as const).map((reason) => [isTransient(of(reason)), isOperationsOwn(of(reason))])).toEqual([[true, false], [true, false]])
    expect((["constraint", "other"] as const).map((reason) => [isTransient(of(reason)), isOperationsOwn(of(reason))])).toEqual([[false, true], [false, true]])
    expect((["full", "io", "read_only", "closed"] as const).some((reason) => isTransient(of(reason)) || isOperationsOwn(of(reason)))).toBe(false)
  })
})
