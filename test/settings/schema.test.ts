// Every setting is described, has a default that its own rules accept, and can be named by an environment variable.
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { checkValue } from "../../src/settings/check.ts"
import { readOverrides, variableOf } from "../../src/settings/environment.ts"
import { isSecret, schemaAt, settingsReference, SettingsSchema } from "../../src/settings/schema.ts"

describe("the settings reference", () => {
  const rows = settingsReference()

  it("describes every key once", () => {
    expect(rows.length).toBeGreaterThan(50)
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length)
    for (const row of rows) expect(row.description, row.key).toMatch(/^.{4,}$/)
  })

  it("gives defaults as YAML, and none for what must be given", () => {
    const defaults = Object.fromEntries(rows.map((row) => [row.key, row.default]))
    expect(defaults).toMatchObject({ "http.port": "3000", "data_dir": "\"./data\"", "retry.backoff_seconds": "[60,300,900]", "workers[].id": null, "workers[].roles": "[\"auto\",\"fast\",\"quality\"]", "database.url": "null" })
    expect(rows.filter((row) => row.default === null).map((row) => row.key)).toEqual(["workers[].id", "workers[].endpoint"])
  })

  it("names an environment variable for each key", () => {
    const env = Object.fromEntries(rows.map((row) => [variableOf(row.key), "x"]))
    expect(readOverrides(env)).toMatchObject({ problems: [], overrides: { length: rows.length } })
  })
})

it("defaults pass their own checks when they are written out", () => {
  const defaults = Schema.decodeUnknownSync(SettingsSchema)({})
  expect(checkValue(SettingsSchema, JSON.parse(JSON.stringify(defaults)))).toEqual({ value: defaults, wrong: [] })
})

it("secrets are known by their keys", () => {
  expect([["cluster", "secret"], ["database", "auth_token"], ["workers", 7, "api_key"]].map(isSecret)).toEqual([true, true, true])
  expect([["http", "port"], ["workers", 0, "id"], ["no", "such"], []].map(isSecret)).toEqual([false, false, false, false])
})

it("paths lead to schemas and nowhere else", () => {
  expect(schemaAt(["workers", 0, "model"])).not.toBeNull()
  expect(schemaAt(["plugins", "limits", "anything"])).not.toBeNull()
  expect(schemaAt(["workers", "x"])).toBeNull()
  expect(schemaAt(["http", "constructor"])).toBeNull()
})
