// The README against the code and against a real node: a setting, route, metric, event, reason, audit action, command or exit
// code that it does not name fails here, its tables must be fresh, and its examples are run.
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { execFile, spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { blocks, fill, README } from "../scripts/docs.ts"
import type { ApiDocument } from "../scripts/docs.ts"
import { PIECES_COMMANDS, TASK_COMMANDS } from "../src/cli/commands.ts"
import { EXIT, EXIT_LEFT } from "../src/cli/failure.ts"
import { DURABLE_EVENTS, EPHEMERAL_EVENTS } from "../src/job/event.ts"
import { ABORT_REASONS, WAIT_REASONS } from "../src/job/outcome.ts"
import { metricsReference } from "../src/metrics/Metrics.ts"
import { settingsReference } from "../src/settings/schema.ts"
import { AUDIT_ACTIONS } from "../src/store/audit.ts"
import { builtinTools } from "../src/tools/builtin.ts"
import { endNodes, eventually, failToStart, startNode, temporaryDirectory } from "./support/node.ts"
import type { Node } from "./support/node.ts"
import { complete } from "./support/scenarios.ts"
import { startScriptedLlm } from "./support/scriptedLlm.ts"
import type { ScriptedLlm } from "./support/scriptedLlm.ts"
import { ROOT } from "./support/source.ts"

const readme = readFileSync(README, "utf8")
const lacking = (names: ReadonlyArray<string>): ReadonlyArray<string> => names.filter((name) => !readme.includes(`\`${name}\``))
const fenced = (language: string): Array<string> => [...readme.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)]
  .filter((match) => match[2] === language)
  .map((match) => (match[3] ?? "").split("\n").map((line) => line.slice((match[1] ?? "").length)).join("\n"))

let llm: ScriptedLlm
let node: Node
beforeAll(async () => {
  // Plays the piece `general` for any instruction: look, write, check, done.
  const turns = [
    { calls: [["transition", { next: "work", output: "a plan" }]] as const }, { calls: [["Write", { path: "output/summary.md", content: "one\ntwo\nthree\n" }]] as const },
    { calls: [["transition", { next: "check", output: "written" }]] as const }, complete("three lines in output/summary.md"),
  ]
  llm = startScriptedLlm({ scenarios: { default: ({ nth }) => turns[nth % turns.length] ?? "" } })
  node = await startNode({ llm: llm.url, config: { workers: [{ id: "w1", endpoint: llm.url, model: "scripted-1", max_concurrency: 1 }] } })
})
afterAll(async () => {
  await endNodes()
  llm.close()
})

describe("the README names", () => {
  it("every setting", () => expect(lacking(settingsReference().map((row) => row.key))).toEqual([]))
  it("every metric", () => expect(lacking(metricsReference().map((row) => row.name))).toEqual([]))
  it("every event", () => expect(lacking([...DURABLE_EVENTS, ...EPHEMERAL_EVENTS])).toEqual([]))
  it("every reason of an end and of waiting", () => expect(lacking([...ABORT_REASONS, ...WAIT_REASONS])).toEqual([]))
  it("every audit action", () => expect(lacking(AUDIT_ACTIONS)).toEqual([]))
  it("every tool", () => expect(lacking(builtinTools.map((tool) => tool.name))).toEqual([]))
  it("every command", () => expect(lacking([...TASK_COMMANDS, ...PIECES_COMMANDS].map((command) => command.usage))).toEqual([]))
  it("every exit code of the command line", () => expect([...Object.values(EXIT), EXIT_LEFT].filter((code) => !readme.includes(`\n| ${code} |`))).toEqual([]))
  it("every script of package.json that a person starts", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> }
    expect(Object.keys(scripts).filter((name) => !new RegExp(`(npm|bun) (run )?${name}\\b`).test(readme))).toEqual([])
  })

  it("every route of the published document, and every status it may answer", async () => {
    const document = (await node.call("GET", "/openapi.json")).json as { paths: Record<string, Record<string, { responses: Record<string, unknown> }>> }
    expect(lacking(Object.entries(document.paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`)))).toEqual([])
    const statuses = new Set(Object.values(document.paths).flatMap((operations) => Object.values(operations).flatMap((operation) => Object.keys(operation.responses))))
    expect([...statuses].filter((status) => Number(status) >= 400 && !new RegExp(`\\b${status} [a-z]`).test(readme))).toEqual([])
  })

  it("every built-in piece", async () => {
    const { items } = (await node.call("GET", "/api/pieces")).json as { items: Array<{ name: string }> }
    expect(items.length).toBeGreaterThan(2)
    expect(lacking(items.map((piece) => piece.name))).toEqual([])
  })
})

it("the tables are those of the code (else run: bun scripts/docs.ts)", async () => {
  const document = (await node.call("GET", "/openapi.json")).json as ApiDocument
  expect(readme).toBe(fill(readme, blocks(document)))
})

it("links of the README lead somewhere", () => {
  const targets = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? "")
  expect(targets.filter((target) => spawnSync("test", ["-e", join(ROOT, target)]).status !== 0)).toEqual([])
})

describe("the examples", () => {
  it("of configuration are accepted by a node", async () => {
    const configurations = fenced("yaml").filter((text) => /^(workers|embedded):/m.test(text))
    expect(configurations.length).toBeGreaterThan(1)
    for (const text of configurations) {
      const failed = await failToStart({ config_text: `${text}\nhttp: { port: 70000 }\n`, env: { LLM_KEY: "k" } })
      expect(failed.stderr.trim().split("\n")).toEqual([expect.stringContaining("http.port")])
    }
  })

  it("of shell commands work as they stand, one after the other", async (ctx) => {
    if (spawnSync("curl", ["--version"]).status !== 0) ctx.skip("curl is not installed")
    const commands = fenced("sh")
    expect(commands.length).toBeGreaterThan(2)
    const cwd = temporaryDirectory()
    writeFileSync(join(cwd, "notes.txt"), "alpha\nbeta\ngamma\n")
    const piece = fenced("yaml").find((text) => text.startsWith("name: review")) ?? expect.fail("no piece in the README")
    writeFileSync(join(cwd, "review.yaml"), piece)
    const outputs: Array<string> = []
    for (const command of commands) {
      // The model runs in this very process, so nothing here may wait for a command without giving the thread back.
      const script = command.replaceAll("http://127.0.0.1:3000", node.base).replaceAll("curl -sS", "curl --noproxy '*' --fail-with-body --max-time 20 -sS")
      outputs.push((await promisify(execFile)("sh", ["-euc", script], { cwd })).stdout)
    }
    expect(outputs[0]).toContain("event: done")
    expect(outputs[0]?.endsWith("one\ntwo\nthree\n")).toBe(true)
    expect(outputs[1]).toContain('"priority":"high"')
    expect((await node.call("GET", "/api/pieces/review")).status).toBe(200)
    await eventually(async () => ((await node.task(2)).status === "succeeded" ? true : null), () => "the second example did not succeed")
  })

  it("of pieces are valid, without warnings", async () => {
    for (const text of fenced("yaml").filter((one) => one.startsWith("name:"))) {
      expect((await node.call("POST", "/api/pieces/validate", text, { "content-type": "text/yaml" })).json).toEqual({ valid: true, errors: [], warnings: [] })
    }
  })
})
