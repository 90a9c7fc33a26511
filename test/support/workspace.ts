// A workspace on disk for one test, and the context in which a tool would run there.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { onTestFinished } from "vitest"
import type { DurableEvent } from "../../src/job/event.ts"
import { checkArguments } from "../../src/tools/arguments.ts"
import { runTool } from "../../src/tools/run.ts"
import { unnarrowed } from "../../src/tools/Toolbox.ts"
import type { Tool, ToolContext, ToolOutcome } from "../../src/tools/Tool.ts"
import { resolveInside } from "../../src/workspace/jail.ts"

/** A folder of its own, removed after the test; the real path. */
export const temporaryFolder = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "attacca-test-")))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface TestWorkspace {
  /** A folder around the workspace, for what must stay outside it. */
  readonly around: string
  readonly root: string
  readonly events: Array<DurableEvent>
  readonly context: ToolContext
  readonly file: (path: string, content?: string | Uint8Array) => string
}

/** `input/`, `output/`, `logs/` with the given files in them. */
export const temporaryWorkspace = (files: Readonly<Record<string, string>> = {}, max_output_chars = 20_000): TestWorkspace => {
  const around = temporaryFolder()
  const root = join(around, "workspace")
  for (const folder of ["input", "output", "logs"]) mkdirSync(join(root, folder), { recursive: true })
  const events: Array<DurableEvent> = []
  const file = (path: string, content: string | Uint8Array = ""): string => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
    return join(root, path)
  }
  for (const [path, content] of Object.entries(files)) file(path, content)
  const context: ToolContext = {
    job_id: "job", task_id: 1, movement: "work", workspace: root, max_output_chars,
    resolve: async (path, access) => resolveInside(root, path, access),
    emit: (event) => events.push(event),
  }
  return { around, root, events, context, file }
}

/** Checks the arguments as the loop would, then runs the tool. */
export const call = async (tool: Tool, args: Readonly<Record<string, unknown>>, { context }: Pick<TestWorkspace, "context">): Promise<ToolOutcome> => {
  const checked = checkArguments(unnarrowed(tool), JSON.stringify(args))
  if (!checked.ok) return { _tag: "Output", output: checked.error, isError: true }
  return (await Effect.runPromise(runTool(tool, checked.args, context))).outcome
}

/** The text of a call that must succeed. */
export const told = async (tool: Tool, args: Readonly<Record<string, unknown>>, workspace: Pick<TestWorkspace, "context">): Promise<string> => {
  const outcome = await call(tool, args, workspace)
  if (outcome._tag !== "Output" || outcome.isError) throw new Error(`${tool.name} failed: ${JSON.stringify(outcome)}`)
  return outcome.output
}

/** The message of a call that must fail. */
export const refused = async (tool: Tool, args: Readonly<Record<string, unknown>>, workspace: Pick<TestWorkspace, "context">): Promise<string> => {
  const outcome = await call(tool, args, workspace)
  if (outcome._tag !== "Output" || !outcome.isError) throw new Error(`${tool.name} did not fail: ${JSON.stringify(outcome)}`)
  return outcome.output
}
