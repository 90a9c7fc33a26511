// The map of the system: the only file that wires layers. Reads from the store up to the HTTP surface, as a job travels.
// `main.ts` runs it for a node; `edge.ts` takes the HTTP surface alone.
import { dirname, join } from "node:path"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import type { RunLimits } from "./agent/run.ts"
import { makeApp } from "./http/app.ts"
import { EMBEDDED_WORKER_ID } from "./llm/discovery.ts"
import type { Terminal } from "./llm/embedded/progress.ts"
import { LlmClient } from "./llm/LlmClient.ts"
import { Metrics } from "./metrics/Metrics.ts"
import { builtinNames, PieceSource } from "./piece/PieceSource.ts"
import { Claimer } from "./queue/Claimer.ts"
import { Heartbeat } from "./queue/Heartbeat.ts"
import { preparePlay } from "./queue/prepare.ts"
import { Presence } from "./queue/Presence.ts"
import { Rescuer } from "./queue/Rescuer.ts"
import { Runner } from "./queue/Runner.ts"
import { Workers } from "./queue/Workers.ts"
import { CurrentSettings } from "./settings/CurrentSettings.ts"
import type { LoadedSettings, LoadOptions } from "./settings/load.ts"
import type { Settings, WorkerSettings } from "./settings/settings.ts"
import { storeLayer } from "./store/layer.ts"
import { JobStore } from "./store/JobStore.ts"
import { builtinTools } from "./tools/builtin.ts"
import { metricLabel } from "./tools/Toolbox.ts"
import { Workspace } from "./workspace/Workspace.ts"

export interface NodeOptions {
  readonly settings: Settings
  readonly node_id: string
  /** Address under which other nodes and the page reach this one. */
  readonly url: string
  readonly version: string
  /** Configured, found or embedded. */
  readonly workers: ReadonlyArray<WorkerSettings>
}

const MINUTE_MS = 60_000
const PRESENCE_INTERVAL_MS = 5_000
/** Leases of nodes that vanished are looked for this often. */
const RESCUE_INTERVAL_MS = 2_000

export const runLimits = (settings: Settings): RunLimits => ({
  ...settings.safety,
  llm_timeout_ms: settings.llm.timeout_minutes * MINUTE_MS,
  llm_idle_timeout_ms: settings.llm.idle_timeout_seconds * 1000,
  max_asks: settings.ask.max_per_job,
})

/** What every surface needs: the database, the files, the pieces. */
export const baseLayer = (settings: Settings, offeredModels: Effect.Effect<ReadonlyArray<string> | null>) => {
  const store = storeLayer({
    url: settings.database.url, auth_token: settings.database.auth_token, lock: settings.database.url.startsWith("file:"),
    ageing_ms: settings.queue.ageing_seconds * 1000, max_give_backs: settings.llm.max_give_backs,
  })
  const pieces = PieceSource.layer({ custom_dir: settings.pieces.custom_dir, tools: builtinTools, models: offeredModels }).pipe(Layer.provide(store))
  return Layer.mergeAll(store, pieces, Workspace.layer({ root: join(settings.data_dir, "workspaces") }))
}

/** Models of the enabled workers; null while one of them has not said what it offers. */
const modelsOf = (workers: ReadonlyArray<{ readonly enabled: boolean; readonly models: ReadonlyArray<string> }>): ReadonlyArray<string> | null => {
  const enabled = workers.filter((worker) => worker.enabled)
  return enabled.length === 0 || enabled.some((worker) => worker.models.length === 0) ? null : enabled.flatMap((worker) => worker.models)
}

/** Everything of a node but its HTTP server, which `main.ts` opens once this stands. */
export const nodeLayer = (options: NodeOptions) => {
  const { settings } = options
  let workersNow: (typeof Workers)["Service"] | null = null
  const base = baseLayer(settings, Effect.sync(() => modelsOf(workersNow?.records() ?? [])))
  // Pieces that come with the installation have a label of their own.
  const metrics = Layer.unwrap(Effect.map(builtinNames, (names) => Metrics.layer({ pieces: new Set(names), toolLabel: metricLabel })))
  const llm = LlmClient.layer({ connect_timeout_ms: settings.llm.connect_timeout_seconds * 1000, retries: settings.llm.retries })
  const workers = Workers.layer(options.workers).pipe(Layer.tap((context) => Effect.sync(() => { workersNow = Context.get(context, Workers) })))
  const runner = Layer.unwrap(Effect.map(
    preparePlay({ limits: runLimits(settings), time_zone: settings.time_zone, tools: builtinTools }),
    (play) => Runner.layer({ play, backoff_seconds: settings.retry.backoff_seconds }),
  ))
  const lease_ttl_ms = settings.lease.ttl_seconds * 1000
  const services = Layer.mergeAll(
    Heartbeat.layer({ lease_ttl_ms, heartbeat_ms: settings.lease.heartbeat_seconds * 1000, max_silence_ms: 2 * settings.llm.timeout_minutes * MINUTE_MS }),
    Rescuer.layer({ node_id: options.node_id, interval_ms: RESCUE_INTERVAL_MS }),
    Presence.layer({ node_id: options.node_id, url: options.url, version: options.version, interval_ms: PRESENCE_INTERVAL_MS }),
  )
  // The claimer stands above the rest, so that it is the first to stop and own dead leases are freed before the first claim.
  return Claimer.layer({ node_id: options.node_id, lease_ttl_ms, poll_ms: settings.queue.poll_seconds * 1000 }).pipe(
    Layer.provideMerge(services), Layer.provideMerge(runner), Layer.provideMerge(workers), Layer.provideMerge(llm), Layer.provideMerge(metrics), Layer.provideMerge(base),
  )
}

