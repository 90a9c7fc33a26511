import { describe, expect, it } from "vitest"
import { Buffer } from "node:buffer"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, closeSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PathRefused, systemCode } from "../../src/workspace/errors.ts"
import { appendTo, openFolder, openPlain, readAt, readFolder, replaceFile } from "../../src/workspace/files.ts"
import { resolveInside } from "../../src/workspace/jail.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

const contentOf = (real: string): string => {
  const { fd, stat } = openPlain(real)
  try {
    return readAt(fd, 0, stat.size).toString()
  } finally {
    closeSync(fd)
  }
}
const thrown = (run: () => unknown): unknown => {
  try {
    run()
  } catch (cause) {
    return cause
  }
  throw new Error("nothing was thrown")
}
const put = (root: string, path: string, text: string, durable = false) => replaceFile(root, join(root, path), [Buffer.from(text)], { durable })

describe("opening a file", () => {
  it("reads what is there, and no more than the file has", () => {
    const { file } = temporaryWorkspace()
    expect(contentOf(file("input/a.txt", "hello"))).toBe("hello")
    const { fd } = openPlain(file("input/b.txt", "hello"))
    expect(readAt(fd, 3, 100).toString()).toBe("lo")
    closeSync(fd)
  })

  it("does not follow a link put in the file's place", () => {
    const { root, around } = temporaryWorkspace()
    writeFileSync(join(around, "secret"), "secret")
    symlinkSync(join(around, "secret"), join(root, "output/a"))
    expect(systemCode(thrown(() => openPlain(join(root, "output/a"))))).toBe("ELOOP")
  })

  it("notices a folder on the way that was swapped for a link", () => {
    const { root, around, file } = temporaryWorkspace()
    file("output/sub/a.txt", "inside")
    mkdirSync(join(around, "sub"))
    writeFileSync(join(around, "sub/a.txt"), "secret")
    renameSync(join(root, "output/sub"), join(root, "output/old"))
    symlinkSync(join(around, "sub"), join(root, "output/sub"))
    expect(thrown(() => openPlain(join(root, "output/sub/a.txt")))).toBeInstanceOf(PathRefused)
    expect(thrown(() => readFolder(join(root, "output/sub")))).toBeTruthy()
  })

  it("a pipe is refused without waiting for a writer, a folder is called one", () => {
    const { root } = temporaryWorkspace()
    execFileSync("mkfifo", [join(root, "output/pipe")])
    expect(thrown(() => openPlain(join(root, "output/pipe")))).toBeInstanceOf(PathRefused)
    expect(systemCode(thrown(() => openPlain(join(root, "output"))))).toBe("EISDIR")
    expect(systemCode(thrown(() => openPlain(join(root, "output/none"))))).toBe("ENOENT")
  })
})

