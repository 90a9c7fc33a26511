import { describe, expect, it } from "vitest"
import { Effect, Fiber } from "effect"
import { Buffer } from "node:buffer"
import { execFileSync } from "node:child_process"
import { symlinkSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { Edit } from "../../src/tools/Edit.ts"
import { Read } from "../../src/tools/Read.ts"
import { runTool } from "../../src/tools/run.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n + 1}\n`).join("")

describe("Read", () => {
  it("gives the text as it stands", async () => {
    const text = "first\r\n  second\t\n\n日本語 😀\nlast without end"
    expect(await told(Read, { path: "input/a.txt" }, temporaryWorkspace({ "input/a.txt": text }))).toBe(text)
  })

  it("gives the lines asked for and says where the rest is", async () => {
    const workspace = temporaryWorkspace({ "input/a.txt": numbered(100) })
    expect(await told(Read, { path: "input/a.txt", offset: 98 }, workspace)).toBe("line 98\nline 99\nline 100\n")
    expect(await told(Read, { path: "input/a.txt", offset: 10, limit: 2 }, workspace)).toBe("line 10\nline 11\n… 89 more lines; continue with offset=12")
    expect(await told(Read, { path: "input/a.txt", offset: 100, limit: 1 }, workspace)).toBe("line 100\n")
    expect(await refused(Read, { path: "input/a.txt", offset: 101 }, workspace)).toBe("input/a.txt has 100 lines; offset=101 is past its end")
  })

  it("cuts what does not fit at a line, and going on from there shows the rest", async () => {
    const workspace = temporaryWorkspace({ "input/a.txt": numbered(1000) }, 1000)
    let shown = ""
    let parts = 0
    for (let offset: number | null = 1; offset !== null; parts++) {
      const text: string = await told(Read, { path: "input/a.txt", offset }, workspace)
      expect(text.length).toBeLessThanOrEqual(1000)
      const rest = /… [\d,]+ more lines?; continue with offset=(\d+)$/.exec(text)
      shown += rest === null ? text : text.slice(0, rest.index)
      offset = rest === null ? null : Number(rest[1])
    }
    expect(shown).toBe(numbered(1000))
    expect(parts).toBeGreaterThan(5)
  })

  it("a single line that is too long is cut and counted", async () => {
    const workspace = temporaryWorkspace({ "input/a.json": `${"x".repeat(5000)}\nnext` }, 1000)
    const text = await told(Read, { path: "input/a.json" }, workspace)
    expect(text).toContain("… this line goes on for 4,201 more characters that are not shown; use Grep to find a part of it\n… 1 more line; continue with offset=2")
    expect(await told(Read, { path: "input/a.json", offset: 2 }, workspace)).toBe("next")
  })

  it("says when a file is empty, binary, a folder, missing or outside", async () => {
    const workspace = temporaryWorkspace({ "input/empty.txt": "" })
    workspace.file("input/a.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0]))
    execFileSync("mkfifo", [join(workspace.root, "output/pipe")])
    symlinkSync("/etc/passwd", join(workspace.root, "output/link"))
    expect(await told(Read, { path: "input/empty.txt" }, workspace)).toBe("input/empty.txt is empty")
    expect(await refused(Read, { path: "input/a.png" }, workspace)).toBe("input/a.png is a PNG image of 7 bytes, not text; Read shows text only")
    expect(await refused(Read, { path: "input" }, workspace)).toContain("is a folder")
    expect(await refused(Read, { path: "input/empty.md" }, workspace)).toBe("no such file: input/empty.md; there are: input/empty.txt, input/a.png")
    expect(await refused(Read, { path: "../../etc/passwd" }, workspace)).toContain("outside the workspace")
    expect(await refused(Read, { path: "output/pipe" }, workspace)).toContain("not a plain file")
    expect(await refused(Read, { path: "output/link" }, workspace)).toContain("leads outside")
  })

  it("reads UTF-16 with its mark, drops the mark of UTF-8, and shows where bytes are no text", async () => {
    const workspace = temporaryWorkspace()
    workspace.file("input/16.txt", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("héllo\nzwei\n", "utf16le")]))
    workspace.file("input/8.txt", "\ufefftext")
    workspace.file("input/latin.txt", Buffer.from([0x68, 0xe9, 0x0a]))
    expect(await told(Read, { path: "input/16.txt", offset: 2 }, workspace)).toBe("zwei\n")
    expect(await told(Read, { path: "input/8.txt" }, workspace)).toBe("text")
    expect(await told(Read, { path: "input/latin.txt" }, workspace)).toBe("h\ufffd\n… \ufffd stands for bytes that are not valid text")
  })

  it("what it shows can be given to Edit as it stands", async () => {
    const workspace = temporaryWorkspace({ "output/a.md": "one\n\ttwo  \nthree\n" })
    const text = await told(Read, { path: "output/a.md", offset: 2, limit: 1 }, workspace)
    await told(Edit, { path: "output/a.md", old_string: text.split("\n… ")[0], new_string: "2" }, workspace)
    expect(await told(Read, { path: "output/a.md" }, workspace)).toBe("one\n2\nthree\n")
  })

  it("a file of many gigabytes is read in bounded memory and time", async () => {
    const workspace = temporaryWorkspace({ "input/huge.txt": numbered(50_000) })
    truncateSync(join(workspace.root, "input/huge.txt"), 20 * 2 ** 30) // sparse
    const before = process.memoryUsage.rss()
    const text = await told(Read, { path: "input/huge.txt", offset: 40_000, limit: 2 }, workspace)
    expect(text).toMatch(/^line 40000\nline 40001\n… more than [\d,]+ more lines; continue with offset=40002$/)
    expect(process.memoryUsage.rss() - before).toBeLessThan(300 * 2 ** 20)
  })

  it("stops when interrupted in the middle of a huge file", async () => {
    const workspace = temporaryWorkspace({ "input/huge.txt": "x" })
    truncateSync(join(workspace.root, "input/huge.txt"), 20 * 2 ** 30)
    const started = performance.now()
    await Effect.runPromise(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(runTool(Read, { path: "input/huge.txt", offset: 1000 }, workspace.context), { startImmediately: true })
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fiber)
    }))
    expect(performance.now() - started).toBeLessThan(1000)
  })

  it("a small file costs well under 0.3 ms", async () => {
    const workspace = temporaryWorkspace({ "input/notes.txt": numbered(50) })
    const runs = 500
    const times: Array<number> = []
    for (let n = 0; n < runs; n++) {
      const started = performance.now()
      await Effect.runPromise(runTool(Read, { path: "input/notes.txt" }, workspace.context))
      times.push(performance.now() - started)
    }
    expect(times.sort((a, b) => a - b)[runs >> 1]).toBeLessThan(0.3)
  })
})