/** A node that could not start; `message` is the one line that says why and what to do. */
export class StartError extends Schema.TaggedError<StartError>()("StartError", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

interface Listening {
  readonly url: string
  readonly serve: (handler: (request: Request, address: string) => Promise<Response>) => void
}

/** Takes the port before anything else is touched; requests are answered 503 until the handler is there. */
const listen = (settings: Settings) => Effect.acquireRelease(
  Effect.try({
    try: (): Listening & { readonly stop: () => Promise<void> } => {
      let handler: ((request: Request, address: string) => Promise<Response>) | null = null
      const server = Bun.serve({
        hostname: settings.http.host, port: settings.http.port,
        // A stream may be silent for long; the SSE ping keeps it open. The body limit of the routes counts what streams in.
        idleTimeout: 0, maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        fetch: (request, own) => handler?.(request, own.requestIP(request)?.address ?? "") ?? new Response("starting\n", { status: 503, headers: { "retry-after": "1" } }),
      })
      const host = settings.http.host === "0.0.0.0" || settings.http.host === "::" ? "127.0.0.1" : settings.http.host.includes(":") ? `[${settings.http.host}]` : settings.http.host
      return { url: `http://${host}:${server.port}`, serve: (next) => { handler = next }, stop: () => server.stop(true) }
    },
    catch: (cause) => new StartError({ detail: `cannot listen on ${settings.http.host}:${settings.http.port}: ${listenProblem(cause)}` }),
  }),
  (server) => Effect.promise(() => server.stop()),
)

const listenProblem = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : null
  if (code === "EADDRINUSE") return "the port is in use. Stop the other program, or choose another port with http.port (or ATTACCA_HTTP__PORT)"
  if (code === "EACCES") return "the system does not allow this port. Choose one above 1023 with http.port"
  return cause instanceof Error ? cause.message : String(cause)
}

/** A running node, until its scope closes. `chosen` are the workers that the settings or the discovery gave. */
export const startNode = (current: LoadedSettings, loading: LoadOptions, identity: { readonly node_id: string; readonly version: string }, chosen: ReadonlyArray<WorkerSettings>) => Effect.gen(function*() {
  const { settings } = current
  const server = yield* listen(settings)
  const url = settings.http.advertise_url ?? server.url
  const context = yield* Layer.build(Layer.mergeAll(
    nodeLayer({ settings, ...identity, url, workers: chosen }),
    CurrentSettings.layer(current, loading),
  ))
  return yield* Effect.gen(function*() {
    const [workers, runner, presence, metrics, jobs, reloading] = [yield* Workers, yield* Runner, yield* Presence, yield* Metrics, yield* JobStore, yield* CurrentSettings]
    const app = yield* makeApp({
      control: { interrupt: (job_id) => runner.interrupt(job_id, "cancelled"), cancelled: runner.cancelled },
      reload: reloading.reload,
      workers: workers.settings, metrics: () => Effect.runPromise(Effect.option(jobs.counts()).pipe(Effect.flatMap((counts) => Effect.promise(() => metrics.text(Option.getOrNull(counts)))))),
      node: { id: identity.node_id, registered: presence.registered }, stale_ms: presence.stale_ms, version: identity.version,
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => app.close()))
    server.serve((request, address) => app.fetch(request, { address }))
    return {
      url: server.url, node_id: identity.node_id, workers: workers.records, setEndpoint: workers.setEndpoint,
      drain: runner.drain(settings.shutdown_grace_seconds * 1000),
    }
  }).pipe(Effect.provideContext(context))
})

/**
 * Brings the embedded model along in the background and gives its worker the address; until then the worker says what it
 * waits for. `terminal` shows downloads to the person who started the node.
 */
export const bringEmbedded = ({ settings, file }: LoadedSettings, setEndpoint: (typeof Workers)["Service"]["setEndpoint"], terminal: Terminal) => Effect.gen(function*() {
  const { EmbeddedModel, describeStatus } = yield* Effect.promise(() => import("./llm/embedded/EmbeddedModel.ts"))
  const { terminalReport } = yield* Effect.promise(() => import("./llm/embedded/progress.ts"))
  const context = yield* Layer.build(EmbeddedModel.layer({
    data_dir: settings.data_dir, model: settings.embedded.model, sha256: settings.embedded.sha256, ...(file === null ? {} : { base: dirname(file) }),
  }))
  const embedded = Context.get(context, EmbeddedModel)
  yield* embedded.changes.pipe(
    Stream.runForEach((status) => Effect.sync(() => setEndpoint(EMBEDDED_WORKER_ID, status.state === "ready" ? status.endpoint : { waiting: describeStatus(status) }))),
    Effect.forkScoped,
  )
  // What fails here is tried again by `start`, which says so in the worker's state.
  yield* embedded.prepare(terminalReport(terminal)).pipe(Effect.ignore, Effect.andThen(embedded.start), Effect.forkScoped)
})
