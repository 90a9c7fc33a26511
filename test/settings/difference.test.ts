// What a reload would change.
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import { settingsDifference } from "../../src/settings/difference.ts"
import { loadSettings } from "../../src/settings/load.ts"
import type { Settings } from "../../src/settings/settings.ts"

const settings = async (env: Record<string, string>): Promise<Settings> => (await Effect.runPromise(loadSettings({ env, cwd: "/nowhere" }))).settings
const workers = (...list: ReadonlyArray<Record<string, unknown>>) => ({ ATTACCA_WORKERS: JSON.stringify(list.map((w) => ({ endpoint: "http://h/v1", ...w }))) })
const NONE = { changed: [], added: [], removed: [], restart: [] }

describe("the difference of two settings", () => {
  let before: Settings
  beforeAll(async () => { before = await settings(workers({ id: "a" }, { id: "b" }, { id: "c" })) })

  it("is empty for equal ones, in whatever order the workers stand", async () => {
    expect(settingsDifference(before, before)).toEqual(NONE)
    expect(settingsDifference(before, await settings(workers({ id: "c" }, { id: "b" }, { id: "a" })))).toEqual(NONE)
  })

  it("names workers by id: changed, added, removed; the untouched in none", async () => {
    expect(settingsDifference(before, await settings(workers({ id: "a" }, { id: "b", roles: ["auto"] }, { id: "d" })))).toEqual({ changed: ["b"], added: ["d"], removed: ["c"], restart: [] })
  })

  it("names the keys that wait for a restart", async () => {
    const after = await settings({ ...workers({ id: "a" }, { id: "b" }, { id: "c" }), ATTACCA_HTTP__PORT: "1", ATTACCA_RETRY__BACKOFF_SECONDS: "[60]", ATTACCA_TIME_ZONE: "Asia/Tokyo" })
    expect(settingsDifference(before, after)).toEqual({ ...NONE, restart: ["time_zone", "http.port", "retry.backoff_seconds"] })
  })
})
