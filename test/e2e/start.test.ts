// Starts that must fail: one clear line each, an exit code that is not 0, and nothing damaged. And what a good start says.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { endNodes, failToStart, startNode, temporaryDirectory } from "../support/node.ts"
import type { Failed } from "../support/node.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"
import type { ScriptedLlm } from "../support/scriptedLlm.ts"

let llm: ScriptedLlm
beforeAll(() => { llm = startScriptedLlm() })
afterAll(() => llm.close())
afterEach(endNodes)

/** Every line is for a person: no stack, no JSON. */
const oneLine = (failed: Failed, ...parts: ReadonlyArray<string | RegExp>): void => {
  expect(failed.code, failed.stderr).not.toBe(0)
  const lines = failed.stderr.trim().split("\n")
  expect(lines, failed.stderr).toHaveLength(1)
  expect(lines[0]).toMatch(/^attacca: /)
  for (const part of parts) expect(lines[0]).toMatch(part)
}

describe("a broken attacca.yaml", () => {
  it.each<[string, string, ReadonlyArray<string | RegExp>]>([
    ["an unknown key", "data_dir: ./data\nhtpt:\n  port: 0\n", [/attacca\.yaml:2/, /htpt/, /did you mean "http"/]],
    ["an unknown key in a section", "http:\n  prot: 1\n", [/attacca\.yaml:2/, /prot/, /did you mean "port"/]],
    ["a wrong type", "http:\n  host: 127.0.0.1\n  port: many\n", [/attacca\.yaml:3/, /http\.port/]],
    ["a missing environment variable", "workers:\n  - id: a\n    endpoint: http://127.0.0.1:1/v1\n    api_key: ${NO_SUCH_VARIABLE}\n", [/attacca\.yaml:4/, /NO_SUCH_VARIABLE/]],
    ["text that is no YAML", "http: { port: 1\n", [/attacca\.yaml:/]],
    ["a worker that is given twice", "workers:\n  - { id: a, endpoint: \"http://h/v1\" }\n  - { id: a, endpoint: \"http://h/v1\" }\n", [/attacca\.yaml:3/, /"a"/]],
  ])("%s stops the start with file, line and key", async (_what, config_text, parts) => {
    const failed = await failToStart({ config_text })
    oneLine(failed, ...parts)
    expect(failed.stdout).toBe("")
  })

  it("every wrong key has its line", async () => {
    const failed = await failToStart({ config_text: "htpt: 1\nllm:\n  retries: many\n" })
    expect(failed.code).not.toBe(0)
    expect(failed.stderr).toMatch(/attacca\.yaml:1/)
    expect(failed.stderr).toMatch(/attacca\.yaml:3/)
  })

  it("a file that does not exist, an unknown option and a wrong variable are named", async () => {
    const dir = temporaryDirectory()
    oneLine(await failToStart({ dir, args: ["--config", join(dir, "missing.yaml")] }), /missing\.yaml/)
    oneLine(await failToStart({ args: ["--confg", "x"] }), /--confg/)
    oneLine(await failToStart({ env: { ATTACCA_HTTP__PROT: "1" } }), /ATTACCA_HTTP__PROT/, /did you mean "ATTACCA_HTTP__PORT"/)
  })

  it("a secret in the file is not printed", async () => {
    const failed = await failToStart({ config_text: "workers:\n  - { id: a, endpoint: 7, api_key: sk-very-secret }\n" })
    expect(failed.stdout + failed.stderr).not.toContain("sk-very-secret")
  })
})

describe("what another process holds", () => {
  it("a second node on the same database file is refused, and the first goes on", async () => {
    const first = await startNode({ llm: llm.url })
    oneLine(await failToStart({ llm: llm.url, dir: first.dir }), /attacca\.db/, /in use by process \d+/)
    expect((await first.call("GET", "/readyz")).status).toBe(200)
    const { id } = await first.submit({ instruction: "SCENARIO:complete" })
    await first.until(id, ["succeeded"])
    await first.kill()
    const next = await startNode({ llm: llm.url, dir: first.dir })
    expect(await next.task(id)).toMatchObject({ status: "succeeded" })
  })

  it("a port in use is named", async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    oneLine(await failToStart({ llm: llm.url, config: { http: { port } } }), String(port), /in use/i)
    server.close()
  })
})

