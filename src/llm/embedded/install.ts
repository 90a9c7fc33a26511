// Puts node-llama-cpp with the one binary that fits this machine into a folder of its own, by the running Bun. The
// versions stand in `engine.lock` (made by `bun install --lockfile-only` for the same package.json); a binary that the
// lock does not know is installed by its exact version. Never a dependency of the project: all its binaries are 725 MB.
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { INSTALLATION } from "../../settings/root.ts"
import { ENGINE_VERSION, INSTALL_TIMEOUT_MS } from "./limits.ts"
import { withLock } from "./lock.ts"
import type { Binary } from "./machine.ts"
import type { Report } from "./progress.ts"
import { run } from "./run.ts"

const JINJA_VERSION = "0.5.11"
const LOCK_FILE = join(INSTALLATION, "src/llm/embedded/engine.lock")
/** Written last: a folder without it was not finished. */
const MARK = "installed.json"

/** Downloaded size in MB, for the person who waits. */
const SIZES_MB: Readonly<Record<string, number>> = { "linux-x64-cuda": 150, "linux-x64-vulkan": 30 }
const DEFAULT_SIZE_MB = 20

const packageJson = (binary: Binary): string =>
  JSON.stringify({
    name: "attacca-engine", private: true,
    dependencies: { "@huggingface/jinja": JINJA_VERSION, [`@node-llama-cpp/${binary.package}`]: ENGINE_VERSION, "node-llama-cpp": ENGINE_VERSION },
  })

/** The lock for this binary; null when it is not in the list. */
const lockFor = async (binary: Binary): Promise<string | null> => {
  const lock = await readFile(LOCK_FILE, "utf8")
  const name = `"@node-llama-cpp/${binary.package}"`
  if (!lock.includes(`${name}: [`)) return null
  return lock.replace("\"node-llama-cpp\": \"", `${name}: "${ENGINE_VERSION}",\n        "node-llama-cpp": "`)
}

/** Answers the folder to load the engine from; at once when it was installed before. Rejects with a plain Error that says what to do. */
export const installEngine = async (directory: string, binary: Binary, report: Report, signal: AbortSignal): Promise<string> => {
  const home = join(directory, `${ENGINE_VERSION}-${binary.package}`)
  if (existsSync(join(home, MARK))) return home
  await mkdir(directory, { recursive: true })
  return withLock(`${home}.lock`, signal, async () => {
    if (existsSync(join(home, MARK))) return home
    report({ kind: "installing", text: `installing the engine node-llama-cpp ${ENGINE_VERSION} for ${binary.package} (about ${SIZES_MB[binary.package] ?? DEFAULT_SIZE_MB} MB, MIT)` })
    const work = await mkdtemp(join(dirname(home), ".install-"))
    try {
      await writeFile(join(work, "package.json"), packageJson(binary))
      const lock = await lockFor(binary)
      if (lock !== null) await writeFile(join(work, "bun.lock"), lock)
      const args = ["install", "--omit=optional", "--ignore-scripts", "--no-progress", "--linker=hoisted", ...(lock === null ? ["--no-save"] : ["--frozen-lockfile"])]
      const ran = await run(process.execPath, args, { cwd: work, env: { BUN_BE_BUN: "1" }, timeout_ms: INSTALL_TIMEOUT_MS }, signal)
      if (ran.code !== 0 || !existsSync(join(work, "node_modules", "@node-llama-cpp", binary.package))) {
        throw new Error(`the embedded engine could not be installed (is the npm registry reachable?): ${ran.output.trim().split("\n").slice(-3).join(" ")}`)
      }
      await writeFile(join(work, MARK), JSON.stringify({ version: ENGINE_VERSION, binary: binary.package }))
      await rm(home, { recursive: true, force: true })
      await rename(work, home)
      return home
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  })
}
