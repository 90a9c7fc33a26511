// Opening a database: where it may not, whose it is, and that what was acknowledged outlives a killed process.
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import Libsql from "libsql"
import { describe, expect, it, onTestFinished } from "vitest"
import { Database, pathOf } from "../../src/store/Database.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { storeLayer } from "../../src/store/layer.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { auditOf, claim, jobOf, openStore, optionsFor, slot, sql, submit, temporaryDirectory } from "../support/database.ts"

const temporary = () => {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  return directory.path
}
const opened = (path: string) => {
  const store = openStore(`file:${path}`)
  onTestFinished(() => store.dispose())
  return store
}
/** Why a store does not open. */
const refusal = (url: string) => Effect.runPromise(Effect.flip(Effect.scoped(Effect.provide(Effect.void, storeLayer(optionsFor(url))))))

/** A child that submits without end; resolves when it has done so for a while. */
const submitter = (path: string, until: (lines: ReadonlyArray<string>) => boolean) => new Promise<{ readonly pid: number; readonly lines: ReadonlyArray<string>; readonly kill: () => Promise<void> }>((resolve, reject) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../support/submitter.ts"), path], { stdio: ["ignore", "pipe", "pipe"] })
  const ended = new Promise<void>((end) => child.once("close", () => end()))
  let stderr = ""
  child.stderr.on("data", (text: Buffer) => { stderr += text.toString() })
  const lines: Array<string> = []
  const kill = async () => {
    child.kill("SIGKILL")
    await ended
  }
  onTestFinished(kill)
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line)
    if (until(lines)) resolve({ pid: child.pid ?? 0, lines, kill })
  })
  child.once("exit", (code) => reject(new Error(`the child ended with ${code}: ${stderr}`)))
})
const told = (lines: ReadonlyArray<string>, what: string) => lines.filter((line) => line.startsWith(`${what} `)).map((line) => Number(line.slice(what.length + 1)))

describe("opening", () => {
  it("makes the folder and the file, durable and with a log", async () => {
    const path = join(temporary(), "new folder", "häus", "a.db")
    const store = opened(path)
    expect((await store.runPromise(submit())).id).toBe(1)
    expect(existsSync(path)).toBe(true)
    expect(await store.runPromise(Effect.all([sql("PRAGMA journal_mode"), sql("PRAGMA synchronous")]))).toEqual([[["wal"]], [[2]]])
  })

  it("understands a file's address in all its forms", () => {
    expect(pathOf("file:/a/b.db")).toBe("/a/b.db")
    expect(pathOf("file:data/b.db")).toBe("data/b.db")
    expect(pathOf(pathToFileURL("/a b/ü#1.db").href)).toBe("/a b/ü#1.db")
  })

  it("is refused in a place that cannot hold a file, and says which", async () => {
    const folder = temporary()
    writeFileSync(join(folder, "not a folder"), "")
    const error = await refusal(`file:${join(folder, "not a folder", "a.db")}`)
    expect(error).toMatchObject({ _tag: "StoreError", reason: "read_only" })
    expect(error.message).toContain(join(folder, "not a folder"))
  })

  it("is refused in a folder that cannot be written", async () => {
    // Root may write anywhere but here.
    const error = await refusal("file:/proc/attacca/a.db")
    expect(error).toMatchObject({ _tag: "StoreError", reason: "read_only" })
    expect(error.message).toContain("/proc/attacca")
  })

  it.each([["text", "this is no database at all, but long enough to be looked at as one ".repeat(20)], ["a folder", null]])("is refused where the file is %s, which stays as it is", async (_what, content) => {
    const path = join(temporary(), "a.db")
    if (content === null) mkdirSync(path)
    else writeFileSync(path, content)
    const error = await refusal(`file:${path}`)
    expect(error).toMatchObject({ _tag: "StoreError", reason: "io" })
    if (content === null) expect(error.message).toContain(path)
    if (content !== null) expect(readFileSync(path, "utf8")).toBe(content)
  })

  it("is refused for a database of a newer version, which stays as it is", async () => {
    const path = join(temporary(), "a.db")
    await opened(path).dispose()
    const first = openStore(`file:${path}`)
    await first.runPromise(sql("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of tomorrow', 1)"))
    await first.dispose()
    const error = await refusal(`file:${path}`)
    expect(error).toMatchObject({ _tag: "StoreError", reason: "newer_version" })
    const db = new Libsql(path)
    expect(db.prepare("SELECT count(*) FROM __drizzle_migrations WHERE hash = 'of tomorrow'").raw(true).all()).toEqual([[1]])
    db.close()
  })

  it("of a primary that is not there is refused with its address", async () => {
    const error = await refusal("http://127.0.0.1:1")
    expect(error).toMatchObject({ _tag: "StoreError", reason: "unreachable" })
    expect(error.message).toContain("http://127.0.0.1:1")
  })

  it("again after closing finds everything, and leaves no note of a holder", async () => {
    const path = join(temporary(), "a.db")
    const first = openStore(`file:${path}`)
    await first.runPromise(submit({ title: "kept" }))
    await first.dispose()
    expect(existsSync(`${path}.owner`)).toBe(false)
    expect(await opened(path).runPromise(TaskStore.use((tasks) => tasks.get(1)))).toMatchObject({ task: { title: "kept" } })
  })
})

