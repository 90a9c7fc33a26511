// Tasks: submit (JSON, or multipart with files), list, read, delete, and the jobs of a task. Files of a submission are in
// their place before the task is written, so no job can start without them; a directory left by a refused or cut-off
// submission holds nothing that a task knows.
import { Effect } from "effect"
import { STATUSES } from "../../job/state.ts"
import type { FileEntry } from "../../workspace/Workspace.ts"
import { JobView, listOf, TaskView } from "../answers.ts"
import { MAX_KEY_CHARS, NewTaskBody } from "../bodies.ts"
import { checked, invalid, mediaType, parseJson, readJson } from "../body.ts"
import { readUpload } from "../multipart.ts"
import { type Failure, WrongMediaType } from "../problem.ts"
import { json, PAGE_PARAMETERS, readPage, type Route, taskId } from "../route.ts"
import { OWNER, type Services } from "../services.ts"
import { checkBody, choosePiece, newTask } from "../submit.ts"
import { findForSubmit } from "./pieces.ts"

interface Submission {
  readonly body: NewTaskBody
  readonly files: ReadonlyArray<FileEntry>
}

const readSubmission = (services: Services, request: Request, workspace: string, max_bytes: number): Effect.Effect<Submission, Failure> => {
  if (mediaType(request) !== "multipart/form-data") {
    return readJson(NewTaskBody, request, max_bytes).pipe(
      Effect.map((body) => ({ body, files: [] })),
      Effect.catchTag("WrongMediaType", (error) => Effect.fail(new WrongMediaType({ got: error.got, accepted: ["application/json", "multipart/form-data"] }))))
  }
  return Effect.gen(function*() {
    yield* services.workspace.open(workspace)
    const { task, files } = yield* readUpload(request, max_bytes, (name, body) => services.workspace.upload(workspace, name, body))
    return { body: yield* checked(NewTaskBody, yield* parseJson(task)), files }
  })
}

/** The task's name for its directory is chosen here; nothing else may use it before. */
const submit = (services: Services, request: Request): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { settings } = yield* services.settings
  const workspace = crypto.randomUUID()
  const prepared = yield* Effect.gen(function*() {
    const { body, files } = yield* readSubmission(services, request, workspace, settings.http.max_body_bytes)
    const checks = checkBody(body, request.headers.get("idempotency-key"), MAX_KEY_CHARS)
    const choice = choosePiece(body.piece ?? null, services.ports.workers())
    const piece = yield* findForSubmit(services, choice.name)
    const errors = [...checks.errors, ...piece.errors]
    if (errors.length > 0) return yield* invalid(errors)
    const task = newTask(body, checks, { owner: OWNER, workspace, max_attempts: settings.retry.max_attempts, piece: choice, piece_text: piece.text, model: piece.model })
    return { task, files }
  }).pipe(Effect.onError(() => drop(services, workspace)))
  // A failure from here on does not say whether the task was written, so its files stay.
  const { id, created } = yield* services.tasks.submit(prepared.task)
  const found = yield* services.findTask(id)
  if (created) return json(201, yield* services.showTask(found, { input: prepared.files, output: [] }), { location: `/api/tasks/${id}` })
  yield* drop(services, workspace)
  return json(200, yield* services.showTask(found), { location: `/api/tasks/${id}` })
})

const drop = (services: Services, workspace: string) => services.workspace.remove(workspace).pipe(
  Effect.catch((error) => Effect.logWarning(`the directory of a refused submission stays: ${error.message}`)))

const remove = (services: Services, id: number): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { task } = yield* services.findTask(id)
  const jobs = yield* services.jobs.listByTask(id)
  yield* services.tasks.remove(id, OWNER)
  // A run that was cancelled a moment ago may still be ending; it must not write into a directory that is going away.
  yield* Effect.forEach(jobs, (job) => services.ports.control.interrupt(job.id), { discard: true })
  yield* services.workspace.remove(task.workspace)
  return new Response(null, { status: 204 })
})

const SUBMIT_HEADERS = [{ name: "Idempotency-Key", in: "header", description: "The same key gives the same task.", schema: { type: "string", maxLength: MAX_KEY_CHARS } }] as const
const MULTIPART = {
  type: "object", required: ["task"],
  properties: {
    task: { type: "string", contentMediaType: "application/json", description: "The JSON of a NewTask." },
    files: { type: "array", items: { type: "string", format: "binary" }, description: "Land in input/ under their own names." },
  },
}
const STATUS_PARAMETER = { name: "status", description: "Only tasks whose latest job has this status.", schema: { type: "string", enum: STATUSES } }

export const taskRoutes = (services: Services): ReadonlyArray<Route> => [
  {
    method: "POST", path: "/api/tasks", tag: "tasks", summary: "Submit a task",
    parameters: SUBMIT_HEADERS, body: { "application/json": NewTaskBody, "multipart/form-data": MULTIPART },
    answers: {
      201: { description: "The new task.", type: "application/json", schema: TaskView },
      200: { description: "The task that was submitted with this key before.", type: "application/json", schema: TaskView },
    },
    problems: [400, 413, 415, 422],
    handle: ({ request }) => submit(services, request),
  },
  {
    method: "GET", path: "/api/tasks", tag: "tasks", summary: "List tasks, newest first",
    parameters: [...PAGE_PARAMETERS, STATUS_PARAMETER], answers: { 200: { description: "A page of tasks.", type: "application/json", schema: listOf(TaskView) } }, problems: [422],
    handle: ({ url }) => Effect.gen(function*() {
      const page = yield* readPage(url, { status: STATUSES })
      const found = yield* services.tasks.list({ limit: page.limit, cursor: page.cursor, status: page.rest["status"] ?? null })
      return json(200, { items: yield* services.showTasks(found.items), next_cursor: found.next_cursor })
    }),
  },
  {
    method: "GET", path: "/api/tasks/{id}", tag: "tasks", summary: "Read a task",
    answers: { 200: { description: "The task with its latest job.", type: "application/json", schema: TaskView } }, problems: [404],
    handle: (call) => taskId(call).pipe(Effect.flatMap(services.findTask), Effect.flatMap((found) => services.showTask(found)), Effect.map((view) => json(200, view))),
  },
  {
    method: "DELETE", path: "/api/tasks/{id}", tag: "tasks", summary: "Delete a task, its workspace and its journal",
    answers: { 204: { description: "Deleted." } }, problems: [404, 409],
    handle: (call) => Effect.flatMap(taskId(call), (id) => remove(services, id)),
  },
  {
    method: "GET", path: "/api/tasks/{id}/jobs", tag: "tasks", summary: "Every job of a task, sub-jobs included",
    answers: { 200: { description: "The jobs, oldest first.", type: "application/json", schema: listOf(JobView) } }, problems: [404],
    handle: (call) => Effect.gen(function*() {
      const { task } = yield* services.findTask(yield* taskId(call))
      const jobs = yield* services.jobs.listByTask(task.id)
      return json(200, { items: yield* Effect.forEach(jobs, services.showJob), next_cursor: null })
    }),
  },
]

