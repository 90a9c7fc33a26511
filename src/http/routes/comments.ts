// Comments of a task. A comment is stored and stands in the prompt of the next run (effect `comment`). What would need more
// than that is refused instead of being half done: an answer to a waiting job, a mode of interjection, a continuation's piece.
import { Effect } from "effect"
import { Conflict } from "../../job/errors.ts"
import { CommentView, listOf, PostedCommentView } from "../answers.ts"
import { NewCommentBody } from "../bodies.ts"
import { invalid, readJson } from "../body.ts"
import type { Failure } from "../problem.ts"
import { type Call, json, PAGE_PARAMETERS, readPage, type Route, taskId } from "../route.ts"
import type { Services } from "../services.ts"
import { notYet } from "../submit.ts"
import { commentView } from "../views.ts"

const post = (services: Services, call: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { task, job } = yield* services.findTask(yield* taskId(call))
  const { settings } = yield* services.settings
  const body = yield* readJson(NewCommentBody, call.request, settings.http.max_body_bytes)
  const job_id = body.job_id ?? null
  const named = job_id === null ? null : yield* services.jobs.get(job_id)
  const errors = [
    ...notYet(body, ["piece", "mode"]),
    ...(job_id !== null && named?.task_id !== task.id ? [{ path: "job_id", message: `task ${task.id} has no such job` }] : []),
  ]
  if (errors.length > 0) return yield* invalid(errors)
  if (job?.status === "waiting_human") {
    return yield* new Conflict({ detail: "the job waits for an answer, and answering is not supported yet; cancel it and submit the task again with the answer in it" })
  }
  const comment = yield* services.tasks.comment({ task_id: task.id, job_id, author: "user", kind: "message", body: body.body, mode: null })
  return json(201, { ...commentView(comment), effect: "comment" })
})

export const commentRoutes = (services: Services): ReadonlyArray<Route> => [
  {
    method: "POST", path: "/api/tasks/{id}/comments", tag: "comments", summary: "Post a comment",
    description: "The reply says in `effect` what the comment does; at present it is stored and stands in the prompt of the task's next run.",
    body: { "application/json": NewCommentBody }, answers: { 201: { description: "The comment.", type: "application/json", schema: PostedCommentView } },
    problems: [400, 404, 409, 413, 415, 422],
    handle: (call) => post(services, call),
  },
  {
    method: "GET", path: "/api/tasks/{id}/comments", tag: "comments", summary: "List comments, oldest first",
    parameters: PAGE_PARAMETERS, answers: { 200: { description: "A page of comments.", type: "application/json", schema: listOf(CommentView) } }, problems: [404, 422],
    handle: (call) => Effect.gen(function*() {
      const { task } = yield* services.findTask(yield* taskId(call))
      const page = yield* readPage(call.url)
      const found = yield* services.tasks.comments(task.id, { limit: page.limit, cursor: page.cursor })
      return json(200, { items: found.items.map(commentView), next_cursor: found.next_cursor })
    }),
  },
]
