import { describe, expect, it } from "vitest"
import { execFileSync } from "node:child_process"
import { statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { TEMP_PREFIX } from "../../src/workspace/jail.ts"
import { listFiles, MAX_LISTED_FILES } from "../../src/workspace/listing.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

describe("the file list", () => {
  it("names every plain file with size and time, folder by folder", async () => {
    const { root } = temporaryWorkspace({ "output/b.md": "12345", "output/a/c.md": "1", "input/x": "", [`output/${TEMP_PREFIX}1`]: "" })
    utimesSync(join(root, "output/b.md"), 1_700_000_000, 1_700_000_000)
    const files = await listFiles(root, "output")
    expect(files).toEqual([
      { path: "output/a/c.md", bytes: 1, modified_at: Math.round(statSync(join(root, "output/a/c.md")).mtimeMs) },
      { path: "output/b.md", bytes: 5, modified_at: 1_700_000_000_000 },
    ])
  })

  it("leaves out links that lead outside or nowhere, pipes, and what is behind linked folders", async () => {
    const { root, around } = temporaryWorkspace({ "input/notes.txt": "notes" })
    writeFileSync(join(around, "secret"), "secret")
    symlinkSync(join(around, "secret"), join(root, "output/out"))
    symlinkSync("none", join(root, "output/dangling"))
    symlinkSync("../input", join(root, "output/folder"))
    symlinkSync("../input/notes.txt", join(root, "output/inside"))
    execFileSync("mkfifo", [join(root, "output/pipe")])
    expect((await listFiles(root, "output")).map(({ path, bytes }) => [path, bytes])).toEqual([["output/inside", 5]])
  })

  it("a folder that is not there is empty", async () => {
    expect(await listFiles(temporaryWorkspace().root, "nothing")).toEqual([])
  })

  it(`ends at ${MAX_LISTED_FILES} files`, async () => {
    const { root } = temporaryWorkspace()
    for (let n = 0; n < MAX_LISTED_FILES + 5; n++) writeFileSync(join(root, `output/${n}`), "")
    expect((await listFiles(root, "output")).length).toBe(MAX_LISTED_FILES)
  })
})
