// What may be shown of settings: everything but secrets.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { expect, it } from "vitest"
import { loadSettings } from "../../src/settings/load.ts"
import { MASK, maskAddress, maskedSettings } from "../../src/settings/masked.ts"

it("hides secrets, credentials in addresses and what came from outside, and shows the rest", async () => {
  const directory = mkdtempSync(join(tmpdir(), "attacca-masked-"))
  try {
    writeFileSync(join(directory, "attacca.yaml"), [
      "cluster: { secret: sixteen-letters-long }", "database: { url: 'https://joe:pa55@db.example/x?authToken=abc&mode=ro', auth_token: tok-1 }", "http: { advertise_url: \"http://${NAME}\" }",
      "workers:", "  - { id: a, endpoint: 'http://me:hidden@gpu/v1', api_key: sk-1, model: \"${MODEL}\", max_concurrency: 3 }", "  - { id: b, endpoint: http://plain/v1 }",
    ].join("\n"))
    const loaded = await Effect.runPromise(loadSettings({ env: { NAME: "inside.example", MODEL: "private-model" }, cwd: directory }))
    const shown = maskedSettings(loaded)
    expect(shown).toMatchObject({
      cluster: { secret: MASK }, database: { url: `https://${MASK}@db.example/x?authToken=${MASK}&mode=ro`, auth_token: MASK, sync_url: null }, http: { advertise_url: MASK, port: 3000 },
      workers: [{ id: "a", endpoint: `http://${MASK}@gpu/v1`, api_key: MASK, model: MASK, max_concurrency: 3 }, { id: "b", endpoint: "http://plain/v1", api_key: null, model: null }],
    })
    for (const secret of ["sixteen", "pa55", "abc", "tok-1", "inside.example", "hidden", "sk-1", "private-model"]) expect(JSON.stringify(shown)).not.toContain(secret)
    expect(Object.keys(shown)).toEqual(Object.keys(loaded.settings))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

it.each([
  ["http://u:p@h:1/v1", `http://${MASK}@h:1/v1`], ["http://u:p@ss@h/", `http://${MASK}@h/`], ["http://h/v1?api_key=x&b=1", `http://h/v1?api_key=${MASK}&b=1`],
  ["http://h/v1", "http://h/v1"], ["me@example.org", "me@example.org"], ["file:/a/b.db", "file:/a/b.db"],
])("%s is shown as %s", (address, shown) => expect(maskAddress(address)).toBe(shown))
