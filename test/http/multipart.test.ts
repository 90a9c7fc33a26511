import { Effect, Exit } from "effect"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { readUpload, type StoreFile } from "../../src/http/multipart.ts"
import { Workspace, WorkspaceError } from "../../src/workspace/Workspace.ts"

let dir = ""
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), "attacca-multipart-")) })
afterEach(() => { rmSync(dir, { recursive: true }) })

const read = (request: Request, max_bytes = 1e6, store?: StoreFile) => Effect.runPromise(Effect.gen(function*() {
  const workspace = yield* Workspace
  yield* workspace.open("w")
  const exit = yield* Effect.exit(readUpload(request, max_bytes, store ?? ((name, body) => workspace.upload("w", name, body))))
  if (Exit.isSuccess(exit)) return exit.value
  const [reason] = exit.cause.reasons
  if (reason?._tag !== "Fail") throw new Error("a defect", { cause: exit.cause })
  return reason.error as { readonly _tag: string; readonly errors?: ReadonlyArray<{ path: string; message: string }>; readonly detail?: string }
}).pipe(Effect.provide(Workspace.layer({ root: dir }))))
const form = (parts: ReadonlyArray<readonly [string, string | File]>) => {
  const data = new FormData()
  for (const [name, value] of parts) data.append(name, value)
  return new Request("http://x/", { method: "POST", body: data })
}
const raw = (text: string | ReadableStream<Uint8Array>, type = "multipart/form-data; boundary=b") =>
  new Request("http://x/", { method: "POST", body: text, headers: { "content-type": type }, duplex: "half" } as RequestInit)
const part = (head: string, body: string) => `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`
const stored = () => readdirSync(join(dir, "w", "input"), { recursive: true }).map(String).sort()

describe("a multipart submission", () => {
  it("puts every file into input/ under its own name, byte for byte, whatever the order of the parts", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000))
    const got = await read(form([["files", new File([bytes], "a.bin")], ["task", '{"a":"ü"}'], ["files", new File([], "empty.txt")], ["files", new File(["ü"], "日本 ü.txt")]]))
    expect(got).toMatchObject({ task: '{"a":"ü"}', files: [{ path: "input/a.bin", bytes: 60_000 }, { path: "input/empty.txt", bytes: 0 }, { path: "input/日本 ü.txt", bytes: 2 }] })
    expect(Buffer.compare(readFileSync(join(dir, "w", "input", "a.bin")), bytes)).toBe(0)
    expect(stored()).toEqual(["a.bin", "empty.txt", "日本 ü.txt"])
  })

  it("takes the task also as a file part, and skips the empty part of a form without a file", async () => {
    expect(await read(form([["task", new File(["{}"], "task.json", { type: "application/json" })]]))).toEqual({ task: "{}", files: [] })
    expect(await read(raw(`${part('name="task"', "{}")}${part('name="files"; filename=""\r\nContent-Type: application/octet-stream', "")}--b--\r\n`))).toEqual({ task: "{}", files: [] })
  })

  it("reduces a name with a path to its last part", async () => {
    await read(raw(`${part('name="files"; filename="../../../etc/passwd"', "x")}${part('name="files"; filename="C:\\dir\\b.txt"', "y")}${part('name="task"', "{}")}--b--\r\n`))
    expect(stored()).toEqual(["b.txt", "passwd"])
    expect(readdirSync(dir)).toEqual(["w"])
  })

  it("names every wrong part at once", async () => {
    const got = await read(form([["file", new File(["x"], "a")], ["tsk", "{}"], ["files", new File(["x"], "a.txt")], ["files", new File(["x"], "a.txt")], ["files", new File(["x"], "..")], ["files", "text"]]))
    expect(got).toMatchObject({ _tag: "InvalidInput" })
    expect((got as { errors: ReadonlyArray<{ path: string }> }).errors.map((e) => e.path).sort()).toEqual(["file", "files", "files[1]", "files[2]", "task", "tsk"].filter((p) => p !== "files").concat("files[3]").sort())
  })

  it("is refused when it is too large, also when no length was declared", async () => {
    const file = new File([new Uint8Array(50_000)], "a.bin")
    expect(await read(form([["task", "{}"], ["files", file]]), 20_000)).toMatchObject({ _tag: "TooLarge" })
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull: (c) => { c.enqueue(new TextEncoder().encode(sent++ === 0 ? part('name="files"; filename="a"', "").slice(0, -2) : "x".repeat(10_000))) },
    })
    expect(await read(raw(endless), 100_000)).toMatchObject({ _tag: "TooLarge" })
    expect(sent).toBeLessThan(30)
    expect(stored()).toEqual([])
  })

  it("is a bad request when it is cut off or not multipart at all, and leaves no part of a file", async () => {
    for (const text of ["", "nonsense", part('name="task"', "{}"), `${part('name="files"; filename="a"', "half of")}`.slice(0, -2)]) {
      expect(await read(raw(text)), text).toMatchObject({ _tag: "BadRequest" })
    }
    expect(await read(raw("x", "multipart/form-data"))).toMatchObject({ _tag: "BadRequest" })
    const breaking = new ReadableStream<Uint8Array>({
      start: (c) => c.enqueue(new TextEncoder().encode(part('name="files"; filename="a"', "half of").slice(0, -2))),
      pull: (c) => c.error(new Error("the client went away")),
    })
    expect(await read(raw(breaking))).toMatchObject({ _tag: "BadRequest" })
    expect(stored()).toEqual([])
  })

  it("stores any number of small files one after the other", async () => {
    let at_once = 0
    let most = 0
    const files = Array.from({ length: 300 }, (_, i) => ["files", new File([`${i}`], `${i}.txt`)] as const)
    const got = await read(form([...files, ["task", "{}"]]), 1e6, (name, body) => Effect.promise(async () => {
      most = Math.max(most, ++at_once)
      const text = await new Response(body).text()
      at_once--
      return { path: `input/${name}`, bytes: text.length, modified_at: 0 }
    }))
    expect((got as { files: ReadonlyArray<{ path: string }> }).files.map((f) => f.path)).toEqual(files.map(([, file]) => `input/${file.name}`))
    expect(most).toBe(1)
  })

  it("stops at a file that cannot be stored", async () => {
    const full = new WorkspaceError({ detail: "no space is left on the disk" })
    expect(await read(form([["files", new File([new Uint8Array(1_000_000)], "a")], ["files", new File(["x"], "b")], ["task", "{}"]]), 1e7, () => Effect.fail(full))).toBe(full)
  })
})
