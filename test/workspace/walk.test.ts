import { describe, expect, it } from "vitest"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { TEMP_PREFIX } from "../../src/workspace/jail.ts"
import { walk, type Walked } from "../../src/workspace/walk.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

const walked = async (start: string, over: Partial<Parameters<typeof walk>[1]> = {}) => {
  const seen: Array<Walked> = []
  const end = await walk(start, { max_entries: 1000, visit: (entry) => void seen.push(entry), ...over })
  return { paths: seen.map(({ kind, path }) => `${kind} ${path}`), end }
}

describe("walking a folder", () => {
  it("goes through folders in the order of names and does not enter links", async () => {
    const { root } = temporaryWorkspace({ "output/b.md": "", "output/a/z.md": "", "output/a/y.md": "", "output/c/d/e.md": "", [`output/${TEMP_PREFIX}1`]: "" })
    symlinkSync("/etc", join(root, "output/etc"))
    symlinkSync(".", join(root, "output/a/loop"))
    const { paths, end } = await walked(join(root, "output"))
    expect(paths).toEqual(["folder a", "link a/loop", "file a/y.md", "file a/z.md", "file b.md", "folder c", "folder c/d", "file c/d/e.md", "link etc"])
    expect(end.complete).toBe(true)
  })

  it("skips a folder that the visitor declines, and stops when told", async () => {
    const { root } = temporaryWorkspace({ "output/.git/config": "", "output/a.md": "", "output/b.md": "" })
    const seen: Array<string> = []
    const end = await walk(join(root, "output"), {
      max_entries: 100,
      visit: (entry) => {
        seen.push(entry.path)
        return entry.path === "a.md" ? "stop" : entry.path !== ".git"
      },
    })
    expect(seen).toEqual([".git", "a.md"])
    expect(end.complete).toBe(false)
  })

  it("is bounded in entries and depth and says so", async () => {
    const { root } = temporaryWorkspace()
    for (let n = 0; n < 30; n++) writeFileSync(join(root, `output/${n}`), "")
    expect((await walked(join(root, "output"), { max_entries: 10 })).paths.length).toBe(10)
    expect((await walked(join(root, "output"), { max_entries: 10 })).end.complete).toBe(false)
    mkdirSync(join(root, "input", ...Array.from({ length: 100 }, () => "d")), { recursive: true })
    const deep = await walked(join(root, "input"))
    expect(deep.end.complete).toBe(false)
    expect(deep.paths.length).toBeLessThan(100)
  })

  it("a folder that is not there is empty", async () => {
    const { root } = temporaryWorkspace()
    expect((await walked(join(root, "none"))).paths).toEqual([])
  })

  it("leaves the event loop free in a large tree and stops when aborted", async () => {
    const { root } = temporaryWorkspace()
    for (let folder = 0; folder < 60; folder++) {
      mkdirSync(join(root, `output/${folder}`))
      for (let n = 0; n < 100; n++) writeFileSync(join(root, `output/${folder}/${n}`), "")
    }
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const slow = () => {
      const until = performance.now() + 0.02
      while (performance.now() < until);
    }
    expect((await walked(join(root, "output"), { max_entries: 100_000, visit: slow })).end.complete).toBe(true)
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(5)
    const abort = new AbortController()
    await expect(walk(join(root, "output"), { max_entries: 100_000, signal: abort.signal, visit: () => abort.abort(new Error("enough")) })).rejects.toThrow("enough")
  })
})
