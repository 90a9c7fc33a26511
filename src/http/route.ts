// The form of a route: one value that app.ts registers and openapi.ts documents, so that the two cannot part. Routes are
// grouped in routes/ as functions of the services.
import { Effect, type Schema } from "effect"
import { type InputIssue, type InvalidInput, NotFound } from "../job/errors.ts"
import { invalid } from "./body.ts"
import type { Failure } from "./problem.ts"

export interface Call {
  readonly request: Request
  readonly url: URL
  /** Decoded path parameter; an empty text when the route has none of that name. */
  readonly param: (name: string) => string
}

/** A JSON Schema as plain data, for what no Effect Schema describes (query values, files). */
export type PlainSchema = Readonly<Record<string, unknown>>

export interface QueryParameter {
  readonly name: string
  readonly description: string
  readonly schema: PlainSchema
  readonly in?: "query" | "header"
}

export interface Answer {
  readonly description: string
  /** Media type and what stands in it; absent for an empty answer. */
  readonly type?: string
  readonly schema?: Schema.Top | PlainSchema
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** In the form of OpenAPI: `/api/tasks/{id}`. */
  readonly path: string
  /** The path in Hono's form where it is not that of `path`. */
  readonly pattern?: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: ReadonlyArray<QueryParameter>
  /** By media type. */
  readonly body?: Readonly<Record<string, Schema.Top | PlainSchema>>
  readonly answers: Readonly<Record<number, Answer>>
  /** Statuses of the problems that this route may answer besides 403 and 500. */
  readonly problems?: ReadonlyArray<number>
  readonly handle: (call: Call) => Effect.Effect<Response, Failure>
}

const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" }

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { ...JSON_HEADERS, ...headers } })

/** A task's id from the path; whatever is not a positive integer is the id of no task. */
export const taskId = (call: Call): Effect.Effect<number, NotFound> => {
  const text = call.param("id")
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(id) ? Effect.succeed(id) : Effect.fail(new NotFound({ what: "task", id: text.slice(0, 100) }))
}

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 200

const CURSOR = /^[1-9]\d{0,14}$/

export const PAGE_PARAMETERS: ReadonlyArray<QueryParameter> = [
  { name: "limit", description: "How many items at most.", schema: { type: "integer", minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT } },
  { name: "cursor", description: "`next_cursor` of the page before.", schema: { type: "string" } },
]

export interface PageQuery {
  readonly limit: number
  readonly cursor: string | null
  /** The other parameters by name; a value only where it was given. */
  readonly rest: Readonly<Record<string, string>>
}

/** Reads `limit`, `cursor` and the named other parameters; an unknown or repeated one is refused by name. */
export const readPage = (url: URL, others: Readonly<Record<string, ReadonlyArray<string>>> = {}): Effect.Effect<PageQuery, InvalidInput> => Effect.suspend(() => {
  const errors: Array<InputIssue> = []
  const rest: Record<string, string> = {}
  const known = ["limit", "cursor", ...Object.keys(others)]
  let limit = DEFAULT_LIMIT
  let cursor: string | null = null
  for (const [name, value] of url.searchParams) {
    const allowed = others[name]
    if (!known.includes(name)) errors.push({ path: name, message: `unknown parameter; known are ${known.join(", ")}` })
    else if (url.searchParams.getAll(name).length > 1) errors.push({ path: name, message: "given more than once" })
    else if (name === "cursor") {
      cursor = value
      if (!CURSOR.test(value)) errors.push({ path: "cursor", message: "expected the `next_cursor` of a page of this list" })
    }
    else if (name === "limit") {
      limit = /^\d{1,6}$/.test(value) ? Number(value) : 0
      if (limit < 1 || limit > MAX_LIMIT) errors.push({ path: "limit", message: `expected a whole number from 1 to ${MAX_LIMIT}` })
    } else if (allowed?.includes(value) === true) rest[name] = value
    else errors.push({ path: name, message: `expected one of ${allowed?.join(", ") ?? ""}` })
  }
  return errors.length > 0 ? Effect.fail(invalid(errors)) : Effect.succeed({ limit, cursor, rest })
})
