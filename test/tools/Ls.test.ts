import { describe, expect, it } from "vitest"
import { execFileSync } from "node:child_process"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import { Ls } from "../../src/tools/Ls.ts"
import { TEMP_PREFIX } from "../../src/workspace/jail.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

describe("Ls", () => {
  it("lists folders first, files with their size, the workspace by default", async () => {
    const workspace = temporaryWorkspace({ "input/b.txt": "12345", "input/a.txt": "1", "input/sub/c.txt": "", [`input/${TEMP_PREFIX}x`]: "" })
    expect(await told(Ls, {}, workspace)).toBe("input/\nlogs/\noutput/")
    expect(await told(Ls, { path: "input" }, workspace)).toBe("sub/\na.txt (1 byte)\nb.txt (5 bytes)")
    expect(await told(Ls, { path: "output" }, workspace)).toBe("output is empty")
    expect(await told(Ls, { path: "input/a.txt" }, workspace)).toBe("input/a.txt (1 byte) is a file, not a folder")
  })

  it("shows where a link leads, unless it leads outside, and what is no file", async () => {
    const workspace = temporaryWorkspace({ "input/a.txt": "1" })
    symlinkSync("../input/a.txt", join(workspace.root, "output/in"))
    symlinkSync("/etc/passwd", join(workspace.root, "output/out"))
    execFileSync("mkfifo", [join(workspace.root, "output/pipe")])
    expect(await told(Ls, { path: "output" }, workspace)).toBe("in -> input/a.txt\nout (a link that may not be followed)\npipe (a pipe, socket or device)")
  })

  it("refuses what is missing or outside", async () => {
    const workspace = temporaryWorkspace()
    expect(await refused(Ls, { path: "outpt" }, workspace)).toBe("no such folder: outpt; there are: output/, input/, logs/")
    expect(await refused(Ls, { path: ".." }, workspace)).toContain("outside")
  })

  it("a folder with very many entries is cut and says so, and is not cached", async () => {
    const workspace = temporaryWorkspace(Object.fromEntries(Array.from({ length: 1010 }, (_, n) => [`input/${n}`, ""])), 100_000)
    expect(await told(Ls, { path: "input" }, workspace)).toMatch(/… 10 more entries; use Glob to find some of them$/)
    expect(await Ls.dependsOn?.({ path: "input" }, workspace.context)).toBeNull()
    expect((await Ls.dependsOn?.({ path: "." }, workspace.context))?.length).toBe(4)
  })
})
