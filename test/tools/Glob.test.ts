import { describe, expect, it } from "vitest"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import { Glob } from "../../src/tools/Glob.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

const files = { "input/a.md": "", "input/b.txt": "", "input/sub/c.md": "", "output/d.md": "" }

describe("Glob", () => {
  it("answers paths that Read takes, sorted", async () => {
    const workspace = temporaryWorkspace(files)
    expect(await told(Glob, { pattern: "**/*.md" }, workspace)).toBe("input/a.md\ninput/sub/c.md\noutput/d.md")
    expect(await told(Glob, { pattern: "*.md", path: "input" }, workspace)).toBe("input/a.md")
    expect(await told(Glob, { pattern: "input/**/*.md", path: "input" }, workspace)).toBe("input/a.md\ninput/sub/c.md")
  })

  it("says when nothing matches, and that it lies deeper", async () => {
    const workspace = temporaryWorkspace(files)
    expect(await told(Glob, { pattern: "*.md" }, workspace)).toBe("no file matches *.md among 4 files in .; **/*.md matches 3 files")
    expect(await told(Glob, { pattern: "**/*.pdf" }, workspace)).toBe("no file matches **/*.pdf among 4 files in .")
  })

  it("does not look outside", async () => {
    const workspace = temporaryWorkspace(files)
    symlinkSync("/etc", join(workspace.root, "output/etc"))
    expect(await told(Glob, { pattern: "**/*" }, workspace)).not.toContain("etc")
    expect(await refused(Glob, { pattern: "/etc/*" }, workspace)).toContain("no leading /")
    expect(await refused(Glob, { pattern: "../*" }, workspace)).toContain("no ..")
    expect(await refused(Glob, { pattern: "*", path: "output/etc" }, workspace)).toContain("outside")
    expect(await refused(Glob, { pattern: "*", path: ".." }, workspace)).toContain("outside")
  })

  it("very many results are cut and counted", async () => {
    const workspace = temporaryWorkspace(Object.fromEntries(Array.from({ length: 1100 }, (_, n) => [`input/${n}`, ""])), 1_000_000)
    const text = await told(Glob, { pattern: "input/*" }, workspace)
    expect(text.split("\n").length).toBe(1001)
    expect(text).toMatch(/… 100 more files; use a narrower pattern$/)
  })
})
