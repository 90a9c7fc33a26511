import { Effect, Fiber, Layer, ManagedRuntime } from "effect"
import { describe, expect, it } from "vitest"
import { StoreError } from "../../src/job/errors.ts"
import { Database } from "../../src/store/Database.ts"
import { toJson } from "../../src/store/sql.ts"
import type { Connection, Statement } from "../../src/store/sql.ts"
import { Writer } from "../../src/store/Writer.ts"
import type { WriteKind } from "../../src/store/Writer.ts"
import { optionsFor, temporaryDirectory } from "../support/database.ts"

/** Puts notes into a table of its own: a note is known by its id, and an empty text is refused by the table. */
interface Note {
  readonly id: number
  readonly text: string
}
const PUT = "INSERT INTO notes SELECT value->>0, value->>1 FROM json_each(?) WHERE true ON CONFLICT (id) DO NOTHING"
const kind = (name: string, order: number): WriteKind<Note, string> => ({
  name,
  order,
  plan: (inputs) => ({
    statements: [{ sql: PUT, args: [toJson(inputs.map(({ id, text }) => [id, text]))] }],
    read: () => inputs.map(({ text }) => `${name} ${text}`),
  }),
  touches: (_output, { id }, mark) => { if (id % 2 === 0) mark(id) },
})
const put = kind("put", 0)
const late = kind("late", 5)

interface Seen {
  /** The statements of each batch, committed or not. */
  readonly batches: Array<ReadonlyArray<Statement>>
  /** Stands between the Writer and the file; may refuse before, or forget after. */
  through: (statements: ReadonlyArray<Statement>, batch: Connection["batch"]) => ReturnType<Connection["batch"]>
}

const withWriter = async <A, E>(body: (seen: Seen) => Effect.Effect<A, E, Writer | Database>): Promise<A> => {
  const directory = temporaryDirectory()
  const seen: Seen = { batches: [], through: (statements, batch) => batch(statements) }
  const database = Layer.effect(Database, Effect.map(Database, (real) => Database.of({
    ...real,
    connection: {
      ...real.connection,
      batch: (statements) => {
        seen.batches.push(statements)
        return seen.through(statements, real.connection.batch)
      },
    },
  }))).pipe(Layer.provide(Database.layer(optionsFor(`file:${directory.path}/a.db`))))
  const runtime = ManagedRuntime.make(Writer.layer.pipe(Layer.provideMerge(database)))
  try {
    await runtime.runPromise(Database.use(({ connection }) => Effect.promise(() => connection.batch([{ sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT CHECK (text <> ''))", args: [] }]))))
    seen.batches.length = 0
    return await runtime.runPromise(body(seen))
  } finally {
    await runtime.dispose()
    directory.remove()
  }
}

const write = (id: number, text = `n${id}`, how = put) => Writer.use((writer) => writer.write(how, { id, text }))
const all = <A, E>(effects: ReadonlyArray<Effect.Effect<A, E, Writer>>) => Effect.all(effects, { concurrency: "unbounded" })
const ids = Database.use(({ read }) => Effect.map(read({ sql: "SELECT id FROM notes ORDER BY id", args: [] }), (rows) => rows.flat()))
const range = (count: number) => Array.from({ length: count }, (_, k) => k)
const refused = (reason: StoreError["reason"]) => new StoreError({ reason, detail: "as the test wishes" })

describe("what is asked in one tick", () => {
  it("is one batch with one statement for each kind, and every caller gets the answer to its own", () => withWriter((seen) => Effect.gen(function*() {
    const answers = yield* all(range(100).map((id) => write(id, `n${id}`, id % 2 === 0 ? late : put)))
    expect(answers).toEqual(range(100).map((id) => `${id % 2 === 0 ? "late" : "put"} n${id}`))
    expect(seen.batches).toHaveLength(1)
    expect(seen.batches[0]).toHaveLength(2)
    expect(String(seen.batches[0]?.[0]?.args[0])).toContain("[1,")
    expect(yield* ids).toHaveLength(100)
    expect(yield* Writer.use((writer) => Effect.sync(() => writer.stats()))).toEqual({ batches: 1, operations: 100, waiting: 0 })
  })))

  it("takes along what fibers ask that were woken by it", () => withWriter((seen) => Effect.gen(function*() {
    const woken = yield* Effect.forkChild(Effect.yieldNow.pipe(Effect.andThen(write(2))))
    yield* write(1)
    yield* Fiber.join(woken)
    expect(seen.batches).toHaveLength(1)
  })))

  it("is cut into batches of bounded size", () => withWriter((seen) => Effect.gen(function*() {
    yield* all(range(1300).map((id) => write(id)))
    expect(seen.batches.map(([statement]) => (JSON.parse(String(statement?.args[0])) as Array<unknown>).length)).toEqual([512, 512, 276])
  })))

  it("is refused as busy when too much waits already", () => withWriter((seen) => Effect.gen(function*() {
    const gate = Promise.withResolvers<void>()
    seen.through = (statements, batch) => gate.promise.then(() => batch(statements))
    const waiting = yield* Effect.forkChild(all(range(20_000).map((id) => write(id))), { startImmediately: true })
    const error = yield* Effect.flip(write(30_000))
    expect(error).toMatchObject({ reason: "busy", detail: expect.stringContaining("20000 writes are waiting") })
    gate.resolve()
    yield* Fiber.join(waiting)
    expect(yield* ids).toHaveLength(20_000)
  })))
})

describe("a bad operation", () => {
  it("fails alone; the others of its batch are written", () => withWriter(() => Effect.gen(function*() {
    const exits = yield* all(range(10).map((id) => Effect.exit(write(id, id === 4 ? "" : "good"))))
    expect(exits.map((exit) => exit._tag)).toEqual(range(10).map((id) => (id === 4 ? "Failure" : "Success")))
    expect(yield* ids).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9])
    expect(yield* Effect.flip(write(4, ""))).toMatchObject({ reason: "constraint", detail: expect.stringContaining("CHECK") })
  })))
})

describe("a database that cannot be written now", () => {
  it("is asked again while that may help, and nobody hears of it", () => withWriter((seen) => Effect.gen(function*() {
    let times = 3
    seen.through = (statements, batch) => times-- > 0 ? Promise.reject(refused("busy")) : batch(statements)
    expect(yield* write(1)).toBe("put n1")
    expect(seen.batches).toHaveLength(4)
  })))

  it("waits out another writer of the file", () => withWriter(() => Effect.gen(function*() {
    const { openFile } = yield* Effect.promise(() => import("../../src/store/fileConnection.ts"))
    const [[file]] = (yield* Database.use(({ read }) => read({ sql: "SELECT file FROM pragma_database_list", args: [] }))) as [[string]]
    const other = openFile(file)
    yield* Effect.promise(() => other.read({ sql: "BEGIN IMMEDIATE", args: [] }))
    const waiting = yield* Effect.forkChild(write(1), { startImmediately: true })
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve)))))
    expect(yield* ids).toEqual([])
    yield* Effect.promise(() => other.read({ sql: "ROLLBACK", args: [] }))
    yield* Fiber.join(waiting)
    other.close()
    expect(yield* ids).toEqual([1])
  })))

  it("that lost the reply is told the same again, and holds it once", () => withWriter((seen) => Effect.gen(function*() {
    let lost = false
    seen.through = async (statements, batch) => {
      const results = await batch(statements)
      if (!lost) {
        lost = true
        throw refused("unreachable")
      }
      return results
    }
    expect(yield* all([write(1), write(2)])).toEqual(["put n1", "put n2"])
    expect(yield* ids).toEqual([1, 2])
  })))

  it.each(["full", "io", "read_only"] as const)("because it is %s fails the batch at once", (reason) => withWriter((seen) => Effect.gen(function*() {
    seen.through = () => Promise.reject(refused(reason))
    const errors = yield* all(range(5).map((id) => Effect.flip(write(id))))
    expect(errors.map((error) => error.reason)).toEqual(range(5).map(() => reason))
    expect(seen.batches).toHaveLength(1)
  })))
})

