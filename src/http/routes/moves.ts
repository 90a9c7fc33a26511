// What a person may do to a task's job: cancel, retry, resume. The status is written first, then the run on this node is
// stopped, so that a crash in between cannot lose the cancel (Q13).
import { Effect } from "effect"
import { Conflict } from "../../job/errors.ts"
import { TaskView } from "../answers.ts"
import type { Failure } from "../problem.ts"
import { type Call, json, type Route, taskId } from "../route.ts"
import { OWNER, type Services } from "../services.ts"

const accepted = (services: Services, id: number): Effect.Effect<Response, Failure> =>
  services.findTask(id).pipe(Effect.flatMap((found) => services.showTask(found)), Effect.map((view) => json(202, view)))

const cancel = (services: Services, call: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const id = yield* taskId(call)
  const job = yield* services.jobs.cancel(id, OWNER)
  // The run is told at once; that all of it has ended (a tool's process, the model's request) is not waited for.
  yield* Effect.forkDetach(services.ports.control.cancelled(job), { startImmediately: true })
  return yield* accepted(services, id)
})

const retry = (services: Services, call: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const id = yield* taskId(call)
  yield* services.jobs.retry(id, OWNER)
  return yield* accepted(services, id)
})

const resume = (services: Services, call: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { job } = yield* services.findTask(yield* taskId(call))
  const quarantined = job?.status === "waiting_human" && job.wait_reason === "quarantined"
  return yield* new Conflict({
    detail: quarantined ? "resuming a quarantined job is not supported yet" : `only a quarantined job can be resumed; this task's is ${job?.status ?? "not there yet"}`,
  })
})

const route = (name: string, summary: string, handle: Route["handle"]): Route => ({
  method: "POST", path: `/api/tasks/{id}/${name}`, tag: "tasks", summary,
  answers: { 202: { description: "Accepted; the task as it is now.", type: "application/json", schema: TaskView } }, problems: [404, 409],
  handle,
})

export const moveRoutes = (services: Services): ReadonlyArray<Route> => [
  route("cancel", "Cancel the task's live job", (call) => cancel(services, call)),
  route("retry", "Start a new job after a terminal status", (call) => retry(services, call)),
  route("resume", "Let a quarantined job go on", (call) => resume(services, call)),
]