describe("a data folder that cannot be used", () => {
  /** Root may write anywhere: the check of permissions needs a user who may not. */
  const asNobody = (dir: string): Failed => {
    const ran = spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, join(import.meta.dirname, "..", "..", "src", "main.ts"), "--config", join(dir, "attacca.yaml")], {
      cwd: "/", env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", HOME: "/tmp" }, encoding: "utf8", timeout: 15_000,
    })
    return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr }
  }

  it("a read-only one is named in one line", async (ctx) => {
    const dir = temporaryDirectory()
    const data = join(dir, "data")
    mkdirSync(data)
    writeFileSync(join(dir, "attacca.yaml"), `data_dir: ${data}\nhttp: { port: 0 }\nembedded: { enabled: false }\n`)
    if (process.getuid?.() === 0) {
      if (spawnSync("setpriv", ["--version"]).status !== 0) ctx.skip("running as root without setpriv: no folder is read-only")
      chmodSync(dir, 0o755)
      chownSync(data, 0, 0)
      chmodSync(data, 0o555)
      const probe = spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, "--version"])
      if (probe.status !== 0) ctx.skip("another user cannot run this Bun")
      const failed = asNobody(dir)
      if (/EACCES.*main\.ts|Cannot find module|Module not found/i.test(failed.stderr) && !failed.stderr.includes(data)) ctx.skip("another user cannot read this checkout")
      oneLine(failed, data, /writ|permission/i)
    } else {
      chmodSync(data, 0o555)
      oneLine(await failToStart({ dir, config_text: readFileSync(join(dir, "attacca.yaml"), "utf8") }), data, /writ|permission/i)
      chmodSync(data, 0o755)
    }
  })

  it("a file in its place is named", async () => {
    const dir = temporaryDirectory()
    writeFileSync(join(dir, "data"), "not a folder")
    oneLine(await failToStart({ llm: llm.url, dir }), join(dir, "data"))
    expect(readFileSync(join(dir, "data"), "utf8")).toBe("not a folder")
  })

  it("a file that is no database is left as it is", async () => {
    const dir = temporaryDirectory()
    mkdirSync(join(dir, "data"))
    writeFileSync(join(dir, "data", "attacca.db"), "this is no database, ".repeat(100))
    oneLine(await failToStart({ llm: llm.url, dir }), /attacca\.db|database/)
    expect(readFileSync(join(dir, "data", "attacca.db"), "utf8")).toContain("this is no database")
  })

  it("a database of a newer version is refused and not touched", async () => {
    const first = await startNode({ llm: llm.url })
    const { id } = await first.submit({ instruction: "SCENARIO:complete" })
    await first.until(id, ["succeeded"])
    expect(await first.stop()).toBe(0)
    const { createClient } = await import("@libsql/client")
    const client = createClient({ url: `file:${join(first.dir, "data", "attacca.db")}` })
    const { rows } = await client.execute("select name from sqlite_master where type = 'table' and name like '%migration%'")
    const table = String(rows[0]?.["name"] ?? "")
    expect(table).not.toBe("")
    await client.execute(`insert into "${table}" (hash, created_at) values ('from-the-future', 99999999999999)`)
    client.close()
    oneLine(await failToStart({ llm: llm.url, dir: first.dir }), /newer/)
  })

  it("a full disk is named", async (ctx) => {
    const dir = temporaryDirectory()
    mkdirSync(join(dir, "data"))
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", join(dir, "data")])
    if (mounted.status !== 0) ctx.skip("no small file system can be mounted here")
    try {
      oneLine(await failToStart({ llm: llm.url, dir }), /full|no space/i)
    } finally {
      spawnSync("umount", [join(dir, "data")])
    }
  })
})

describe("a good start", () => {
  it("says the address, the model, the data folder and the line that submits a task", async () => {
    const node = await startNode({ llm: llm.url })
    for (const part of [node.base, "scripted-1", llm.url, join(node.dir, "data"), "npm run task -- "]) expect(node.stdout()).toContain(part)
    expect(existsSync(join(node.dir, "data", "attacca.db"))).toBe(true)
  })

  it("by the start script is ready in under two seconds the second time, and one SIGTERM to the script ends the node with 0", async () => {
    const times: Array<number> = []
    // The tests run beside one another; what a start takes is the best of a few.
    while (times.length < 4 && !times.slice(1).some((ms) => ms < 2_000)) {
      const node = await startNode({ llm: llm.url, script: true })
      times.push(node.ready_ms)
      expect(await node.stop()).toBe(0)
    }
    expect(Math.min(...times.slice(1))).toBeLessThan(2_000)
  })

  it("keeps its name and its tasks over a restart", async () => {
    const node = await startNode({ llm: llm.url })
    const before = (await node.call("GET", "/readyz")).json
    const { id } = await node.submit({ instruction: "SCENARIO:complete" })
    await node.until(id, ["succeeded"])
    await node.stop()
    const next = await startNode({ llm: llm.url, dir: node.dir })
    expect((await next.call("GET", "/readyz")).json).toEqual(before)
    expect(await next.task(id)).toMatchObject({ status: "succeeded" })
    rmSync(join(node.dir, "attacca.yaml"))
  })
})
