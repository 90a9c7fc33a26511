import { describe, expect, it } from "vitest"
import { closeSync } from "node:fs"
import { join } from "node:path"
import { missing, openForReading, shown } from "../../src/tools/place.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

const files = { "input/notes.txt": "", "input/plan.md": "", "output/sub/a.md": "" }
const says = (path: string) => {
  const { context, root } = temporaryWorkspace(files)
  return missing(context, join(root, path), "file").message
}

describe("a file that is not there", () => {
  it.each([
    ["input/note.txt", "no such file: input/note.txt; there are: input/notes.txt, input/plan.md"],
    ["notes.txt", "no such file: notes.txt; did you mean input/notes.txt?"],
    ["output/notes.txt", "no such file: output/notes.txt; did you mean input/notes.txt?"],
    ["logs/x", "no such file: logs/x; logs/ is empty"],
    ["output/none/deep/x", "no such file: output/none/deep/x; there are: output/sub/"],
    ["inpt", "no such file: inpt; there are: input/, logs/, output/"],
  ])("%s", (path, message) => {
    expect(says(path)).toBe(message)
  })

  it("of many names the nearest come first and the rest are counted", () => {
    const { context, root } = temporaryWorkspace(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`input/report-${n}.md`, ""])))
    const message = missing(context, join(root, "input/report-4.txt"), "file").message
    expect(message).toContain("there are: input/report-4.md")
    expect(message).toContain("… 30 more")
  })
})

describe("opening for a tool", () => {
  it("gives the open file with its real path", async () => {
    const { context, root } = temporaryWorkspace(files)
    const file = await openForReading(context, "./input/notes.txt")
    closeSync(file.fd)
    expect(shown(context, file.real)).toBe("input/notes.txt")
    expect(shown(context, root)).toBe(".")
  })

  it("says what a folder holds", async () => {
    const { context } = temporaryWorkspace(files)
    await expect(openForReading(context, "input")).rejects.toThrow("input is a folder, not a file; it holds: input/notes.txt, input/plan.md")
    await expect(openForReading(context, "logs")).rejects.toThrow("logs is a folder, not a file; it is empty")
    await expect(openForReading(context, "../x")).rejects.toThrow("outside")
  })
})
