// The store's own operations in one batch: their order, what each sees of the others, and what a bad one does to them.
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { JobStore } from "../../src/store/JobStore.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { ORDER, Writer } from "../../src/store/Writer.ts"
import type { WriteKind } from "../../src/store/Writer.ts"
import { claim, finish, slot, sql, submit, succeeded, withStore } from "../support/database.ts"

/** Adds a word to a table; an empty word breaks its CHECK. Answers how many there are. */
const word = (name: string, order: number): WriteKind<string, number> => ({
  name,
  order,
  plan: (inputs) => ({
    statements: inputs.flatMap((input) => [{ sql: "INSERT INTO words (word) VALUES (?)", args: [input] }, { sql: "SELECT count(*) FROM words", args: [] }]),
    read: (results) => inputs.map((_, k) => Number(results[2 * k + 1]?.[0]?.[0])),
  }),
})
const table = sql("CREATE TABLE words (word TEXT NOT NULL CHECK (word <> ''))")
const words = Effect.map(sql("SELECT word FROM words ORDER BY rowid"), (rows) => rows.map(([text]) => text))
const audited = TaskStore.use((tasks) => tasks.audit({ actor: "a", action: "config.reloaded", task_id: null, job_id: null, detail: {} }))
const together = { concurrency: "unbounded" } as const

describe("one tick", () => {
  it("is one batch, whatever it asks, and each caller gets its own answer", () => withStore(Effect.gen(function*() {
    yield* table
    const writer = yield* Writer
    const before = writer.stats()
    const kind = word("word", ORDER.comment)
    const found = yield* Effect.all([...["a", "b", "c"].map((text) => writer.write(kind, text)), submit(), audited], together)
    expect(found.slice(0, 3)).toEqual([1, 2, 3])
    const now = writer.stats()
    expect({ batches: now.batches - before.batches, operations: now.operations - before.operations, waiting: now.waiting }).toEqual({ batches: 1, operations: 5, waiting: 0 })
  })))

  it("goes kind by kind in the published order, and a claim sees what the same tick submitted and freed", () => withStore(Effect.gen(function*() {
    yield* table
    const writer = yield* Writer
    const names = Object.keys(ORDER) as Array<keyof typeof ORDER>
    yield* Effect.all(names.toReversed().map((name) => writer.write(word(name, ORDER[name]), name)), together)
    expect(yield* words).toEqual(names)
    const [claimed, submitted] = yield* Effect.all([claim([slot()]), submit()], together)
    expect(claimed).toMatchObject([{ id: submitted.job_id }])
  })))

  it("frees a lock and gives it on", () => withStore(Effect.gen(function*() {
    const { id } = yield* submit()
    const [job] = yield* claim()
    if (job === undefined) throw new Error("nothing to claim")
    const [, again, next] = yield* Effect.all([finish(job, succeeded()), JobStore.use((jobs) => jobs.retry(id, "local")), claim()], together)
    expect(next).toMatchObject([{ id: again.id }])
  })))
})

describe("a bad operation", () => {
  it("harms no job beside it", () => withStore(Effect.gen(function*() {
    const writer = yield* Writer
    const broken: WriteKind<null, null> = { name: "broken", order: ORDER.finish, plan: () => ({ statements: [{ sql: "NO SUCH STATEMENT", args: [] }], read: () => [null] }) }
    const [submitted, failure, claimed] = yield* Effect.all([submit({ idempotency_key: "k" }), Effect.flip(writer.write(broken, null)), claim()], together)
    expect(failure).toMatchObject({ _tag: "StoreError", reason: "other" })
    expect(claimed).toMatchObject([{ id: submitted.job_id, fence: 1 }])
    expect(yield* sql("SELECT count(*) FROM events")).toEqual([[1]])
  })))
})
