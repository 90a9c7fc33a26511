import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { openDataFolder } from "../../src/settings/identity.ts"

const folder = () => mkdtempSync(join(tmpdir(), "attacca-id-"))
const open = (dir: string, configured: string | null = null) => Effect.runPromise(openDataFolder(dir, configured))

describe("the node's name", () => {
  it("is made once and kept in the data folder", async () => {
    const dir = join(folder(), "deep", "data")
    const first = await open(dir)
    expect(first.first).toBe(true)
    expect(await open(dir)).toEqual({ node_id: first.node_id, first: false })
  })

  it("is the configured one where there is one", async () => {
    const dir = folder()
    expect((await open(dir, "gpu-1")).node_id).toBe("gpu-1")
    expect(readFileSync(join(dir, "node_id"), "utf8").trim()).toBe("gpu-1")
  })

  it("is made anew when the kept one is damaged", async () => {
    const dir = folder()
    writeFileSync(join(dir, "node_id"), "\u0000bad name")
    expect((await open(dir)).node_id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
  })

  it("cannot be kept where a file stands in the folder's place, and the error says so", async () => {
    const file = join(folder(), "data")
    writeFileSync(file, "")
    const error = await Effect.runPromise(Effect.flip(openDataFolder(file, null)))
    expect(error.message).toContain(file)
    expect(error.message).toContain("a file stands where the folder should be")
  })
})
