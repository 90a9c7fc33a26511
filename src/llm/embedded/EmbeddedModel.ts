// The model that Attacca brings along when nobody else serves one (W9): installs the engine, gets the weights, keeps the
// engine's process alive. The rest of the system sees an endpoint like any other. Starts in the background; whoever needs
// the endpoint waits, and `status` says for what.
import { Context, Effect, FiberHandle, Layer, Option, Ref, Schedule, Semaphore, Stream, SubscriptionRef } from "effect"
import { basename, join } from "node:path"
import { EmbeddedError, WeightsRefused } from "./errors.ts"
import { DEFAULT_HUB } from "./hub.ts"
import { installEngine } from "./install.ts"
import { ENGINE_START_TIMEOUT_MS, HEALTHY_AFTER_MS, MAX_QUICK_DEATHS, RESTART_BACKOFF_MS, RETRY_AFTER_FAILURE_MS } from "./limits.ts"
import { inspectMachine, type Binary, type Machine } from "./machine.ts"
import { EngineFailed, EngineProcess, type ReadyLine } from "./process.ts"
import { megabytes, type Report, type Step } from "./progress.ts"
import { messageOf } from "./values.ts"
import { obtainWeights, type Weights } from "./weights.ts"

export interface EmbeddedOptions {
  readonly data_dir: string
  /** `embedded.model`: a path, `hf:` or http(s) address; null is the default for this machine. */
  readonly model: string | null
  readonly sha256: string | null
  /** Where relative paths in `model` start; the working directory by default. */
  readonly base?: string
  /** Base address of the model hub; `HF_ENDPOINT`, else huggingface.co, by default. */
  readonly hub?: string
  /** Holds `engine/` and `models/`; `ATTACCA_EMBEDDED_DIR`, else `data_dir`, by default. Nodes may share it. */
  readonly directory?: string
  /** Tokens; null is as large as the model and the memory allow. */
  readonly context?: number | null
  /** Null is one core less than there are. */
  readonly threads?: number | null
  /** What this machine is; `inspectMachine` by default. */
  readonly machine?: () => Promise<Machine>
}

export interface EmbeddedEndpoint {
  /** Base URL ending in /v1. Stays the same when the engine is restarted, unless its port was taken meanwhile. */
  readonly url: string
  readonly model: string
  readonly context: number
  /** For `WorkerSettings.size` (W9). */
  readonly size: "small" | "normal"
  /** The last resort, which shows that Attacca works and is good for nothing else. */
  readonly toy: boolean
}

export type EmbeddedStatus =
  | { readonly state: "idle" }
  | { readonly state: "installing"; readonly detail: string }
  | { readonly state: "downloading"; readonly name: string; readonly bytes: number; readonly total: number | null }
  | { readonly state: "starting"; readonly model: string }
  | { readonly state: "ready"; readonly endpoint: EmbeddedEndpoint }
  /** `retry_at`: milliseconds since the epoch; null when only another setting helps. */
  | { readonly state: "failed"; readonly detail: string; readonly retry_at: number | null }

export interface Prepared {
  readonly engineDir: string
  readonly binary: Binary
  readonly weights: Weights
}

export interface EmbeddedModelShape {
  /** Begins in the background and returns at once; again is a no-op. What it needs is fetched, then the engine is kept running. */
  readonly start: Effect.Effect<void>
  /** Installs the engine and gets the weights, in the foreground: for a first start that shows its progress. `start` then goes on from there. */
  readonly prepare: (report: Report) => Effect.Effect<Prepared, EmbeddedError>
  /** Waits until the engine serves; fails when it cannot for now. Call `start` before. */
  readonly endpoint: Effect.Effect<EmbeddedEndpoint, EmbeddedError>
  readonly status: Effect.Effect<EmbeddedStatus>
  /** The status now and each change of it. */
  readonly changes: Stream.Stream<EmbeddedStatus>
}

