import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { Buffer } from "node:buffer"
import { readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { Edit, edited, nearestLine, places } from "../../src/tools/Edit.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

const text = "# Title\n\nThe first paragraph.\nThe second paragraph.\n\tindented $& $1\nThe first paragraph.\n"
const setUp = () => {
  const workspace = temporaryWorkspace({ "output/a.md": text, "input/a.md": text })
  return { ...workspace, now: () => readFileSync(join(workspace.root, "output/a.md"), "utf8") }
}

describe("Edit", () => {
  it("replaces one place exactly", async () => {
    const workspace = setUp()
    expect(await told(Edit, { path: "output/a.md", old_string: "The second paragraph.", new_string: "$& and $1 stay" }, workspace)).toBe("edited output/a.md: 1 place replaced (line 4)")
    expect(workspace.now()).toBe(text.replace("The second paragraph.", () => "$& and $1 stay"))
  })

  it("refuses a text that stands there more than once, unless all are meant", async () => {
    const workspace = setUp()
    expect(await refused(Edit, { path: "output/a.md", old_string: "The first paragraph.", new_string: "x" }, workspace)).toBe(
      "old_string stands in output/a.md 2 times (lines 3, 6); give more of the text around the place, or set replace_all",
    )
    expect(workspace.now()).toBe(text)
    expect(await told(Edit, { path: "output/a.md", old_string: "The first paragraph.", new_string: "x", replace_all: true }, workspace)).toBe("edited output/a.md: 2 places replaced (line 3, 6)")
  })

  it("names the nearest line when nothing matches", async () => {
    const workspace = setUp()
    expect(await refused(Edit, { path: "output/a.md", old_string: "the second  paragraf", new_string: "x" }, workspace)).toBe(
      "old_string was not found in output/a.md; it must be the same to the last space. The nearest is line 4: The second paragraph.",
    )
    expect(await refused(Edit, { path: "output/a.md", old_string: "zzzzzz qqqq", new_string: "x" }, workspace)).not.toContain("nearest")
    expect(nearestLine("abc", "\n  \n")).toBeNull()
  })

  it("matches across the line ends of the file and keeps them", async () => {
    const workspace = temporaryWorkspace({ "output/a.txt": "one\r\ntwo\r\nthree\r\n" })
    await told(Edit, { path: "output/a.txt", old_string: "one\ntwo", new_string: "1\n2\n" }, workspace)
    expect(readFileSync(join(workspace.root, "output/a.txt"), "utf8")).toBe("1\r\n2\r\n\r\nthree\r\n")
  })

  it("refuses what may not be changed, is not text, or is no change", async () => {
    const workspace = setUp()
    symlinkSync("../input/a.md", join(workspace.root, "output/link.md"))
    workspace.file("output/latin.txt", Buffer.from([0x68, 0xe9]))
    workspace.file("output/a.bin", Buffer.from([0x68, 0]))
    expect(await refused(Edit, { path: "input/a.md", old_string: "# Title", new_string: "x" }, workspace)).toContain("read-only")
    expect(await refused(Edit, { path: "output/link.md", old_string: "# Title", new_string: "x" }, workspace)).toContain("read-only")
    expect(await refused(Edit, { path: "output/latin.txt", old_string: "h", new_string: "x" }, workspace)).toContain("not UTF-8")
    expect(await refused(Edit, { path: "output/a.bin", old_string: "h", new_string: "x" }, workspace)).toContain("not text")
    expect(await refused(Edit, { path: "output/a.md", old_string: "x", new_string: "x" }, workspace)).toContain("the same")
    expect(await refused(Edit, { path: "output/a.md", old_string: "", new_string: "x" }, workspace)).toContain("old_string")
    expect(await refused(Edit, { path: "output/b.md", old_string: "a", new_string: "x" }, workspace)).toContain("no such file: output/b.md; there are: output/a.md")
    expect(readFileSync(join(workspace.root, "input/a.md"), "utf8")).toBe(text)
  })

  it("replacing all is what splitting and joining gives, for any text", () => {
    const short = fc.string({ unit: fc.constantFrom("a", "b", "\n", "$", "é"), maxLength: 20 })
    fc.assert(fc.property(short, fc.string({ unit: fc.constantFrom("a", "b", "$"), minLength: 1, maxLength: 2 }), short, (whole, before, after) => {
      fc.pre(whole.includes(before))
      const result = edited("f", whole, { path: "f", old_string: before, new_string: after, replace_all: true })
      return result.text === whole.replaceAll(before, () => after) && result.lines.length === places(whole, before).length
    }))
  })
})