describe("callers", () => {
  it("that are interrupted do not take their write back", () => withWriter(() => Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(write(1), { startImmediately: true })
    yield* Fiber.interrupt(fiber)
    yield* write(2)
    expect(yield* ids).toEqual([1, 2])
  })))

  it("are answered after the listeners have heard which tasks have new events", () => withWriter(() => Effect.gen(function*() {
    const heard: Array<string> = []
    yield* Writer.use((writer) => Effect.sync(() => writer.onCommit((task_ids) => { heard.push([...task_ids].join()) })))
    yield* all(range(4).map((id) => Effect.tap(write(id), () => Effect.sync(() => heard.push(`answer ${id}`)))))
    expect(heard).toEqual(["0,2", "answer 0", "answer 1", "answer 2", "answer 3"])
    yield* write(5)
    expect(heard).toHaveLength(5)
  })))
})

describe("closing", () => {
  it("writes what waits and refuses what comes after", async () => {
    const directory = temporaryDirectory()
    const options = optionsFor(`file:${directory.path}/a.db`)
    const runtime = ManagedRuntime.make(Writer.layer.pipe(Layer.provideMerge(Database.layer(options))))
    const writer = await runtime.runPromise(Effect.service(Writer))
    await runtime.runPromise(Database.use(({ connection }) => Effect.promise(() => connection.batch([{ sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)", args: [] }]))))
    const last = Effect.runPromise(writer.write(put, { id: 1, text: "last" }))
    await runtime.dispose()
    expect(await last).toBe("put last")
    expect(await Effect.runPromise(Effect.flip(writer.write(put, { id: 2, text: "too late" })))).toMatchObject({ reason: "closed" })
    const reopened = ManagedRuntime.make(Database.layer(options))
    expect(await reopened.runPromise(ids)).toEqual([1])
    await reopened.dispose()
    directory.remove()
  })
})
