import { describe, expect, it } from "vitest"
import { Effect, Fiber } from "effect"
import { Buffer } from "node:buffer"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import { Grep } from "../../src/tools/Grep.ts"
import { runTool } from "../../src/tools/run.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

const files = { "input/a.md": "Alpha\nbeta\nALPHA beta\n", "input/b.txt": "beta\n", "input/sub/c.md": "gamma (x)\n", "output/d.md": "alpha\n" }

describe("Grep", () => {
  it("answers path:line:text over the whole workspace or a part", async () => {
    const workspace = temporaryWorkspace(files)
    expect(await told(Grep, { pattern: "beta" }, workspace)).toBe("input/a.md:2:beta\ninput/a.md:3:ALPHA beta\ninput/b.txt:1:beta")
    expect(await told(Grep, { pattern: "^[Aa]lpha$" }, workspace)).toBe("input/a.md:1:Alpha\noutput/d.md:1:alpha")
    expect(await told(Grep, { pattern: "alpha", case_insensitive: true, path: "input" }, workspace)).toBe("input/a.md:1:Alpha\ninput/a.md:3:ALPHA beta")
    expect(await told(Grep, { pattern: "beta", path: "input/b.txt" }, workspace)).toBe("input/b.txt:1:beta")
    expect(await told(Grep, { pattern: "a", glob: "*.md", path: "input" }, workspace)).toContain("input/sub/c.md:1:gamma (x)")
    expect(await told(Grep, { pattern: "beta", path: "input", context: 1 }, workspace)).toBe("input/a.md-1-Alpha\ninput/a.md:2:beta\ninput/a.md:3:ALPHA beta\ninput/b.txt:1:beta")
  })

  it("says what it searched when nothing matches", async () => {
    const workspace = temporaryWorkspace(files)
    workspace.file("input/x.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0]))
    expect(await told(Grep, { pattern: "delta" }, workspace)).toBe("no match for delta in 4 text files in .\n… 1 binary file skipped")
    expect(await told(Grep, { pattern: "delta", glob: "*.txt" }, workspace)).toBe("no match for delta in 1 text file in . (*.txt)")
  })

  it("ends at max_results and says so only when there is more", async () => {
    const workspace = temporaryWorkspace({ "input/a.txt": "hit\n".repeat(10) })
    expect((await told(Grep, { pattern: "hit", max_results: 3 }, workspace)).split("\n")).toEqual([
      "input/a.txt:1:hit", "input/a.txt:2:hit", "input/a.txt:3:hit", "… stopped after 3 matches; search a smaller part, or raise max_results",
    ])
    expect(await told(Grep, { pattern: "hit", max_results: 10 }, workspace)).not.toContain("…")
  })

  it("ends when its answer would not fit", async () => {
    const workspace = temporaryWorkspace({ "input/a.txt": "hit and more\n".repeat(1000) }, 1000)
    const text = await told(Grep, { pattern: "hit", max_results: 1000 }, workspace)
    expect(text.length).toBeLessThanOrEqual(1000)
    expect(text).toContain("… there are more matches than fit here")
  })

  it("names what is wrong with a pattern", async () => {
    const workspace = temporaryWorkspace(files)
    expect(await refused(Grep, { pattern: "gamma (x" }, workspace)).toContain("pattern: not a usable regular expression")
    expect(await refused(Grep, { pattern: "(?=x)" }, workspace)).toContain("look-ahead")
    expect(await told(Grep, { pattern: "gamma \\(x" }, workspace)).toBe("input/sub/c.md:1:gamma (x)")
  })

  it("does not look outside", async () => {
    const workspace = temporaryWorkspace(files)
    symlinkSync("/etc/hosts", join(workspace.root, "output/hosts"))
    expect(await told(Grep, { pattern: "localhost" }, workspace)).toContain("no match")
    expect(await refused(Grep, { pattern: "localhost", path: "output/hosts" }, workspace)).toContain("outside")
    expect(await refused(Grep, { pattern: "x", path: "../.." }, workspace)).toContain("outside")
  })

  it("finds lines across the pieces of a large file, in its own encoding", async () => {
    const workspace = temporaryWorkspace({ "input/big.txt": `${"filler line\n".repeat(100_000)}needle 日本\n` })
    workspace.file("input/16.txt", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("eins\nneedle\n", "utf16le")]))
    expect(await told(Grep, { pattern: "needle" }, workspace)).toBe("input/16.txt:2:needle\ninput/big.txt:100001:needle 日本")
  })

  it.each(["(a+)+$", "(a|a)*b$", "(.*a){20}c", "(\\w+\\s*)+$"])("%s on hostile text does not hold the event loop", async (pattern) => {
    const workspace = temporaryWorkspace({ "input/a.txt": `${`${"a".repeat(5000)}!\n`.repeat(200)}` })
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    expect(await told(Grep, { pattern }, workspace)).toBeTruthy()
    longest = Math.max(longest, performance.now() - last)
    clearInterval(timer)
    expect(longest).toBeLessThan(400)
  })

  it("stops when interrupted", async () => {
    const workspace = temporaryWorkspace({ "input/a.txt": `${"a".repeat(4000)}!\n`.repeat(20_000) })
    const started = performance.now()
    await Effect.runPromise(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(runTool(Grep, { pattern: "(\\w+\\s*){20}z" }, workspace.context), { startImmediately: true })
      for (let turn = 0; turn < 3; turn++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fiber)
    }))
    expect(performance.now() - started).toBeLessThan(1000)
  })
})