describe("a second process", () => {
  it("is refused while the first lives, with its number and address and the way out; a look without the lock is allowed", async () => {
    const path = join(temporary(), "a.db")
    const child = await submitter(path, (lines) => lines.length > 3)
    const error = await refusal(`file:${path}`)
    expect(error).toMatchObject({ _tag: "StoreError", reason: "locked" })
    for (const part of [path, `process ${child.pid}`, "http://127.0.0.1:3999", "sqld", "database.url"]) expect(error.message).toContain(part)
    const look = openStore(`file:${path}`, { lock: false })
    onTestFinished(() => look.dispose())
    expect((await look.runPromise(JobStore.use((jobs) => jobs.counts()))).now).toBeGreaterThan(0)
  })
})

describe("a process that is killed", () => {
  it("lets the lock go and loses nothing that was acknowledged; the next start goes on from there", async () => {
    const path = join(temporary(), "a.db")
    for (let round = 1; round <= 3; round++) {
      const child = await submitter(path, (lines) => told(lines, "submitted").length >= 150 && told(lines, "finished").length >= 20)
      await child.kill()
      const store = openStore(`file:${path}`)
      const ids = told(child.lines, "submitted")
      const finished = told(child.lines, "finished")
      await store.runPromise(Effect.gen(function*() {
        expect(yield* sql("PRAGMA integrity_check")).toEqual([["ok"]])
        for (const id of ids) {
          const [row] = yield* sql("SELECT j.id, (SELECT count(*) FROM events e WHERE e.task_id = t.id), (SELECT count(*) FROM audit a WHERE a.task_id = t.id) FROM tasks t JOIN jobs j ON j.task_id = t.id WHERE t.id = ?", id)
          expect(row?.[1]).toBeGreaterThanOrEqual(1)
          expect(row?.[2]).toBeGreaterThanOrEqual(1)
        }
        for (const id of finished) expect((yield* JobStore.use((jobs) => jobs.listByTask(id)))[0]).toMatchObject({ status: "succeeded", result: `result ${id}` })
        // What it was running is put back at once by the next start of the node, with the attempt unspent.
        const orphans = yield* sql("SELECT id FROM jobs WHERE status = 'running'")
        expect((yield* JobStore.use((jobs) => jobs.rescueNode("n1"))).toSorted()).toEqual(orphans.map(([id]) => String(id)).toSorted())
        for (const [id] of orphans) expect(yield* jobOf(String(id))).toMatchObject({ status: "queued", attempt: 1 })
        const [next] = yield* claim([slot()])
        expect(next?.status).toBe("running")
        expect((yield* auditOf(next?.id ?? "")).at(-1)?.action).toBe("job.claimed")
        expect(yield* sql("SELECT count(*) FROM tasks t WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.task_id = t.id)")).toEqual([[0]])
        expect(yield* sql("SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.job_id = j.id)")).toEqual([[0]])
      }))
      await store.dispose()
    }
  })
})

it("a read is typed by the query builder, and its failure is a StoreError", async () => {
  const store = opened(join(temporary(), "a.db"))
  expect(await store.runPromise(Effect.flip(Database.use(({ read }) => read({ sql: "SELECT * FROM nowhere", args: [] }))))).toMatchObject({ _tag: "StoreError", reason: "other", detail: expect.stringContaining("nowhere") })
})
