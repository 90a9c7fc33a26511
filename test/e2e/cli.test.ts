// The command line against a real node, and under a terminal: what a person sees and which exit code a script gets.
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { spawn, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { endNodes, eventually, probePiece, runCli, startNode } from "../support/node.ts"
import type { Node } from "../support/node.ts"
import { complete } from "../support/scenarios.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"
import type { ScriptedLlm } from "../support/scriptedLlm.ts"
import { ROOT } from "../support/source.ts"

let llm: ScriptedLlm
let node: Node
beforeAll(async () => {
  llm = startScriptedLlm({ scenarios: { typed: ({ step }) => (step === 0 ? { content: "I will look.", delay_ms: 20, calls: [["Ls", { path: "input" }]] } : complete("looked")) } })
  node = await startNode({ llm: llm.url, config: { retry: { max_attempts: 2, backoff_seconds: [0.2] }, llm: { retries: 0 } } })
  await node.putPiece("probe", probePiece())
})
afterAll(async () => {
  await endNodes()
  llm.close()
})

const cli = (...argv: ReadonlyArray<string>) => runCli(node, argv)
const play = (scenario: string, ...flags: ReadonlyArray<string>) => cli("task", `SCENARIO:${scenario}`, "--piece", "probe", ...flags)
const taskNumber = (text: string): number => Number(/task (\d+)/.exec(text)?.[1])

describe("exit codes", () => {
  it.each([["complete", 0, "succeeded"], ["abort", 1, "failed (abort)"], ["ask", 3, "question: Which colour?"]])("%s ends with %d", async (scenario, code, text) => {
    const ran = await play(scenario).done
    expect(ran).toMatchObject({ code, stderr: "" })
    expect(ran.stdout).toContain(text)
  })

  it("a missing file is 2 and names it, an unknown piece is 2 and names those that exist, no node is 4", async () => {
    expect(await play("complete", "--file", "missing.txt").done).toMatchObject({ code: 2, stderr: expect.stringContaining("no such file: missing.txt") as string })
    expect(await cli("task", "x", "--piece", "nope").done).toMatchObject({ code: 2, stderr: expect.stringContaining("general") as string })
    expect(await cli("task", "list", "--url", "http://127.0.0.1:1").done).toMatchObject({ code: 4 })
  })
})

describe("following", () => {
  it("shows text as it is written, calls with arguments and durations, and the context", async () => {
    writeFileSync(join(node.dir, "a file.txt"), "x")
    const { stdout } = await play("typed", "--file", "a file.txt").done
    for (const part of ["running on w1", "movement work", "  I will look.\n", 'tool Ls(path: "input")', /tool Ls ok, \d+ ms/, /context [\d,]+ of [\d,]+ tokens/, "result:\nlooked\n"]) expect(stdout).toEqual(typeof part === "string" ? expect.stringContaining(part) : expect.stringMatching(part))
  })

  it("shows a failed attempt with its reason and the next try", async () => {
    const { stdout, code } = await play("error500").done
    expect(code).toBe(1)
    expect(stdout).toMatch(/Attempt 1 of 2 failed[^\n]*scripted failure\n[^\n]*next attempt starts/)
    expect(stdout).toMatch(/^retry/m)
    expect(stdout).toMatch(/running on w1[^\n]*attempt 2/)
    expect(stdout).toContain("failed (llm_error)")
  })

  it("goes on over a restart of the node", async () => {
    llm.define("restart", ({ step, nth }) => (step === 0 ? { calls: [["Ls", {}]] } : nth < 2 ? { fault: "hang" } : complete("after the restart")))
    const own = await startNode({ llm: llm.url, config: { http: { port: 0 }, shutdown_grace_seconds: 0.1 } })
    await own.putPiece("probe", probePiece())
    const line = runCli(own, ["task", "SCENARIO:restart RUN:restart", "--piece", "probe"])
    await llm.until((requests) => requests.filter((request) => request.run === "restart").length === 2)
    expect(await own.stop()).toBe(0)
    await eventually(() => (line.stdout().includes("connection to the node lost") ? true : null), line.stdout)
    await startNode({ llm: llm.url, dir: own.dir, config: { http: { port: Number(new URL(own.base).port) } } })
    const ran = await line.done
    expect(ran).toMatchObject({ code: 0 })
    expect(ran.stdout).toContain("after the restart")
    expect(ran.stdout.match(/tool Ls\(/g)).toHaveLength(1)
  })

  it("an interrupt leaves the task running, and cancel by its number ends it", async () => {
    const line = play("slow")
    await eventually(() => (line.stdout().includes("word") ? true : null), line.stdout)
    line.child.kill("SIGINT")
    const ran = await line.done
    expect(ran.code).toBe(130)
    const id = taskNumber(ran.stdout)
    expect(await node.task(id)).toMatchObject({ status: "running" })
    expect(await cli("task", "cancel", String(id)).done).toMatchObject({ code: 0, stdout: `task ${id} is cancelled\n` })
    expect(await cli("task", "cancel", String(id)).done).toMatchObject({ code: 1, stderr: expect.stringContaining("cancelled") as string })
  })
})

describe("other commands", () => {
  it("list, show, retry, pieces", async () => {
    const made = await play("abort").done
    const id = String(taskNumber(made.stdout))
    expect((await cli("task", "list", "5").done).stdout).toContain(`${id}  failed`)
    expect((await cli("task", "show", id).done).stdout).toContain("instruction: SCENARIO:abort")
    expect(await cli("task", "retry", id).done).toMatchObject({ code: 1, stdout: expect.stringContaining("movement work") as string })
    expect((await cli("pieces", "list").done).stdout).toContain("general")
    writeFileSync(join(node.dir, "bad.yaml"), "name: x\ninitial_movement: a\nmovements:\n  - name: a\n    instrction: typo\n    rules:\n      - next: COMPLETE\n")
    const lint = await cli("pieces", "lint", "bad.yaml").done
    expect(lint.code).toBe(1)
    expect(lint.stdout).toMatch(/bad\.yaml:5:\d+: .*instrction.*did you mean "instruction"/)
    writeFileSync(join(node.dir, "good.yaml"), probePiece("good"))
    expect(await cli("pieces", "lint", "good.yaml").done).toMatchObject({ code: 0 })
  })

  it("as scripts of package.json, from another folder, by npm and by Bun", async () => {
    const env = { ...process.env, ATTACCA_URL: node.base, NO_COLOR: "1" }
    for (const [program, ...argv] of [["npm", "run", "--silent", "--prefix", ROOT, "task", "--", "list", "1"], [process.execPath, "run", "--silent", "--cwd", ROOT, "task", "list", "1"]]) {
      const ran = spawnSync(program ?? "", argv, { cwd: node.dir, env: { ...env, PATH: `${join(process.execPath, "..")}:${process.env["PATH"]}` }, encoding: "utf8" })
      expect(ran.stdout + ran.stderr).toMatch(/^\s*\d+ {2}\w+/)
      expect(ran.status).toBe(0)
    }
  })
})

describe("at a terminal", () => {
  /** A terminal by util-linux's `script`; the keys are typed into its standard input. */
  const terminal = (argv: ReadonlyArray<string>) => {
    const quoted = ["exec", process.execPath, join(ROOT, "src", "cli.ts"), ...argv].map((word) => (word === "exec" ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ")
    const child = spawn("script", ["-qefc", quoted, "/dev/null"], { env: { PATH: process.env["PATH"] ?? "", ATTACCA_URL: node.base, TERM: "xterm" }, stdio: ["pipe", "pipe", "pipe"] })
    let text = ""
    child.stdout.on("data", (chunk: Buffer) => { text += chunk.toString() })
    return { type: (keys: string) => child.stdin.write(keys), text: () => text, done: new Promise<number | null>((resolve) => child.on("close", resolve)) }
  }

  it("Ctrl-C asks, and c cancels", async (ctx) => {
    if (spawnSync("script", ["--version"]).status !== 0) ctx.skip("util-linux script is not installed")
    const screen = terminal(["task", "SCENARIO:slow", "--piece", "probe"])
    await eventually(() => (screen.text().includes("word") ? true : null), screen.text)
    screen.type("\u0003")
    await eventually(() => (screen.text().includes("[c] cancel it") ? true : null), screen.text)
    screen.type("c")
    expect(await screen.done).toBe(1)
    expect(screen.text()).toMatch(/task \d+ cancelled/)
  })

  it("a second Ctrl-C leaves the task running", async (ctx) => {
    if (spawnSync("script", ["--version"]).status !== 0) ctx.skip("util-linux script is not installed")
    const screen = terminal(["task", "SCENARIO:slow", "--piece", "probe"])
    await eventually(() => (screen.text().includes("word") ? true : null), screen.text)
    screen.type("\u0003")
    await eventually(() => (screen.text().includes("[Enter]") ? true : null), screen.text)
    screen.type("\u0003")
    expect(await screen.done).toBe(130)
    const id = taskNumber(screen.text())
    expect(await node.task(id)).toMatchObject({ status: "running" })
    await cli("task", "cancel", String(id)).done
  })
})
