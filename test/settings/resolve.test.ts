// Paths made absolute from the configuration's folder, and rules that tie two keys together.
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { databaseFile, resolveSettings } from "../../src/settings/resolve.ts"
import { SettingsSchema } from "../../src/settings/schema.ts"

const resolved = (raw: object) => resolveSettings(Schema.decodeUnknownSync(SettingsSchema)(raw), "/etc/attacca")

describe("paths", () => {
  it("start at the folder, absolute ones stay", () => {
    expect(resolved({}).settings).toMatchObject({ data_dir: "/etc/attacca/data", database: { url: "file:/etc/attacca/data/attacca.db" }, plugins: { dir: "/etc/attacca/plugins" }, pieces: { custom_dir: null } })
    expect(resolved({ data_dir: "/var/a", pieces: { custom_dir: "../p" } }).settings).toMatchObject({ data_dir: "/var/a", database: { url: "file:/var/a/attacca.db" }, pieces: { custom_dir: "/etc/p" } })
  })
  it.each([
    ["file:x.db", "file:/etc/attacca/x.db"], ["file:/x.db", "file:/x.db"], ["file:///x.db", "file:/x.db"], ["file:x%20y.db?mode=ro#z", "file:/etc/attacca/x%20y.db?mode=ro#z"], ["http://h:1", "http://h:1"], ["libsql://h", "libsql://h"],
  ])("the database %s is %s", (url, absolute) => expect(resolved({ database: { url } }).settings.database.url).toBe(absolute))
  it.each([["m.gguf", "/etc/attacca/m.gguf"], ["file:m.gguf", "/etc/attacca/m.gguf"], ["file:///m.gguf", "/m.gguf"], ["/m.gguf", "/m.gguf"], ["hf:a/b", "hf:a/b"], ["https://h/m.gguf", "https://h/m.gguf"]])("the weights %s are %s", (model, absolute) => {
    expect(resolved({ embedded: { model } }).settings.embedded.model).toBe(absolute)
  })
  it("of a database file come back out of its address", () => {
    for (const folder of ["/plain", "/a b", "/50%", "/what?", "/a#b", "/ü/é"]) expect(databaseFile(resolved({ data_dir: folder }).settings.database.url)).toBe(`${folder}/attacca.db`)
  })
})

describe("keys that do not go together", () => {
  const worker = (id: string) => ({ id, endpoint: "http://h/v1" })
  it.each([
    [{ workers: [worker("a"), worker("b"), worker("a"), worker("a")] }, ["workers.2.id", "workers.3.id"]], [{ lease: { ttl_seconds: 10, heartbeat_seconds: 10 } }, ["lease.heartbeat_seconds"]],
    [{ safety: { drop_results_ratio: 0.8, summarise_ratio: 0.7 } }, ["safety.drop_results_ratio"]], [{ safety: { summarise_ratio: 0.95 } }, ["safety.summarise_ratio"]], [{ safety: { loop_warn: 6 } }, ["safety.loop_warn"]],
    [{ database: { url: "file://x/y" } }, ["database.url"]], [{ database: { url: "file:50%.db" } }, ["database.url"]], [{ database: { url: "http://a", sync_url: "http://b" } }, ["database.url"]],
    [{ database: { url: "file:replica.db", sync_url: "http://b" } }, []], [{ safety: { drop_results_ratio: 0.75 } }, []], [{}, []],
  ])("%j: %j", (raw, paths) => expect(resolved(raw).wrong.map((w) => w.path.join("."))).toEqual(paths))
})

it("the time zone is the machine's unless it is set", () => {
  expect(resolved({ time_zone: "Asia/Tokyo" }).settings.time_zone).toBe("Asia/Tokyo")
  expect(resolved({}).settings.time_zone).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone)
})
