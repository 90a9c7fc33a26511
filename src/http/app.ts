// The HTTP surface as a `fetch` function of its services (decision 12): guard, routes, problems. Knows no server: the node
// hands it to Bun, edge.ts exports it, tests call it. No Bun-only call below this folder.
import { Cause, Effect, Exit } from "effect"
import { Hono } from "hono"
import { pieceJsonSchema } from "../piece/schema.ts"
import type { EventStream } from "./eventStream.ts"
import { makeGuard, makeOnce, type Peer } from "./guard.ts"
import { openApiDocument } from "./openapi.ts"
import type { Ports } from "./ports.ts"
import { defectResponse, type Failure, NoSuchRoute, problemResponse, type Refused, WrongMethod } from "./problem.ts"
import type { Route } from "./route.ts"
import { commentRoutes } from "./routes/comments.ts"
import { eventRoutes } from "./routes/events.ts"
import { fileRoutes } from "./routes/files.ts"
import { jobRoutes } from "./routes/jobs.ts"
import { moveRoutes } from "./routes/moves.ts"
import { pieceRoutes } from "./routes/pieces.ts"
import { documentRoutes, registryRoutes } from "./routes/system.ts"
import { taskRoutes } from "./routes/tasks.ts"
import { gather, type Services } from "./services.ts"

export interface App {
  /** `peer`: who is at the other end of the connection; left out when the caller is in this process. Never rejects. */
  readonly fetch: (request: Request, peer?: Peer) => Promise<Response>
  /** Ends every open event stream; for a server that is about to stop. */
  readonly close: () => void
  /** Event streams that are open now. */
  readonly openStreams: () => number
  readonly routes: ReadonlyArray<Route>
}

/** Refusals written to the audit log in an hour; a page that tries again and again is one entry. */
const MAX_REFUSALS_AUDITED = 64
const REFUSAL_WINDOW_MS = 3_600_000

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ":$1")
const matcher = (route: Route) => new RegExp(`^${(route.pattern ?? honoPath(route.path)).replace(/:\w+\{\.\+\}/g, ".+").replace(/:\w+/g, "[^/]+")}$`)

/** 405 with what is allowed where the path is right and the method wrong, else 404. */
const unrouted = (routes: ReadonlyArray<Route>): ((method: string, path: string) => NoSuchRoute | WrongMethod) => {
  const known = routes.map((route) => ({ route, matches: matcher(route) }))
  return (method, path) => {
    const methods = known.filter(({ matches }) => matches.test(path)).map(({ route }) => route.method)
    const allow = [...new Set(methods.flatMap((m) => (m === "GET" ? ["GET", "HEAD"] : [m])))]
    return allow.length > 0 ? new WrongMethod({ method, allow }) : new NoSuchRoute({ method, path: path.slice(0, 200) })
  }
}

type Run = (effect: Effect.Effect<Response, Failure>, request: Request) => Promise<Response>

/** Runs a route to its answer: an expected failure becomes its problem, a defect is logged and becomes a plain 500. */
const makeRun = Effect.map(Effect.context<never>(), (context): Run => {
  const runExit = Effect.runPromiseExitWith(context)
  return async (effect, request) => {
    const exit = await runExit(effect)
    if (Exit.isSuccess(exit)) return exit.value
    const failed = exit.cause.reasons.find((reason) => reason._tag === "Fail")
    if (failed !== undefined && !Cause.hasDies(exit.cause)) {
      const response = problemResponse(failed.error)
      if (response.status >= 500) await runExit(Effect.logWarning(`${request.method} ${new URL(request.url).pathname}: ${failed.error.message}`))
      return response
    }
    const id = crypto.randomUUID()
    await runExit(Effect.logError(`${request.method} ${new URL(request.url).pathname} failed (request ${id})`, exit.cause))
    return defectResponse(id)
  }
})

const secured = (response: Response): Response => {
  response.headers.set("x-content-type-options", "nosniff")
  response.headers.set("referrer-policy", "no-referrer")
  if (!response.headers.has("content-security-policy")) response.headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
  return response
}

const register = (hono: Hono, routes: ReadonlyArray<Route>, run: Run) => {
  for (const route of routes) {
    hono.on(route.method, route.pattern ?? honoPath(route.path), (context) => {
      const request = context.req.raw
      return run(Effect.suspend(() => route.handle({ request, url: new URL(request.url), param: (name) => context.req.param(name) ?? "" })), request)
    })
  }
}

const allRoutes = (services: Services, streams: Set<EventStream>): ReadonlyArray<Route> => {
  const routes: Array<Route> = [
    ...taskRoutes(services), ...moveRoutes(services), ...commentRoutes(services),
    ...eventRoutes(services, { add: (stream) => streams.add(stream), remove: (stream) => streams.delete(stream) }),
    ...fileRoutes(services), ...jobRoutes(services), ...pieceRoutes(services), ...registryRoutes(services),
  ]
  routes.push(...documentRoutes({ openapi: () => openApiDocument(routes, services.ports.version), piece: pieceJsonSchema }))
  return routes
}

export const makeApp = (ports: Ports) => Effect.gen(function*() {
  const services = yield* gather(ports)
  const { settings } = yield* services.settings
  const run = yield* makeRun
  const guard = makeGuard(settings.http)
  const once = makeOnce(MAX_REFUSALS_AUDITED, REFUSAL_WINDOW_MS, Date.now)
  const streams = new Set<EventStream>()
  const routes = allRoutes(services, streams)
  const hono = new Hono()
  register(hono, routes, run)
  const missing = unrouted(routes)
  hono.notFound((context) => run(Effect.fail(missing(context.req.method, context.req.path)), context.req.raw))
  hono.onError((cause, context) => run(Effect.die(cause), context.req.raw))

  const refuse = (refused: Refused, request: Request) => Effect.gen(function*() {
    const header = { origin: "origin", host: "host", cross_site: "sec-fetch-site", address: null }[refused.reason]
    const value = (header === null ? refused.detail : request.headers.get(header) ?? new URL(request.url).host).slice(0, 200)
    if (once(`${refused.reason}:${value}`)) {
      yield* services.audit(refused.reason === "host" ? "host.refused" : "origin.refused", null, { reason: refused.reason, value, method: request.method, path: new URL(request.url).pathname.slice(0, 200) })
    }
    return yield* refused
  })

  const app: App = {
    fetch: async (request, peer) => {
      const refused = guard.check(request, peer ?? null)
      return secured(refused === null ? await hono.fetch(request) : await run(refuse(refused, request), request))
    },
    close: () => { for (const stream of streams) stream.close() },
    openStreams: () => streams.size,
    routes,
  }
  return app
})
