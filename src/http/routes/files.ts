// Files of a task's workspace: list, read with ranges, upload into input/. The path is taken from the raw URL and decoded
// once, so `%2F` is a slash like any other; what leads outside is refused by the workspace's jail and audited.
import { statSync } from "node:fs"
import { Effect } from "effect"
import { NotFound } from "../../job/errors.ts"
import type { TaskRecord } from "../../job/record.ts"
import { systemCode } from "../../workspace/errors.ts"
import { openPlain } from "../../workspace/files.ts"
import { PathRefused, WorkspaceError } from "../../workspace/Workspace.ts"
import { FileView, listOf } from "../answers.ts"
import { limitedStream } from "../body.ts"
import { fileResponse } from "../files.ts"
import { BadRequest, type Failure, RangeOutside } from "../problem.ts"
import { type Call, json, type Route, taskId } from "../route.ts"
import type { Services } from "../services.ts"
import { fileView } from "../views.ts"

/** What stands after `/files/` in the raw path, decoded once. */
const filePath = ({ url }: Call): Effect.Effect<string, BadRequest> => Effect.try({
  try: () => decodeURIComponent(/^\/api\/tasks\/[^/]+\/files\/(.*)$/s.exec(url.pathname)?.[1] ?? ""),
  catch: () => new BadRequest({ detail: "the path is not valid percent-encoding" }),
})

const MAX_AUDITED_CHARS = 300

/** The real path in the workspace; a refusal is written to the audit log. */
const resolve = (services: Services, task: TaskRecord, path: string): Effect.Effect<string, Failure> =>
  services.workspace.resolve(task.workspace, path, "read").pipe(Effect.tapError((error) =>
    services.audit("file.refused", task.id, { path: path.slice(0, MAX_AUDITED_CHARS), reason: error.detail })))

const open = (real: string, path: string) => Effect.try({
  try: () => openPlain(real),
  catch: (cause) => {
    if (cause instanceof PathRefused) return cause
    const code = systemCode(cause)
    if (code === "ENOENT" || code === "ENOTDIR") return new NotFound({ what: "file", id: JSON.stringify(path) })
    if (code === "EISDIR") return new PathRefused({ path, detail: `${JSON.stringify(path)} is a folder; ask for a file in it` })
    if (code === "ENXIO" || code === "ELOOP") return new PathRefused({ path, detail: `${JSON.stringify(path)} is not a plain file` })
    return new WorkspaceError({ detail: `${JSON.stringify(path)} cannot be opened: ${code ?? String(cause)}` })
  },
})

const readFile = (services: Services, call: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { task } = yield* services.findTask(yield* taskId(call))
  const path = yield* filePath(call)
  const real = yield* resolve(services, task, path)
  const { fd, stat } = yield* open(real, path)
  const answer = fileResponse(call.request, real.slice(real.lastIndexOf("/") + 1), fd, stat)
  return answer instanceof RangeOutside ? yield* answer : answer
})

const upload = (services: Services, call: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const { task } = yield* services.findTask(yield* taskId(call))
  const path = yield* filePath(call)
  const { settings } = yield* services.settings
  yield* services.workspace.open(task.workspace)
  yield* resolve(services, task, path)
  if (!path.startsWith("input/")) return yield* new BadRequest({ detail: "uploads go to input/: PUT …/files/input/{name}" })
  const name = path.slice(path.lastIndexOf("/") + 1)
  // A folder, a pipe or a link at the name itself is refused here or replaced whole, never written through.
  const before = yield* resolve(services, task, `input/${name}`)
  const existed = statSync(before, { throwIfNoEntry: false })?.isFile() === true
  const { stream, failure } = yield* limitedStream(call.request, settings.http.max_body_bytes)
  const stored = yield* services.workspace.upload(task.workspace, name, stream).pipe(
    Effect.mapError((error) => failure() ?? error))
  yield* services.audit("file.uploaded", task.id, { path: stored.path, bytes: stored.bytes })
  return json(existed ? 200 : 201, fileView(stored), { location: `/api/tasks/${task.id}/files/input/${encodeURIComponent(name)}` })
})

const FILE_PATTERN = "/api/tasks/:id/files/:path{.+}"
const BYTES = { type: "string", format: "binary" }
const RANGE_HEADER = [{ name: "Range", in: "header", description: "One range of bytes, for example `bytes=0-99`.", schema: { type: "string" } }] as const

export const fileRoutes = (services: Services): ReadonlyArray<Route> => [
  {
    method: "GET", path: "/api/tasks/{id}/files", tag: "files", summary: "List the files in input/ and output/",
    answers: { 200: { description: "The files.", type: "application/json", schema: listOf(FileView) } }, problems: [404],
    handle: (call) => Effect.gen(function*() {
      const { task } = yield* services.findTask(yield* taskId(call))
      const input = yield* services.workspace.list(task.workspace, "input")
      const output = yield* services.workspace.list(task.workspace, "output")
      return json(200, { items: [...input, ...output].map(fileView), next_cursor: null })
    }),
  },
  {
    method: "GET", path: "/api/tasks/{id}/files/{path}", pattern: FILE_PATTERN, tag: "files", summary: "Read a file of the workspace",
    description: "`path` is relative to the workspace and may contain slashes, encoded or not.", parameters: RANGE_HEADER,
    answers: {
      200: { description: "The file.", type: "*/*", schema: BYTES }, 206: { description: "The asked range of it.", type: "*/*", schema: BYTES },
      304: { description: "Not changed since `If-None-Match`." },
    },
    problems: [400, 404, 416],
    handle: (call) => readFile(services, call),
  },
  {
    method: "PUT", path: "/api/tasks/{id}/files/input/{path}", pattern: FILE_PATTERN, tag: "files", summary: "Upload a file into input/",
    description: "The body is the file. A path in the name is reduced to its last part.", body: { "*/*": BYTES },
    answers: {
      201: { description: "Stored.", type: "application/json", schema: FileView },
      200: { description: "Stored in place of a file of that name.", type: "application/json", schema: FileView },
    },
    problems: [400, 404, 413],
    handle: (call) => upload(services, call),
  },
]
