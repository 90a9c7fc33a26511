// Pieces: list, read, write one's own copy, delete it, validate. Texts are kept exactly as they came. Also looks up the piece
// of a submission, so that an unknown or broken one is named beside the other wrong fields.
import { Effect } from "effect"
import { Conflict, type InputIssue, NotFound, type StoreError } from "../../job/errors.ts"
import { LintView, listOf, PieceView, PieceWithText } from "../answers.ts"
import { mediaType, readText } from "../body.ts"
import { type Failure, WrongMediaType } from "../problem.ts"
import { type Call, json, type Route } from "../route.ts"
import { OWNER, type Services } from "../services.ts"

const YAML_TYPES = ["text/yaml", "application/yaml", "application/x-yaml", "text/x-yaml"]

export interface SubmittedPiece {
  readonly text: string
  readonly model: string | null
  readonly errors: ReadonlyArray<InputIssue>
}

/** The piece to play, or what is wrong with it as errors of the field `piece`. */
export const findForSubmit = (services: Services, name: string): Effect.Effect<SubmittedPiece, StoreError> =>
  services.pieces.require(OWNER, name).pipe(
    Effect.map(({ text, piece }): SubmittedPiece => ({ text, model: piece.model, errors: [] })),
    Effect.catchTag("InvalidInput", (error) => Effect.succeed({
      text: "", model: null,
      errors: error.errors.map((e) => (e.path === "piece" ? e : { path: "piece", message: `"${name}" is not valid: ${e.line === undefined ? "" : `line ${e.line}: `}${e.path}: ${e.message}` })),
    })))

/** JSON is YAML, so both are kept as they came and complaints name line and column of either. */
const readPieceText = (services: Services, request: Request): Effect.Effect<string, Failure> => Effect.gen(function*() {
  const type = mediaType(request)
  if (!YAML_TYPES.includes(type) && type !== "application/json") return yield* new WrongMediaType({ got: type, accepted: ["text/yaml", "application/json"] })
  const { settings } = yield* services.settings
  return yield* readText(request, settings.http.max_body_bytes)
})

const noPiece = (name: string) => new NotFound({ what: "piece", id: JSON.stringify(name.slice(0, 100)) })

const read = (services: Services, { request, param }: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const found = yield* services.pieces.read(OWNER, param("name"))
  if (found === null) return yield* noPiece(param("name"))
  const { name, text, origin } = found
  const accepted = (request.headers.get("accept") ?? "").split(/[,;]/, 1)[0]?.trim() ?? ""
  if (YAML_TYPES.includes(accepted)) return new Response(text, { headers: { "content-type": "text/yaml; charset=utf-8", "cache-control": "no-store" } })
  const shown = yield* services.pieces.find(OWNER, name).pipe(
    Effect.map((valid) => ({ description: valid?.piece.description ?? "", model: valid?.piece.model ?? null, valid: true, errors: 0 })),
    Effect.catchTag("InvalidInput", (error) => Effect.succeed({ description: "", model: null, valid: false, errors: error.errors.length })))
  return json(200, { name, origin, ...shown, yaml: text })
})

const put = (services: Services, { request, param }: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const name = param("name")
  const text = yield* readPieceText(services, request)
  const made = yield* services.pieces.put(OWNER, name, text)
  const { warnings } = yield* services.pieces.validate(text, name)
  yield* services.audit("piece.put", null, { name, bytes: text.length })
  return json(made ? 201 : 200, { name, warnings }, { location: `/api/pieces/${encodeURIComponent(name)}` })
})

const remove = (services: Services, { param }: Call): Effect.Effect<Response, Failure> => Effect.gen(function*() {
  const name = param("name")
  if (!(yield* services.pieces.remove(OWNER, name))) {
    const found = yield* services.pieces.read(OWNER, name)
    return yield* found === null ? noPiece(name) : new Conflict({ detail: `the piece "${name}" is ${found.origin === "site" ? "the site's" : "built in"}; only copies of your own can be deleted` })
  }
  yield* services.audit("piece.deleted", null, { name })
  return new Response(null, { status: 204 })
})

const TEXT = { type: "string", description: "The piece, see /schemas/piece.json." }
const BODY = { "text/yaml": TEXT, "application/json": { $ref: "/schemas/piece.json" } }
const PUT_ANSWER = { type: "object", properties: { name: { type: "string" }, warnings: { type: "array", items: { $ref: "#/components/schemas/Issue" } } } }

export const pieceRoutes = (services: Services): ReadonlyArray<Route> => [
  {
    method: "GET", path: "/api/pieces", tag: "pieces", summary: "List the pieces that a task may name",
    answers: { 200: { description: "The pieces by name.", type: "application/json", schema: listOf(PieceView) } },
    handle: () => Effect.map(services.pieces.list(OWNER), (items) => json(200, { items, next_cursor: null })),
  },
  {
    method: "GET", path: "/api/pieces/{name}", tag: "pieces", summary: "Read a piece",
    description: "With `Accept: text/yaml` the text itself.",
    answers: { 200: { description: "The piece with its text.", type: "application/json", schema: PieceWithText } }, problems: [404],
    handle: (call) => read(services, call),
  },
  {
    method: "PUT", path: "/api/pieces/{name}", tag: "pieces", summary: "Write your own copy of a piece", body: BODY,
    answers: {
      201: { description: "New.", type: "application/json", schema: PUT_ANSWER },
      200: { description: "In place of the copy that was there.", type: "application/json", schema: PUT_ANSWER },
    },
    problems: [400, 413, 415, 422],
    handle: (call) => put(services, call),
  },
  {
    method: "DELETE", path: "/api/pieces/{name}", tag: "pieces", summary: "Delete your own copy of a piece",
    answers: { 204: { description: "Deleted." } }, problems: [404, 409],
    handle: (call) => remove(services, call),
  },
  {
    method: "POST", path: "/api/pieces/validate", tag: "pieces", summary: "Check a piece without keeping it", body: BODY,
    answers: { 200: { description: "What is wrong with it, with line and column.", type: "application/json", schema: LintView } }, problems: [400, 413, 415],
    handle: ({ request }) => Effect.gen(function*() {
      const { valid, errors, warnings } = yield* services.pieces.validate(yield* readPieceText(services, request), null)
      return json(200, { valid, errors, warnings })
    }),
  },
]
