// The settings in force over reloads.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterEach, beforeEach, expect, it } from "vitest"
import { CurrentSettings } from "../../src/settings/CurrentSettings.ts"
import { loadSettings } from "../../src/settings/load.ts"

let directory: string
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "attacca-current-")) })
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const write = (port: number, model: string) => writeFileSync(join(directory, "attacca.yaml"), `http: { port: ${port} }\nworkers: [{ id: a, endpoint: "http://x/v1", model: "${model}" }]\n`)
const running = <A, E>(body: (current: CurrentSettings["Service"]) => Effect.Effect<A, E>) => {
  const options = { env: { MODEL: "m9" }, cwd: directory }
  return Effect.runPromise(Effect.gen(function*() {
    const loaded = yield* loadSettings(options)
    return yield* CurrentSettings.use(body).pipe(Effect.provide(CurrentSettings.layer(loaded, options)))
  }))
}

it("a reload takes over the workers and says what waits for a restart", async () => {
  write(1000, "m1")
  await running((current) => Effect.gen(function*() {
    write(2000, "${MODEL}")
    expect(yield* current.reload).toEqual({ changed: ["a"], added: [], removed: [], restart: ["http.port"] })
    const { settings, expanded } = yield* current.get
    expect(settings).toMatchObject({ http: { port: 1000 }, workers: [{ model: "m9" }] })
    expect(expanded).toEqual([["workers", 0, "model"]])
  }))
})

it("a broken file changes nothing", async () => {
  write(1000, "m1")
  await running((current) => Effect.gen(function*() {
    writeFileSync(join(directory, "attacca.yaml"), "http: { port: x }")
    expect((yield* Effect.flip(current.reload)).message).toContain("http.port")
    expect((yield* current.get).settings.workers[0]?.model).toBe("m1")
  }))
})