/** A status in words, for the wait reason of a job and the log. */
export const describeStatus = (status: EmbeddedStatus): string => {
  switch (status.state) {
    case "idle": return "the embedded model is not started"
    case "installing": return `the embedded model is being installed: ${status.detail}`
    case "downloading": return `the embedded model is being downloaded: ${megabytes(status.bytes)}${status.total === null ? "" : ` of ${megabytes(status.total)}`} of ${status.name}`
    case "starting": return `the embedded model ${status.model} is starting`
    case "ready": return `the embedded model ${status.endpoint.model} is ready (${status.endpoint.context} tokens of context)`
    case "failed": return `the embedded model is not available: ${status.detail}`
  }
}

const toError = (reason: "engine" | "weights") => (cause: unknown): EmbeddedError =>
  new EmbeddedError({ reason: cause instanceof WeightsRefused ? "settings" : reason, detail: messageOf(cause) })

const statusOf = (step: Step): EmbeddedStatus | null =>
  step.kind === "installing" ? { state: "installing", detail: step.text } : step.kind === "downloading" ? { state: "downloading", name: step.name, bytes: step.bytes, total: step.total } : null

const STATUS_INTERVAL_MS = 250

const make = Effect.fn("EmbeddedModel.make")(function* (options: EmbeddedOptions) {
  const directory = options.directory ?? process.env["ATTACCA_EMBEDDED_DIR"] ?? options.data_dir
  const hub = options.hub ?? process.env["HF_ENDPOINT"] ?? DEFAULT_HUB
  const status = yield* SubscriptionRef.make<EmbeddedStatus>({ state: "idle" })
  const background = yield* FiberHandle.make<void, never>()
  const preparing = yield* Semaphore.make(1)
  const prepared = yield* Ref.make<Option.Option<Prepared>>(Option.none())
  /** Packages whose binary does not load here. */
  const refused = yield* Ref.make<ReadonlySet<string>>(new Set())
  const port = yield* Ref.make(0)
  const fork = Effect.runForkWith(yield* Effect.context<never>())

  const enter = Effect.fn("EmbeddedModel.enter")(function* (next: EmbeddedStatus) {
    yield* SubscriptionRef.set(status, next)
    yield* next.state === "failed" ? Effect.logWarning(describeStatus(next)) : Effect.logInfo(describeStatus(next))
  })

  /** Mirrors the steps into the status. The bytes of a download change it four times a second at most. */
  const mirrored = (report: Report): Report => {
    let last = 0
    return (step) => {
      report(step)
      const next = statusOf(step)
      if (next === null || (next.state === "downloading" && next.bytes !== next.total && Date.now() - last < STATUS_INTERVAL_MS)) return
      last = Date.now()
      fork(SubscriptionRef.set(status, next))
    }
  }

  const pickBinary = Effect.gen(function* () {
    const machine = yield* Effect.promise(options.machine ?? inspectMachine)
    const known = yield* Ref.get(refused)
    const binary = machine.binaries.find((candidate) => !known.has(candidate.package))
    if (binary === undefined) {
      return yield* new EmbeddedError({ reason: "engine", detail: `${machine.refusal ?? "no prebuilt engine loads on this machine"}; start Ollama or another local server, or configure workers` })
    }
    return { machine: { ...machine, gpu_bytes: binary.gpu === false ? 0 : machine.gpu_bytes }, binary }
  })

  const prepareNow = Effect.fn("EmbeddedModel.prepare")(function* (report: Report) {
    const known = yield* Ref.get(prepared)
    if (Option.isSome(known)) return known.value
    const { machine, binary } = yield* pickBinary
    const say = mirrored(report)
    const engineDir = yield* Effect.tryPromise({ try: (signal) => installEngine(join(directory, "engine"), binary, say, signal), catch: toError("engine") })
    const weights = yield* Effect.tryPromise({
      try: (signal) => obtainWeights({
        directory: join(directory, "models"), model: options.model, sha256: options.sha256, hub, base: options.base ?? process.cwd(), machine, report: say,
      }, signal),
      catch: toError("weights"),
    })
    const value: Prepared = { engineDir, binary, weights }
    yield* Ref.set(prepared, Option.some(value))
    return value
  })
  const prepare = (report: Report) => preparing.withPermits(1)(prepareNow(report))

  /** In the background, steps go to the log. */
  const logged: Report = (step) => {
    if (step.kind !== "downloading") fork(Effect.logInfo(step.text))
  }

  const launch = Effect.fn("EmbeddedModel.launch")(function* (ready: Prepared) {
    yield* enter({ state: "starting", model: basename(ready.weights.path) })
    const engine = yield* Effect.acquireRelease(
      Ref.get(port).pipe(Effect.map((last) => new EngineProcess({
        engineDir: ready.engineDir, modelPath: ready.weights.path, gpu: ready.binary.gpu, context: options.context ?? null, threads: options.threads ?? null, port: last,
      }))),
      (process) => Effect.promise(() => process.end()),
    )
    const line: ReadyLine = yield* Effect.tryPromise({
      try: (signal) => engine.ready(ENGINE_START_TIMEOUT_MS, signal),
      catch: (cause) => (cause instanceof EngineFailed ? cause : new EngineFailed("died", messageOf(cause))),
    })
    yield* Ref.set(port, line.port)
    const endpoint: EmbeddedEndpoint = {
      url: `http://127.0.0.1:${line.port}/v1`, model: line.model, context: line.context, size: ready.weights.size, toy: ready.weights.toy,
    }
    yield* enter({ state: "ready", endpoint })
    const began = Date.now()
    const how = yield* Effect.promise(() => engine.ended)
    yield* Effect.logWarning(`the engine of the embedded model died: ${how}`)
    return Date.now() - began
  }, Effect.scoped)

  /** One life of the engine after another; returns when it died too often in a row, with why. */
  const keepRunning = Effect.fn("EmbeddedModel.keepRunning")(function* () {
    for (let deaths = 0; ;) {
      const ready = yield* prepare(logged)
      const life = yield* launch(ready).pipe(Effect.result)
      if (life._tag === "Success" && life.success >= HEALTHY_AFTER_MS) deaths = 0
      if (life._tag === "Failure" && life.failure.reason === "binary") {
        yield* Effect.logWarning(life.failure.message)
        yield* Ref.update(refused, (known) => new Set([...known, ready.binary.package]))
        yield* Ref.set(prepared, Option.none())
        continue
      }
      if (life._tag === "Failure" && life.failure.reason === "model") return life.failure.message
      if (++deaths > MAX_QUICK_DEATHS) return life._tag === "Failure" ? life.failure.message : "the engine dies again and again"
      yield* SubscriptionRef.set(status, { state: "starting", model: basename(ready.weights.path) })
      yield* Effect.sleep(RESTART_BACKOFF_MS[Math.min(deaths - 1, RESTART_BACKOFF_MS.length - 1)] ?? 0)
    }
  })

  const supervise = keepRunning().pipe(
    Effect.flatMap((detail) => Effect.fail(new EmbeddedError({ reason: "engine", detail }))),
    Effect.catch((error: EmbeddedError) => Effect.gen(function* () {
      const final = error.reason === "settings"
      yield* enter({ state: "failed", detail: error.detail, retry_at: final ? null : Date.now() + RETRY_AFTER_FAILURE_MS })
      yield* final ? Effect.never : Effect.sleep(RETRY_AFTER_FAILURE_MS)
    })),
    Effect.repeat(Schedule.forever),
    Effect.asVoid,
  )

  const endpoint = SubscriptionRef.changes(status).pipe(
    Stream.filter((now) => now.state === "ready" || now.state === "failed"),
    Stream.runHead,
    Effect.flatMap(Option.match({
      onNone: () => Effect.never,
      onSome: (now) => (now.state === "ready" ? Effect.succeed(now.endpoint) : Effect.fail(new EmbeddedError({ reason: "engine", detail: describeStatus(now) }))),
    })),
  )

  return EmbeddedModel.of({
    start: FiberHandle.run(background, supervise, { onlyIfMissing: true }).pipe(Effect.asVoid),
    prepare,
    endpoint,
    status: SubscriptionRef.get(status),
    changes: SubscriptionRef.changes(status),
  })
})

export class EmbeddedModel extends Context.Service<EmbeddedModel, EmbeddedModelShape>()("attacca/llm/embedded/EmbeddedModel") {
  /** Nothing is fetched or started before `start` or `prepare`; the end of the scope ends the engine. */
  static readonly layer = (options: EmbeddedOptions): Layer.Layer<EmbeddedModel> => Layer.effect(EmbeddedModel, make(options))
}
