// The process entry: reads the command line, loads the settings, runs the node until a signal, ends with its exit code.
// SIGTERM or SIGINT drains and exits 0; repeats within a second count as one signal; a later one ends at once (W8).
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Cause, Effect, Exit, Latch } from "effect"
import manifest from "../package.json" with { type: "json" }
import { bringEmbedded, startNode } from "./app.ts"
import { bannerLines, modelLine } from "./cli/banner.ts"
import { distinctSignals } from "./cli/signal.ts"
import { chooseWorkers, EMBEDDED_WORKER_ID } from "./llm/discovery.ts"
import { loggingLayer } from "./metrics/logging.ts"
import { openDataFolder } from "./settings/identity.ts"
import { type LoadedSettings, type LoadOptions, loadSettings } from "./settings/load.ts"

const USAGE_EXIT = 2
const FAILED_EXIT = 1

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const fail = (message: string): void => void process.stderr.write(message.split("\n").map((line) => `attacca: ${line}\n`).join(""))

interface Arguments {
  readonly config: string | undefined
  readonly sample: boolean
}

const readArguments = (): Arguments => {
  try {
    const { values } = parseArgs({ options: { config: { type: "string" }, "no-sample": { type: "boolean" }, version: { type: "boolean" } } })
    if (values.version === true) {
      say(manifest.version)
      process.exit(0)
    }
    return { config: values.config, sample: values["no-sample"] !== true }
  } catch (cause) {
    fail(`${cause instanceof Error ? cause.message : String(cause)}; see npm start -- --help`)
    process.exit(USAGE_EXIT)
  }
}

/** Opens at the first signal; a second one that is not the same signal delivered twice ends the process at once. */
const stopSignal = (): Latch.Latch => {
  const latch = Latch.makeUnsafe(false)
  const distinct = distinctSignals()
  let stopping = false
  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    process.on(signal, () => distinct(() => {
      if (stopping) {
        fail("ended at once; jobs that were running go on from their journal at the next start")
        process.exit(code)
      }
      stopping = true
      latch.openUnsafe()
    }))
  }
  return latch
}

/** Where the command line finds this node; gone when the node ends in order. */
const announce = (data_dir: string, url: string) => Effect.acquireRelease(
  Effect.sync(() => writeFileSync(join(data_dir, "node.json"), `${JSON.stringify({ url, pid: process.pid })}\n`)),
  () => Effect.sync(() => rmSync(join(data_dir, "node.json"), { force: true })),
)

const secretsOf = ({ settings }: LoadedSettings): ReadonlyArray<string> =>
  [settings.database.auth_token, settings.cluster.secret, ...settings.workers.map((worker) => worker.api_key)].filter((secret) => secret !== null)

const node = (args: Arguments, stop: Latch.Latch, loading: LoadOptions, loaded: LoadedSettings, identity: { readonly node_id: string; readonly first: boolean }) => Effect.gen(function*() {
  const { settings } = loaded
  const chosen = yield* chooseWorkers(settings)
  const running = yield* startNode(loaded, loading, { node_id: identity.node_id, version: manifest.version }, chosen)
  yield* announce(settings.data_dir, running.url)
  for (const line of bannerLines({ url: running.url, data_dir: settings.data_dir, version: manifest.version, models: chosen.map(modelLine), config: loaded.file })) say(line)
  if (chosen.some((worker) => worker.id === EMBEDDED_WORKER_ID && worker.endpoint === "")) yield* bringEmbedded(loaded, running.setEndpoint, process.stdout)
  if (args.sample && identity.first && loaded.file === null) {
    const { playSample } = yield* Effect.promise(() => import("./cli/sample.ts"))
    yield* Effect.tryPromise((signal) => playSample(running.url, signal)).pipe(Effect.catch((error) => Effect.logWarning(`the sample task did not end: ${String(error.cause)}`)), Effect.forkScoped)
  }
  yield* stop.await
  const inflight = running.workers().reduce((sum, worker) => sum + worker.inflight, 0)
  if (inflight > 0) say(`stopping: ${inflight} running jobs come to their next turn, ${settings.shutdown_grace_seconds} s at most (again Ctrl-C ends at once; nothing is lost)`)
  yield* running.drain
})

const program = (args: Arguments, stop: Latch.Latch) => Effect.gen(function*() {
  const loading: LoadOptions = { config: args.config, env: process.env, cwd: process.cwd() }
  const loaded = yield* loadSettings(loading)
  const { settings } = loaded
  const identity = yield* openDataFolder(settings.data_dir, settings.node_id)
  const format = settings.log.format === "auto" ? (process.stderr.isTTY ? "text" : "json") : settings.log.format
  yield* node(args, stop, loading, loaded, identity).pipe(
    Effect.scoped,
    Effect.provide(loggingLayer({ level: settings.log.level, format, node_id: identity.node_id, secrets: secretsOf(loaded), write: (line) => void process.stderr.write(`${line}\n`) })),
  )
})

/** One clear line for what a person can mend; the whole cause for a fault of the program. */
const report = (cause: Cause.Cause<{ readonly _tag: string; readonly message: string }>): number => {
  const failed = cause.reasons.find((reason) => reason._tag === "Fail")
  if (failed === undefined) {
    fail(Cause.pretty(cause))
    return FAILED_EXIT
  }
  fail(failed.error.message)
  return failed.error._tag === "SettingsError" ? USAGE_EXIT : FAILED_EXIT
}

const exit = await Effect.runPromiseExit(program(readArguments(), stopSignal()))
process.exit(Exit.isSuccess(exit) ? 0 : report(exit.cause))
