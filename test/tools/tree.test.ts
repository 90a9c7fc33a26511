import { describe, expect, it } from "vitest"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import { globFilter, treeAt, treeState } from "../../src/tools/tree.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

const never = new AbortController().signal

describe("the tree that a search looks at", () => {
  it("holds files below the start, without links and the repository's own folder", async () => {
    const { context, root } = temporaryWorkspace({ "input/a.txt": "", "input/sub/b.txt": "", ".git/config": "", "output/.git/x": "" })
    symlinkSync("/etc", join(root, "input/etc"))
    const tree = await treeAt(context, "input", never)
    expect(tree.files.map(({ path, below }) => [path, below])).toEqual([["input/a.txt", "a.txt"], ["input/sub/b.txt", "sub/b.txt"]])
    expect((await treeAt(context, ".", never)).files.map(({ path }) => path)).toEqual(["input/a.txt", "input/sub/b.txt"])
    expect((await treeAt(context, "input/a.txt", never)).files.map(({ path }) => path)).toEqual(["input/a.txt"])
    await expect(treeAt(context, "inputs", never)).rejects.toThrow("no such file or folder: inputs; there are: input/")
  })

  it("its state names folders, and files when asked, unless they are too many", async () => {
    const { context, root, file } = temporaryWorkspace({ "input/a.txt": "", "input/sub/b.txt": "" })
    expect(await treeState(context, "input", false)).toEqual([join(root, "input"), join(root, "input/sub")])
    expect(await treeState(context, "input", true)).toEqual([join(root, "input"), join(root, "input/sub"), join(root, "input/a.txt"), join(root, "input/sub/b.txt")])
    expect(await treeState(context, "input/a.txt", false)).toEqual([join(root, "input/a.txt")])
    for (let n = 0; n < 2001; n++) file(`output/${n}`)
    expect(await treeState(context, "output", true)).toBeNull()
  })
})

describe("a glob", () => {
  const matches = (glob: string, path: string, byName = false) => globFilter(glob, byName)({ path: `input/${path}`, below: path, real: "" })

  it.each([
    ["*.md", "a.md", true], ["*.md", "x/a.md", false], ["**/*.md", "x/y/a.md", true], ["**/*.md", "a.md", true], ["input/*.md", "a.md", true], ["./*.md", "a.md", true],
    ["{a,b}[0-9].txt", "b7.txt", true], ["日*", "日本.md", true], ["?.md", "ab.md", false],
  ])("%s on %s is %s", (glob, path, expected) => {
    expect(matches(glob, path)).toBe(expected)
  })

  it("goes by name alone where that is meant", () => {
    expect(matches("*.md", "x/a.md", true)).toBe(true)
    expect(matches("y/*.md", "x/y/a.md", true)).toBe(false)
  })

  it("is never slow", () => {
    const started = performance.now()
    for (const glob of [`**/${"*a".repeat(40)}b`, "{a*,a*}".repeat(30), "**/".repeat(60)]) matches(glob, "a/".repeat(100) + "a".repeat(100))
    expect(performance.now() - started).toBeLessThan(500)
    expect(() => matches("x".repeat(600), "x")).toThrow("longer than 500")
  })
})
