import { describe, expect, it } from "vitest"
import { Conflict, IllegalMove, InvalidInput, NotFound, StoreError } from "../../src/job/errors.ts"

describe("errors that people read", () => {
  it("say what is wrong in their message", () => {
    expect(new IllegalMove({ from: "failed", to: "running", mover: "person" }).message).toBe("a job that is failed cannot become running (asked by person)")
    expect(new NotFound({ what: "task", id: "7" }).message).toBe("no task 7")
    expect(new Conflict({ detail: "task 7 is running" }).message).toBe("task 7 is running")
    expect(new StoreError({ reason: "full", detail: "the disk is full" }).message).toBe("database: the disk is full")
    expect(new InvalidInput({ detail: "2 fields are wrong", errors: [{ path: "a", message: "b" }] }).message).toBe("2 fields are wrong")
  })
})
