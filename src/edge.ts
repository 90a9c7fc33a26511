// The HTTP surface without a node: `export default { fetch }` for Bun, Deno and what runs either. It opens the database that
// the settings name on the first request, takes tasks and shows them; the nodes on the same database run them. A start that
// fails is answered with 503 and tried again with the next request.
import { Effect, Exit, Layer, Scope } from "effect"
import process from "node:process"
import { baseLayer } from "./app.ts"
import { type App, makeApp } from "./http/app.ts"
import type { Peer } from "./http/guard.ts"
import { NotReady, problemResponse } from "./http/problem.ts"
import { CurrentSettings } from "./settings/CurrentSettings.ts"
import { loadSettings, type LoadOptions } from "./settings/load.ts"
import manifest from "../package.json" with { type: "json" }

/** Nodes publish themselves every few seconds; one that was not seen for so long is shown as unhealthy. */
const STALE_MS = 15_000
const NO_METRICS = { type: "text/plain; version=0.0.4; charset=utf-8", text: "# This surface runs no jobs; each node has metrics of its own.\n" }

interface Running {
  readonly app: App
  readonly scope: Scope.Closeable
}

const start = (options: LoadOptions, scope: Scope.Closeable): Effect.Effect<App, { readonly message: string }> => Effect.gen(function*() {
  const loaded = yield* loadSettings(options)
  const context = yield* Layer.build(Layer.mergeAll(baseLayer(loaded.settings, Effect.succeed(null)), CurrentSettings.layer(loaded, options)))
  return yield* Effect.gen(function*() {
    const current = yield* CurrentSettings
    return yield* makeApp({
      control: { interrupt: () => Effect.void, cancelled: () => Effect.void }, reload: current.reload, workers: () => [], metrics: () => Promise.resolve(NO_METRICS),
      node: null, stale_ms: STALE_MS, version: manifest.version,
    })
  }).pipe(Effect.provideContext(context))
}).pipe(Scope.provide(scope))

export interface Edge {
  readonly fetch: (request: Request, peer?: Peer) => Promise<Response>
  /** Ends the streams and closes the database; the next request would open it again. */
  readonly close: () => Promise<void>
}

export const makeEdge = (options: LoadOptions): Edge => {
  let running: Promise<Running> | null = null
  const open = async (): Promise<Running> => {
    const scope = Scope.makeUnsafe()
    const exit = await Effect.runPromiseExit(start(options, scope))
    if (Exit.isSuccess(exit)) return { app: exit.value, scope }
    running = null
    await Effect.runPromise(Effect.logError("the HTTP surface could not be started", exit.cause).pipe(Effect.andThen(Scope.close(scope, exit))))
    const [reason] = exit.cause.reasons
    throw new NotReady({ detail: reason?._tag === "Fail" ? reason.error.message : "the surface could not be started" })
  }
  return {
    fetch: async (request, peer) => {
      try {
        const { app } = await (running ??= open())
        return await app.fetch(request, peer)
      } catch (cause) {
        if (cause instanceof NotReady) return problemResponse(cause)
        throw cause
      }
    },
    close: async () => {
      const last = await running?.catch(() => null)
      running = null
      if (!last) return
      last.app.close()
      await Effect.runPromise(Scope.close(last.scope, Exit.void))
    },
  }
}

const edge = makeEdge({ env: process.env, cwd: process.cwd() })

// A platform passes things of its own as further arguments; who is at the other end is its business.
export default { fetch: (request: Request): Promise<Response> => edge.fetch(request) }