describe("replacing a file", () => {
  it("makes the folders on the way and leaves no temporary file", async () => {
    const { root } = temporaryWorkspace()
    expect(await put(root, "output/a/b/c.md", "text", true)).toMatchObject({ bytes: 4, existed: false })
    expect(readFileSync(join(root, "output/a/b/c.md"), "utf8")).toBe("text")
    expect(readdirSync(join(root, "output/a/b"))).toEqual(["c.md"])
  })

  it("keeps the permissions and gives a hard link its own content", async () => {
    const { root, around, file } = temporaryWorkspace()
    const script = file("output/run.sh", "old")
    chmodSync(script, 0o750)
    linkSync(script, join(around, "other-name"))
    expect(await put(root, "output/run.sh", "new")).toMatchObject({ existed: true })
    expect(statSync(script).mode & 0o777).toBe(0o750)
    expect(readFileSync(join(around, "other-name"), "utf8")).toBe("old")
  })

  it("a reader sees the old content or the new, never a part", async () => {
    const { root, file } = temporaryWorkspace()
    const real = file("output/a.md", "a".repeat(100_000))
    for (const letter of ["b", "c", "d", "e"]) {
      const writing = put(root, "output/a.md", letter.repeat(100_000))
      const seen = { over: false }
      const done = writing.then(() => seen.over = true)
      while (!seen.over) {
        expect(new Set(contentOf(real)).size).toBe(1)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await done
    }
  })

  it("what fails or is aborted leaves the old file and nothing else", async () => {
    const { root, file } = temporaryWorkspace()
    file("output/a.md", "old")
    const breaking = async function*() {
      yield Buffer.from("half")
      throw new Error("the source broke")
    }
    await expect(replaceFile(root, join(root, "output/a.md"), breaking(), { durable: false })).rejects.toThrow("the source broke")
    const aborted = AbortSignal.abort(new Error("stopped"))
    await expect(replaceFile(root, join(root, "output/a.md"), [Buffer.from("x")], { durable: false, signal: aborted })).rejects.toThrow("stopped")
    expect(readFileSync(join(root, "output/a.md"), "utf8")).toBe("old")
    expect(readdirSync(join(root, "output"))).toEqual(["a.md"])
  })

  it("does not write through a link on the way, nor over a folder", async () => {
    const { root, around } = temporaryWorkspace()
    mkdirSync(join(around, "outside"))
    symlinkSync(join(around, "outside"), join(root, "output/out"))
    await expect(put(root, "output/out/a.md", "x")).rejects.toBeInstanceOf(PathRefused)
    expect(readdirSync(join(around, "outside"))).toEqual([])
    mkdirSync(join(root, "output/folder"))
    await expect(put(root, "output/folder", "x")).rejects.toThrow("is a folder")
    expect(readdirSync(join(root, "output")).sort()).toEqual(["folder", "out"])
  })

  it("forty writers of one file leave one whole content", async () => {
    const { root } = temporaryWorkspace()
    await Promise.all(Array.from({ length: 40 }, (_, n) => put(root, "output/deep/er/a.md", String(n).repeat(10_000))))
    expect(new Set(readFileSync(join(root, "output/deep/er/a.md"), "utf8").match(/\d\d/g)).size).toBeLessThanOrEqual(2)
    expect(readdirSync(join(root, "output/deep/er"))).toEqual(["a.md"])
  })
})

describe("appending", () => {
  it("adds to the end and answers the size, but not to a pipe", () => {
    const { root } = temporaryWorkspace()
    const logs = openFolder(root, ["logs"])
    expect(appendTo(logs, "a.log", "one\n")).toBe(4)
    expect(appendTo(logs, "a.log", "two\n")).toBe(8)
    execFileSync("mkfifo", [join(root, "logs/pipe")])
    expect(thrown(() => appendTo(logs, "pipe", "x"))).toBeTruthy()
    logs.close()
    expect(readFileSync(join(root, "logs/a.log"), "utf8")).toBe("one\ntwo\n")
  })
})

// Another process turns a folder into a link to the outside and back, as fast as it can.
const SWAPPER = `
const fs = require("node:fs"), [root, outside] = process.argv.slice(1)
process.stdout.write("go")
for (;;) {
  try { fs.renameSync(root + "/output/sub", root + "/output/kept"); fs.symlinkSync(outside, root + "/output/sub") } catch {}
  try { fs.unlinkSync(root + "/output/sub"); fs.renameSync(root + "/output/kept", root + "/output/sub") } catch {}
}`

describe("a folder that is swapped for a link between check and use", () => {
  it("never lets a read or a write outside, in 1,000 tries each", async (ctx) => {
    if (!existsSync("/proc/self/fd")) ctx.skip("needs /proc to ask where an open file is")
    const { root, around, file } = temporaryWorkspace()
    const outside = join(around, "outside")
    mkdirSync(outside)
    writeFileSync(join(outside, "a.txt"), "secret")
    file("output/sub/a.txt", "inside")
    const swapper = spawn(process.execPath, ["-e", SWAPPER, root, outside], { stdio: ["ignore", "pipe", "inherit"] })
    try {
      await once(swapper.stdout, "data")
      const read = new Set<string>()
      let refusals = 0
      for (let n = 0; n < 1000; n++) {
        try {
          read.add(contentOf(resolveInside(root, "output/sub/a.txt", "read")))
        } catch {
          refusals++
        }
        try {
          await put(root, resolveInside(root, `output/sub/new-${n % 7}.txt`, "write").slice(root.length + 1), "mine")
        } catch {
          refusals++
        }
      }
      expect([...read].filter((content) => content !== "inside" && content !== "mine")).toEqual([])
      expect(readdirSync(outside)).toEqual(["a.txt"])
      expect(refusals).toBeGreaterThan(0)
    } finally {
      swapper.kill("SIGKILL")
      await once(swapper, "exit")
    }
  })
})
