import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { commandLine } from "../support/commandLine.ts"
import { fakeTask, startFakeApi } from "../support/fakeApi.ts"
import type { FakeApi } from "../support/fakeApi.ts"

let api: FakeApi
let cwd: string
beforeEach(() => {
  api = startFakeApi()
  cwd = mkdtempSync(join(tmpdir(), "attacca-submit-"))
  api.on("POST /api/tasks", () => ({ status: 201, json: fakeTask({ title: "sum" }, { status: "queued" }) }))
})
afterEach(async () => {
  await api.stop()
  rmSync(cwd, { recursive: true, force: true })
})

const run = (argv: ReadonlyArray<string>, stdin = "") => commandLine(["task", ...argv], { base: api.base, cwd, stdin })
const sent = () => {
  const { form, headers } = api.calls.find((call) => call.method === "POST") ?? { form: null, headers: {} as Record<string, string> }
  return { task: JSON.parse(String(form?.get("task"))) as unknown, files: (form?.getAll("files") ?? []) as Array<File>, headers }
}
const succeeds = (): void => {
  api.task = fakeTask({ status: "succeeded", result: "fine" }, { status: "succeeded", finished_at: "2026-01-01T00:00:03.000Z" })
  api.push("done", { status: "succeeded", result: "fine" })
}

describe("submitting", () => {
  it("uploads files under their own names, follows, and ends with the task's exit code", async () => {
    writeFileSync(join(cwd, "notes.txt"), "alpha\n")
    mkdirSync(join(cwd, "sub"))
    writeFileSync(join(cwd, "sub", "naïve ♪.bin"), new Uint8Array([0, 255, 10]))
    succeeds()
    const ran = await run(["do", "it", "--file", "notes.txt", "-f", join(cwd, "sub", "naïve ♪.bin"), "--piece", "digest", "--title", "t", "--role", "fast", "--priority", "high", "--format", "json", "--ask", "high"])
    expect(ran).toMatchObject({ code: 0, stderr: "" })
    expect(sent().task).toEqual({ instruction: "do it", piece: "digest", title: "t", role: "fast", priority: "high", output_format: "json", ask_policy: "high" })
    expect(sent().files.map((file) => file.name)).toEqual(["notes.txt", "naïve ♪.bin"])
    expect(new Uint8Array(await (sent().files[1] as File).arrayBuffer())).toEqual(new Uint8Array([0, 255, 10]))
    expect(sent().headers["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/)
    expect(ran.stdout).toContain("task 1 · sum · piece general")
    expect(ran.stdout).toContain("result:\nfine\n")
  })

  it("--json prints one JSON document and nothing else", async () => {
    succeeds()
    const ran = await run(["x", "--json"])
    expect(JSON.parse(ran.stdout)).toMatchObject({ id: 1, status: "succeeded", result: "fine" })
  })

  it("--detach does not wait", async () => {
    const ran = await run(["x", "--detach"])
    expect(ran.code).toBe(0)
    expect(ran.stdout).toContain("task 1 goes on; watch it with bun run task show 1 --follow")
    expect(JSON.parse((await run(["x", "--detach", "--json"])).stdout)).toMatchObject({ id: 1 })
  })

  it("- reads the instruction from the standard input", async () => {
    succeeds()
    await run(["-"], "from\nstdin\n")
    expect(sent().task).toEqual({ instruction: "from\nstdin\n" })
  })

  it.each([
    [["list", "the", "files"], "list the files"], [["show me the way"], "show me the way"], [["show", "me", "7"], "show me 7"], [["cancel"], "cancel"],
    [["retry", "7x"], "retry 7x"], [["--", "--help"], "--help"], [["Show", "7"], "Show 7"],
  ])("%j is an instruction", async (argv, instruction) => {
    succeeds()
    await run(argv)
    expect(sent().task).toEqual({ instruction })
  })
})

describe("wrong input", () => {
  it.each([
    [["x", "--file", "missing.txt"], "no such file: missing.txt"],
    [["x", "--file", "folder"], "folder is a folder; name the files in it"],
    [["x", "--file", "/dev/null"], "/dev/null is not a plain file"],
    [["x", "-f", "a.txt", "-f", "folder/a.txt"], "two files are named a.txt"],
    [[], "no instruction"], [["  "], "no instruction"], [["-"], "no instruction"],
    [["x", "--priority", "urgent"], '--priority must be one of low, medium, high, not "urgent"'],
    [["x", "--unknown"], "unknown option --unknown"],
  ])("%j ends with 2 and names what is wrong, before anything is sent", async (argv, message) => {
    mkdirSync(join(cwd, "folder"))
    for (const file of ["a.txt", "folder/a.txt"]) writeFileSync(join(cwd, file), "")
    const ran = await run(argv)
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain(`attacca: ${message}`)
    expect(api.calls).toEqual([])
  })

  it("the node's own refusal names each field, and ends with 2", async () => {
    api.on("POST /api/tasks", () => ({ status: 422, json: { title: "The input is not valid", detail: "2 fields are wrong", errors: [{ path: "piece", message: 'no piece "x"; there are general, digest' }, { path: "role", message: "\u001b[1mbad" }] } }))
    const ran = await run(["x"])
    expect(ran).toMatchObject({ code: 2, stdout: "" })
    expect(ran.stderr).toBe('attacca: 2 fields are wrong\n  piece: no piece "x"; there are general, digest\n  role: ␛[1mbad\n')
  })
})

describe("a node that is not there", () => {
  it("ends with 4 and says what to do", async () => {
    await api.stop()
    const ran = await run(["x"])
    expect(ran.code).toBe(4)
    expect(ran.stderr).toContain(`attacca: no node answers at ${api.base} (connection refused)`)
    expect(ran.stderr).toContain("npm start")
  })

  it("ends with 4 when something else answers there", async () => {
    api.on("POST /api/tasks", () => ({ status: 200, text: "<html>" }))
    expect(await run(["x"])).toMatchObject({ code: 4, stderr: expect.stringContaining("is not Attacca") as string })
  })
})
