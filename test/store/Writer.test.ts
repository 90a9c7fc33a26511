// The group commit over a real database file: one batch for one tick, its order, and what happens to the others when one
// operation is bad, the database is busy, or the store is closing.
import { Effect, Exit } from "effect"
import Libsql from "libsql"
import { describe, expect, it } from "vitest"
import { StoreError } from "../../src/job/errors.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { ORDER, Writer } from "../../src/store/Writer.ts"
import type { WriteKind } from "../../src/store/Writer.ts"
import { claim, finish, newTask, openStore, slot, sql, submit, succeeded, temporaryDirectory, withStore } from "../support/database.ts"

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

  it("of many more operations than a batch holds is several batches, all answered", () => withStore(Effect.gen(function*() {
    const writer = yield* Writer
    const { batches } = writer.stats()
    const all = yield* Effect.all(Array.from({ length: 1300 }, () => submit()), together)
    expect(new Set(all.map(({ id }) => id)).size).toBe(1300)
    expect(writer.stats().batches - batches).toBeGreaterThanOrEqual(3)
    expect(writer.stats().batches - batches).toBeLessThan(20)
  })))

  it("a write goes on when its caller is interrupted", () => withStore(Effect.gen(function*() {
    yield* table
    const writer = yield* Writer
    yield* writer.write(word("word", 1), "kept").pipe(Effect.timeoutOption(0))
    yield* writer.write(word("word", 1), "next")
    expect(yield* words).toEqual(["kept", "next"])
  })))
})

describe("a bad operation", () => {
  it("fails alone; the others of its batch are written, once", () => withStore(Effect.gen(function*() {
    yield* table
    const writer = yield* Writer
    const kind = word("word", 1)
    const exits = yield* Effect.all(["a", "", "b"].map((text) => Effect.exit(writer.write(kind, text))), together)
    expect(exits.map(({ _tag }) => _tag)).toEqual(["Success", "Failure", "Success"])
    expect(exits[1]).toMatchObject(Exit.fail(new StoreError({ reason: "constraint", detail: "CHECK constraint failed: word <> '' (SQLITE_CONSTRAINT_CHECK)" })))
    expect(yield* words).toEqual(["a", "b"])
  })))

  it("harms no job beside it", () => withStore(Effect.gen(function*() {
    const writer = yield* Writer
    const broken: WriteKind<null, null> = { name: "broken", order: ORDER.finish, plan: () => ({ statements: [{ sql: "NO SUCH STATEMENT", args: [] }], read: () => [null] }) }
    const [submitted, failure, claimed] = yield* Effect.all([submit({ idempotency_key: "k" }), Effect.flip(writer.write(broken, null)), claim()], together)
    expect(failure).toMatchObject({ _tag: "StoreError", reason: "other" })
    expect(claimed).toMatchObject([{ id: submitted.job_id, fence: 1 }])
    expect(yield* sql("SELECT count(*) FROM events")).toEqual([[1]])
  })))
})

describe("a busy database", () => {
  const opened = Effect.acquireRelease(Effect.sync(temporaryDirectory), (directory) => Effect.sync(directory.remove))

  it("is tried again until the other lets go", () => Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const { path } = yield* opened
    const store = openStore(`file:${path}/attacca.db`)
    yield* Effect.addFinalizer(() => Effect.promise(() => store.dispose()))
    yield* Effect.promise(() => store.runPromise(submit()))
    const other = new Libsql(`${path}/attacca.db`)
    other.exec("BEGIN IMMEDIATE")
    const writer = yield* Effect.promise(() => store.runPromise(Writer))
    const { batches } = writer.stats()
    const submitted = store.runPromise(submit())
    while (writer.stats().waiting > 0) yield* Effect.promise(() => new Promise<void>((resolve) => { setImmediate(resolve) }))
    expect(writer.stats().batches).toBe(batches)
    other.exec("COMMIT")
    other.close()
    expect(yield* Effect.promise(() => submitted)).toMatchObject({ id: 2, created: true })
  }))))
})

describe("closing", () => {
  it("writes what waits, then refuses", async () => {
    const directory = temporaryDirectory()
    const store = openStore(`file:${directory.path}/attacca.db`)
    const { writer, tasks } = await store.runPromise(Effect.all({ writer: Writer, tasks: TaskStore }))
    const last = Effect.runPromise(tasks.submit(newTask({ title: "the last" })))
    await Promise.all([store.dispose(), last])
    expect((await last).id).toBe(1)
    const error = await Effect.runPromise(Effect.flip(tasks.submit(newTask())))
    expect(error).toMatchObject({ _tag: "StoreError", reason: "closed" })
    expect(writer.stats().waiting).toBe(0)
    const again = openStore(`file:${directory.path}/attacca.db`)
    expect(await again.runPromise(TaskStore.use((tasks) => tasks.get(1)))).toMatchObject({ task: { title: "the last" } })
    await again.dispose()
    directory.remove()
  })
})
