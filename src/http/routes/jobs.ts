// Jobs by their id: the job itself, its journal and its audit log. The journal and the log come whole, in order; a journal is
// bounded by its job's budget.
import { Effect } from "effect"
import { AuditView, JobView, listOf, TurnView } from "../answers.ts"
import { json, type Route } from "../route.ts"
import type { Services } from "../services.ts"
import { auditView, turnView } from "../views.ts"

export const jobRoutes = (services: Services): ReadonlyArray<Route> => [
  {
    method: "GET", path: "/api/jobs/{id}", tag: "jobs", summary: "Read a job",
    answers: { 200: { description: "The job.", type: "application/json", schema: JobView } }, problems: [404],
    handle: (call) => services.findJob(call.param("id")).pipe(Effect.flatMap(services.showJob), Effect.map((view) => json(200, view))),
  },
  {
    method: "GET", path: "/api/jobs/{id}/turns", tag: "jobs", summary: "The journal of a job, in order",
    answers: { 200: { description: "All entries.", type: "application/json", schema: listOf(TurnView) } }, problems: [404],
    handle: (call) => Effect.gen(function*() {
      const job = yield* services.findJob(call.param("id"))
      const entries = yield* services.journal.read(job.id)
      return json(200, { items: entries.map(turnView), next_cursor: null })
    }),
  },
  {
    method: "GET", path: "/api/jobs/{id}/audit", tag: "jobs", summary: "The audit log of a job, in order",
    answers: { 200: { description: "All entries.", type: "application/json", schema: listOf(AuditView) } }, problems: [404],
    handle: (call) => Effect.gen(function*() {
      const job = yield* services.findJob(call.param("id"))
      const entries = yield* services.tasks.auditOfJob(job.id)
      return json(200, { items: entries.map(auditView), next_cursor: null })
    }),
  },
]
