import { afterEach, beforeEach, expect, it } from "vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { commandLine } from "../support/commandLine.ts"
import { startFakeApi } from "../support/fakeApi.ts"
import type { FakeApi } from "../support/fakeApi.ts"

let api: FakeApi
let cwd: string
beforeEach(() => {
  api = startFakeApi()
  cwd = mkdtempSync(join(tmpdir(), "attacca-pieces-"))
  writeFileSync(join(cwd, "good.yaml"), "name: good\n")
  writeFileSync(join(cwd, "bad.yaml"), "name: bad\n")
  api.on("POST /api/pieces/validate", ({ text }) => ({
    json: text.includes("bad")
      ? { valid: false, errors: [{ path: "movements[0].instrction", message: 'unknown key; did you mean "instruction"?', line: 5, column: 5 }, { path: "", message: "no end" }], warnings: [] }
      : { valid: true, errors: [], warnings: [{ path: "model", message: "no worker offers it", line: 2, column: 1 }] },
  }))
})
afterEach(async () => {
  await api.stop()
  rmSync(cwd, { recursive: true, force: true })
})
const run = (...argv: ReadonlyArray<string>) => commandLine(["pieces", ...argv], { base: api.base, cwd })

it("lists the pieces with their origin", async () => {
  api.on("GET /api/pieces", () => ({ json: { items: [{ name: "general", description: "any request", origin: "builtin" }, { name: "x", description: "mine", origin: "owner" }], next_cursor: null } }))
  expect(await run("list")).toMatchObject({ code: 0, stdout: "general  builtin  any request\nx        owner    mine\n" })
  expect((await run()).stdout).toContain("general")
  expect(JSON.parse((await run("list", "--json")).stdout)).toHaveLength(2)
})

it("prints file, line, column and key of every error, and ends with 1", async () => {
  expect(await run("lint", "bad.yaml", "good.yaml")).toMatchObject({
    code: 1, stdout: 'error bad.yaml:5:5: movements[0].instrction: unknown key; did you mean "instruction"?\nerror bad.yaml:1:1: no end\nwarning good.yaml:2:1: model: no worker offers it\nvalid good.yaml\n',
  })
  expect(await run("lint", "good.yaml")).toMatchObject({ code: 0 })
  expect(JSON.parse((await run("lint", "bad.yaml", "--json")).stdout)).toMatchObject([{ file: "bad.yaml", valid: false }])
})

it("names what is wrong with the words", async () => {
  expect(await run("lint")).toMatchObject({ code: 2, stderr: expect.stringContaining("no file to check") as string })
  expect(await run("lint", "missing.yaml")).toMatchObject({ code: 2, stderr: "attacca: no such file: missing.yaml\n" })
  expect(await run("lnt")).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean "lint"') as string })
  expect(await run("list", "x")).toMatchObject({ code: 2 })
})
