// Comments and audit entries as writes: known by the id of their operation, so that one of them never stands twice.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { auditWrite, commentWrite } from "../../src/store/commentWrite.ts"
import type { AuditOperation, CommentOperation } from "../../src/store/commentWrite.ts"
import { Writer } from "../../src/store/Writer.ts"
import { commentsOf, eventsOf, sql, submit, withStore } from "../support/database.ts"

const comment = (task_id: number, op: string): CommentOperation => ({ task_id, job_id: null, author: "user", kind: "message", body: `body of ${op}`, mode: "steer", op })
const entry = (op: string): AuditOperation => ({ actor: "ana", action: "file.uploaded", task_id: null, job_id: null, detail: { op }, op })
const together = { concurrency: "unbounded" } as const

describe("a comment", () => {
  it("written again under the same id answers the same row and adds nothing", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    const writer = yield* Writer
    const first = yield* writer.write(commentWrite, comment(id, "a"))
    expect(yield* writer.write(commentWrite, { ...comment(id, "a"), body: "another" })).toEqual(first)
    expect(yield* commentsOf(id)).toEqual([first])
    expect((yield* eventsOf(id)).filter(({ event }) => event === "comment")).toHaveLength(1)
  })))

  it("of a batch is answered to its own caller, also where one has no task", () => withStore(Effect.gen(function*() {
    const [one, two] = [yield* submit(), yield* submit()]
    const writer = yield* Writer
    const found = yield* Effect.all([comment(two.id, "a"), comment(99, "b"), comment(one.id, "c"), comment(two.id, "d")].map((input) => writer.write(commentWrite, input)), together)
    expect(found.map((row) => row && [row.task_id, row.body, row.mode])).toEqual([[two.id, "body of a", "steer"], null, [one.id, "body of c", "steer"], [two.id, "body of d", "steer"]])
  })))
})

describe("an audit entry", () => {
  it("written again under the same id adds nothing; those of a batch stand in their order", () => withStore(Effect.gen(function*() {
    const writer = yield* Writer
    yield* Effect.all(["a", "b", "c"].map((op) => writer.write(auditWrite, entry(op))), together)
    yield* writer.write(auditWrite, entry("b"))
    expect(yield* sql("SELECT actor, action, detail FROM audit ORDER BY id")).toEqual(["a", "b", "c"].map((op) => ["ana", "file.uploaded", JSON.stringify({ op })]))
  })))
})
