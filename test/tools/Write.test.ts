import { describe, expect, it } from "vitest"
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { MAX_WRITE_BYTES, textOf, Write } from "../../src/tools/Write.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

describe("Write", () => {
  it("writes text as it is and a list as lines, making folders on the way", async () => {
    const workspace = temporaryWorkspace()
    expect(await told(Write, { path: "output/a.md", content: "two\nlines" }, workspace)).toBe("wrote output/a.md: 2 lines, 9 bytes")
    expect(await told(Write, { path: "output/deep/er/b.md", content: ["one", "zwei", "日本"] }, workspace)).toBe("wrote output/deep/er/b.md: 3 lines, 16 bytes")
    expect(await told(Write, { path: "output/a.md", content: "" }, workspace)).toBe("replaced output/a.md: 0 lines, 0 bytes")
    expect(readFileSync(join(workspace.root, "output/deep/er/b.md"), "utf8")).toBe("one\nzwei\n日本\n")
    expect(readFileSync(join(workspace.root, "output/a.md"), "utf8")).toBe("")
    expect(textOf([])).toBe("")
  })

  it("does the same when repeated", async () => {
    const workspace = temporaryWorkspace()
    for (let n = 0; n < 2; n++) await told(Write, { path: "output/a.md", content: ["x"] }, workspace)
    expect(readFileSync(join(workspace.root, "output/a.md"), "utf8")).toBe("x\n")
    expect(readdirSync(join(workspace.root, "output"))).toEqual(["a.md"])
  })

  it.each([
    ["input/a.md", "input/ is read-only"], ["logs/a.md", "logs/ is read-only"], ["Input/a.md", "too like input/"], ["../a.md", "outside the workspace"], ["/tmp/a.md", "absolute"],
    ["output", "is a folder"], ["output/", "names a folder"], [".", "names a folder"], ["output/taken/a.md", "is a file, not a folder"], [".git/hooks/x", "repository"], ["output/link/a.md", "outside"],
  ])("refuses %s: %s", async (path, why) => {
    const workspace = temporaryWorkspace({ "output/taken": "x" })
    mkdirSync(join(workspace.around, "outside"))
    symlinkSync(join(workspace.around, "outside"), join(workspace.root, "output/link"))
    expect(await refused(Write, { path, content: "x" }, workspace)).toContain(why)
    expect(readdirSync(join(workspace.around, "outside"))).toEqual([])
  })

  it("refuses content beyond its limit and writes nothing", async () => {
    const workspace = temporaryWorkspace()
    expect(await refused(Write, { path: "output/a.md", content: "x".repeat(MAX_WRITE_BYTES + 1) }, workspace)).toContain("10,485,760 bytes at most")
    expect(existsSync(join(workspace.root, "output/a.md"))).toBe(false)
  })

  it("names what is wrong with its arguments", async () => {
    const workspace = temporaryWorkspace()
    expect(await refused(Write, { path: "output/a.json", content: { a: 1 } }, workspace)).toContain('content: must be string | string[], not {"a":1}')
    expect(await refused(Write, { path: "output/a.md", text: "x" }, workspace)).toContain("content: is missing")
  })

  it("follows a link inside the workspace to the real file", async () => {
    const workspace = temporaryWorkspace({ "output/real.md": "old" })
    symlinkSync("real.md", join(workspace.root, "output/link.md"))
    writeFileSync(join(workspace.root, "output/other.md"), "")
    expect(await told(Write, { path: "output/link.md", content: "new" }, workspace)).toBe("replaced output/real.md: 1 line, 3 bytes")
    expect(readFileSync(join(workspace.root, "output/real.md"), "utf8")).toBe("new")
  })
})
