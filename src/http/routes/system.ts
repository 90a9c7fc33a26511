// What an operator asks: workers, nodes, settings (secrets masked), liveness, readiness, metrics, and the published schemas.
import { Effect } from "effect"
import { InvalidInput } from "../../job/errors.ts"
import type { SettingsError } from "../../settings/load.ts"
import { maskedSettings } from "../../settings/masked.ts"
import { HealthView, listOf, NodeView, ReadyView, ReloadView, WorkerView } from "../answers.ts"
import { type Failure, NotReady } from "../problem.ts"
import { json, type Route } from "../route.ts"
import type { Services } from "../services.ts"
import { nodeView, workerView } from "../views.ts"

const broken = (error: SettingsError): InvalidInput => new InvalidInput({
  detail: `the configuration is not valid and nothing was changed: ${error.message}`,
  errors: error.problems.map(({ key, variable, line, column, message }) => ({
    path: variable ?? key, message, ...(line === null ? {} : { line }), ...(column === null ? {} : { column }),
  })),
})

const ready = (services: Services): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { node, stale_ms } = services.ports
  const nodes = yield* services.registry.nodes(stale_ms).pipe(
    Effect.mapError((error) => new NotReady({ detail: `the database cannot be reached: ${error.message}` })))
  if (node !== null && !(node.registered() && nodes.some(({ id }) => id === node.id))) return yield* new NotReady({ detail: `node ${node.id} is not registered yet` })
  return json(200, { status: "ready", node_id: node?.id ?? null })
})

const ANY_OBJECT = { type: "object", additionalProperties: true }

export const registryRoutes = (services: Services): ReadonlyArray<Route> => [
  {
    method: "GET", path: "/api/workers", tag: "system", summary: "Workers of all nodes",
    answers: { 200: { description: "The workers.", type: "application/json", schema: listOf(WorkerView) } },
    handle: () => Effect.map(services.registry.workers(services.ports.stale_ms), (workers) => json(200, { items: workers.map(workerView), next_cursor: null })),
  },
  {
    method: "GET", path: "/api/nodes", tag: "system", summary: "Nodes of this database",
    answers: { 200: { description: "The nodes.", type: "application/json", schema: listOf(NodeView) } },
    handle: () => Effect.gen(function*() {
      const [nodes, workers] = [yield* services.registry.nodes(services.ports.stale_ms), yield* services.registry.workers(services.ports.stale_ms)]
      return json(200, { items: nodes.map((node) => nodeView(node, workers)), next_cursor: null })
    }),
  },
  {
    method: "GET", path: "/api/config", tag: "system", summary: "The settings in force, secrets masked",
    answers: { 200: { description: "Every key with its value.", type: "application/json", schema: ANY_OBJECT } },
    handle: () => Effect.map(services.settings, (loaded) => json(200, maskedSettings(loaded))),
  },
  {
    method: "POST", path: "/api/config/reload", tag: "system", summary: "Read the configuration again",
    answers: { 200: { description: "Worker ids that changed, and keys that need a restart.", type: "application/json", schema: ReloadView } }, problems: [422],
    handle: () => Effect.gen(function*() {
      const { changed, added, removed, restart } = yield* services.ports.reload.pipe(Effect.mapError(broken))
      const answer = { changed, added, removed, restart }
      yield* services.audit("config.reloaded", null, answer)
      return json(200, answer)
    }),
  },
  {
    method: "GET", path: "/healthz", tag: "system", summary: "The process answers",
    answers: { 200: { description: "Alive.", type: "application/json", schema: HealthView } },
    handle: () => Effect.succeed(json(200, { status: "ok", version: services.ports.version })),
  },
  {
    method: "GET", path: "/readyz", tag: "system", summary: "The database is there and the node is registered",
    answers: { 200: { description: "Ready.", type: "application/json", schema: ReadyView } }, problems: [503],
    handle: () => ready(services),
  },
  {
    method: "GET", path: "/metrics", tag: "system", summary: "Metrics for Prometheus",
    answers: { 200: { description: "Prometheus text.", type: "text/plain", schema: { type: "string" } } },
    handle: () => Effect.map(Effect.promise(services.ports.metrics), ({ type, text }) => new Response(text, { headers: { "content-type": type, "cache-control": "no-store" } })),
  },
]

/** `documents` make themselves on the first request: they are large, and a start need not wait for them. */
export const documentRoutes = (documents: { readonly openapi: () => unknown; readonly piece: () => unknown }): ReadonlyArray<Route> => {
  const once = (make: () => unknown): (() => string) => {
    let text: string | null = null
    return () => (text ??= JSON.stringify(make()))
  }
  const [openapi, piece] = [once(documents.openapi), once(documents.piece)]
  const answer = (text: () => string, type: string) => Effect.sync(() => new Response(text(), { headers: { "content-type": type, "cache-control": "no-cache" } }))
  return [
    {
      method: "GET", path: "/openapi.json", tag: "system", summary: "This document",
      answers: { 200: { description: "OpenAPI 3.1.", type: "application/json", schema: ANY_OBJECT } },
      handle: () => answer(openapi, "application/json"),
    },
    {
      method: "GET", path: "/schemas/piece.json", tag: "pieces", summary: "JSON Schema of a piece",
      answers: { 200: { description: "JSON Schema, draft 2020-12.", type: "application/schema+json", schema: ANY_OBJECT } },
      handle: () => answer(piece, "application/schema+json"),
    },
  ]
}
