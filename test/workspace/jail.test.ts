import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { execFileSync } from "node:child_process"
import { existsSync, lstatSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { lastPart, resolveInside, TEMP_PREFIX, type Access } from "../../src/workspace/jail.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

const SEED = 20_260_101

const withLinks = () => {
  const workspace = temporaryWorkspace({ "input/notes.txt": "notes", "output/sub/a.md": "a", "logs/activity.log": "" })
  const { root, around } = workspace
  writeFileSync(join(around, "secret.txt"), "secret")
  mkdirSync(join(around, "outside"))
  const link = (target: string, path: string) => symlinkSync(target, join(root, path))
  link(join(around, "secret.txt"), "output/to-secret")
  link(join(around, "outside"), "output/to-folder")
  link("../../outside", "output/relative-out")
  link("../../not-there", "output/dangling-out")
  link("not-there.md", "output/dangling-in")
  link("../input/notes.txt", "output/to-notes")
  link("../input", "output/to-input")
  link(join(root, "output/sub"), "output/absolute-in")
  link("loop-b", "output/loop-a")
  link("loop-a", "output/loop-b")
  link("to-notes", "output/chain")
  return workspace
}

const attempt = (root: string, path: string, access: Access): string => {
  try {
    return resolveInside(root, path, access)
  } catch (cause) {
    return `refused: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

describe("what the jail accepts", () => {
  it.each([
    ["input/notes.txt", "input/notes.txt"], ["./input/notes.txt", "input/notes.txt"], ["input//notes.txt", "input/notes.txt"],
    ["output/../input/notes.txt", "input/notes.txt"], ["output/sub/", "output/sub"], [".", ""], ["output/not/yet.md", "output/not/yet.md"],
    ["output/to-notes", "input/notes.txt"], ["output/chain", "input/notes.txt"], ["output/absolute-in/a.md", "output/sub/a.md"], ["output/dangling-in", "output/not-there.md"],
    ["output/%2e%2e/x", "output/%2e%2e/x"], ["output/…/x", "output/…/x"], ["output/日本.md", "output/日本.md"], ["output/..a/b..", "output/..a/b.."],
  ])("%s is %s", (path, expected) => {
    const { root } = withLinks()
    expect(resolveInside(root, path, "read")).toBe([root, expected].filter((part) => part !== "").join("/"))
  })

  it("the absolute path of a place in the workspace is taken", () => {
    const { root } = withLinks()
    expect(resolveInside(root, `${root}/input/notes.txt`, "read")).toBe(`${root}/input/notes.txt`)
    expect(resolveInside(root, root, "read")).toBe(root)
  })
})

describe("what the jail refuses", () => {
  it.each([
    ["", "empty"], ["..", "outside"], ["../secret.txt", "outside"], ["output/../../secret.txt", "outside"], ["output/sub/../../../secret.txt", "outside"],
    ["/etc/passwd", "absolute"], ["//etc/passwd", "absolute"], ["/", "absolute"], ["input/notes.txt\0.png", "NUL"], ["\ud800", "Unicode"],
    ["output/to-secret", "link"], ["output/to-folder", "link"], ["output/to-folder/x", "link"], ["output/relative-out", "outside"], ["output/relative-out/x", "outside"],
    ["output/dangling-out", "outside"], ["output/loop-a", "too many links"], ["input/notes.txt/x", "is a file"], ["input/notes.txt/..", "is a file"],
    [`output/${"n".repeat(256)}`, "longer than 255"], [`output/${"日".repeat(86)}`, "longer than 255"], [`${"a/".repeat(2500)}x`, "longer than 4096"],
  ])("%j: %s", (path, why) => {
    const { root } = withLinks()
    expect(attempt(root, path, "read")).toMatch(/^refused/)
    expect(attempt(root, path, "read")).toContain(why)
    expect(attempt(root, path, "write")).toMatch(/^refused/)
  })

  it("a folder whose name begins like the workspace's is outside", () => {
    const { root } = withLinks()
    mkdirSync(`${root}-other`)
    symlinkSync(`${root}-other`, `${root}/output/other`)
    expect(attempt(root, `${root}-other`, "read")).toContain("absolute")
    expect(attempt(root, "output/other", "read")).toContain("outside")
    expect(attempt(root, "../workspace-other", "read")).toContain("outside")
  })

  it.each([
    "input/x.md", "input", "logs/activity.log", "output/../input/x", "output/to-notes", "output/to-input/new.md", "Input/x", "INPUT/x", "input./x", "input /x", "ｉnput/x", "LOGS/x",
    ".", "output/..", "output/x/", ".git/hooks/post-commit", "output/.GIT/config", "output\\x.md", "output/a\nb", "output/\u001b[2J", `output/${TEMP_PREFIX}1`,
  ])("writing %j", (path) => {
    expect(attempt(withLinks().root, path, "write")).toMatch(/^refused/)
  })

  it("the runtime's own files may go where tools may not write, and nowhere outside", () => {
    const { root } = withLinks()
    expect(resolveInside(root, "logs/checklists/a.json", "own")).toBe(`${root}/logs/checklists/a.json`)
    expect(attempt(root, "output/to-folder/x", "own")).toContain("outside")
  })

  it("a pipe, a socket and a device, at once", async () => {
    const { root } = withLinks()
    execFileSync("mkfifo", [join(root, "output/pipe")])
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(root, "output/socket"), resolve))
    expect(attempt(root, "output/pipe", "read")).toContain("not a plain file")
    expect(attempt(root, "output/pipe", "write")).toContain("not a plain file")
    expect(attempt(root, "output/socket", "read")).toContain("not a plain file")
    await new Promise((resolve) => server.close(resolve))
  })

  it("a message does not carry the server's own paths or control characters", () => {
    const { root, around } = withLinks()
    const messages = ["output/to-secret", "output/dangling-out", "a\u001b[2J\n/../..", "input/notes.txt/x"].map((path) => attempt(root, path, "read"))
    expect(messages.filter((message) => message.includes(around) || /\p{Cc}/u.test(message))).toEqual([])
  })
})

describe("10,000 random paths over a tree of links", () => {
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("input", "output", "logs", "sub", "notes.txt", "a.md", "to-secret", "to-folder", "relative-out", "dangling-out", "to-notes", "to-input", "absolute-in", "chain", "loop-a") },
    { weight: 4, arbitrary: fc.constantFrom("..", ".", "", "%2e%2e", "..%2f", "...", "\\..", "..\\", "~", "Input", "secret.txt", "outside", "workspace", "etc", "proc", "self") },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
  )
  const path = fc.tuple(fc.constantFrom("", "", "", "/", "//", "./", "../"), fc.array(piece, { maxLength: 7 })).map(([start, parts]) => start + parts.join("/"))

  it("none leads outside, and what the system finds inside is found", () => {
    const { root } = withLinks()
    const inside = (real: string) => real === root || real.startsWith(`${root}/`)
    fc.assert(fc.property(path, (each) => {
      const answer = attempt(root, each, "read")
      const real = !each.includes("\0") && each.isWellFormed() && existsSync(`${root}/${each}`) ? realpathSync.native(`${root}/${each}`) : null
      if (answer.startsWith("refused")) return each.startsWith("/") || each === "" || real === null || !inside(real) || leaves(root, each)
      let existing = answer
      while (lstatSync(existing, { throwIfNoEntry: false }) === undefined) existing = existing.slice(0, existing.lastIndexOf("/"))
      return inside(answer) && realpathSync.native(existing) === existing && (each.startsWith("/") || real === null || real === answer)
    }), { numRuns: 10_000, seed: SEED })
  })

  /** A path that goes up beyond the workspace and comes back is refused too, though the system would find it. */
  const leaves = (root: string, each: string): boolean => {
    const parts = each.split("/")
    return parts.some((_, index) => {
      const at = `${root}/${parts.slice(0, index + 1).join("/")}`
      const real = existsSync(at) ? realpathSync.native(at) : root
      return real !== root && !real.startsWith(`${root}/`)
    })
  }
})

/** A tree in memory, and what a path means in it: written as a recursion over the tree, without a file system. */
type Node = { readonly kind: "file" } | { readonly kind: "link"; readonly target: string } | { readonly kind: "folder"; readonly at: Map<string, Node> }

const meaning = (tree: Node, trail: ReadonlyArray<string>, path: ReadonlyArray<string>, links: number): string | null => {
  const node = trail.reduce<Node | undefined>((here, name) => (here?.kind === "folder" ? here.at.get(name) : undefined), tree)
  if (path.length === 0) return trail.join("/")
  const [name, ...rest] = path as [string, ...Array<string>]
  if (node?.kind === "file") return null
  if (name === "" || name === ".") return meaning(tree, trail, rest, links)
  if (name === "..") return trail.length === 0 ? null : meaning(tree, trail.slice(0, -1), rest, links)
  const next = node?.kind === "folder" ? node.at.get(name) : undefined
  if (next?.kind !== "link") return meaning(tree, [...trail, name], rest, links)
  if (links === 0) return null
  if (!next.target.startsWith("/")) return meaning(tree, trail, [...next.target.split("/"), ...rest], links - 1)
  return next.target.startsWith("/HERE") ? meaning(tree, [], [...next.target.slice("/HERE".length).split("/"), ...rest], links - 1) : null
}

const build = (at: string, node: Node, root: string): void => {
  if (node.kind === "file") return writeFileSync(at, "")
  if (node.kind === "link") return symlinkSync(node.target.replace(/^\/HERE/, root), at)
  mkdirSync(at)
  for (const [name, child] of node.at) build(join(at, name), child, root)
}

describe("10,000 random paths over random trees of folders, files and links", () => {
  const name = fc.constantFrom("a", "b", "c", "d")
  const step = fc.constantFrom("a", "b", "c", "d", "..", "..", ".", "")
  const target = fc.tuple(fc.constantFrom("", "", "", "/HERE/", "/HERE/", "/tmp/", "/"), fc.array(step, { minLength: 1, maxLength: 4 })).map(([start, steps]) => start + steps.join("/")).filter((text) => text !== "")
  const { node } = fc.letrec<{ node: Node }>((tie) => ({
    node: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constant({ kind: "file" } as const),
      target.map((text) => ({ kind: "link", target: text }) as const),
      fc.uniqueArray(fc.tuple(name, tie("node")), { selector: ([each]) => each, maxLength: 4 }).map((children) => ({ kind: "folder", at: new Map(children) }) as const),
    ),
  }))
  const tree = fc.uniqueArray(fc.tuple(name, node), { selector: ([each]) => each, minLength: 1, maxLength: 4 }).map((children): Node => ({ kind: "folder", at: new Map(children) }))
  const paths = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }).map((steps) => steps.join("/")).filter((path) => path !== "" && !path.startsWith("/")), { minLength: 100, maxLength: 100 })

  it("the jail and the model agree on every one", () => {
    const { around } = temporaryWorkspace()
    let count = 0
    fc.assert(fc.property(tree, paths, (random, each) => {
      const root = join(around, `tree-${count++}`)
      build(root, random, root)
      try {
        for (const path of each) {
          const expected = meaning(random, [], path.split("/"), 40)
          const answer = attempt(root, path, "read")
          expect(answer.startsWith("refused") ? null : answer, `${path} in ${JSON.stringify(random)}`).toBe(expected === null ? null : [root, expected].filter((part) => part !== "").join("/"))
        }
      } finally {
        rmSync(root, { recursive: true })
      }
    }), { numRuns: 100, seed: SEED })
    expect(count).toBeGreaterThanOrEqual(100)
  })
})

describe("the name of an upload", () => {
  it.each([["notes.txt", "notes.txt"], ["/etc/passwd", "passwd"], ["..\\..\\boot.ini", "boot.ini"], ["a/b/日本.md", "日本.md"], ["-rf", "-rf"], [".env", ".env"]])("%j becomes %j", (name, expected) => {
    expect(lastPart(name)).toBe(expected)
  })

  it.each(["", ".", "..", "a/", "a/..", "x\\..", "a\nb", "a\0b", "\ud800", "n".repeat(256), `${TEMP_PREFIX}x`])("%j is refused", (name) => {
    expect(() => lastPart(name)).toThrow()
  })
})
