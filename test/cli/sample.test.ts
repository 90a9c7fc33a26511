// The sample is played as a newcomer sees it: a real node in an empty folder, without a configuration file.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { startScriptedLlm } from "../support/scriptedLlm.ts"
import { ROOT } from "../support/source.ts"

const ends: Array<() => Promise<unknown> | unknown> = []
afterEach(async () => { for (const end of ends.splice(0).reverse()) await end() })

const go = (next: string, output: string) => ({ calls: [["transition", { next, output }]] as const })

/** Plays the piece `general` as a capable model would, in the shortest way. */
const model = () => {
  const llm = startScriptedLlm({
    scenarios: {
      default: ({ step, tools }) => {
        if (!tools.includes("Write")) return step === 0 ? { calls: [["Read", { path: "input/notes.txt" }]] } : go("work", "write three lines")
        if (!tools.includes("CreateChecklist")) return go("COMPLETE", "the summary is written")
        return step === 0 ? { calls: [["Write", { path: "output/summary.md", content: "Tuesdays at six.\nAnna orders seeds.\nMarket on 12 April.\n" }]] } : go("check", "written")
      },
    },
  })
  ends.push(() => llm.close())
  return llm
}

/** Starts in `dir` and resolves with the output once `until` stands in it. */
const start = async (dir: string, llm: string, until: string, args: ReadonlyArray<string> = []) => {
  const child = spawn(process.execPath, [join(ROOT, "src/main.ts"), ...args], {
    cwd: dir, stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: dir, NO_COLOR: "1", ATTACCA_HTTP__PORT: "0", ATTACCA_WORKERS: JSON.stringify([{ id: "w1", endpoint: llm, model: "scripted-1" }]) },
  })
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve))
  let output = ""
  await new Promise<void>((resolve, reject) => {
    const onData = (data: Buffer) => {
      output += data.toString()
      if (output.includes(until)) resolve()
    }
    child.stdout.on("data", onData)
    child.stderr.on("data", onData)
    void exited.then((code) => reject(new Error(`the node ended with ${code}: ${output}`)))
  })
  child.kill("SIGTERM")
  return { output, code: await exited }
}

const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "attacca-sample-"))
  ends.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

describe("the very first start without a configuration file", () => {
  it("plays a task with live progress, shows its result and the file it wrote, and goes on serving", async () => {
    const { output, code } = await start(folder(), model().url, "The node goes on serving")
    for (const part of ["First start", "notes.txt", "movement work", "tool Read", "the summary is written", "output/summary.md:", "Anna orders seeds."]) expect(output).toContain(part)
    expect(code).toBe(0)
  })

  it("plays no sample at the second start, nor with --no-sample", async () => {
    const dir = folder()
    const first = await start(dir, model().url, "is healthy", ["--no-sample"])
    expect(first.output).not.toContain("First start")
    const second = await start(dir, model().url, "is healthy")
    expect(second.output).not.toContain("First start")
  })
})
