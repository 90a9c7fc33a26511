// The OpenAPI 3.1 document, made from the routes that are registered and the schemas that check their bodies. Called on the
// first request of /openapi.json and by the generator of the docs.
import { Schema } from "effect"
import { ProblemView } from "./answers.ts"
import type { Answer, PlainSchema, QueryParameter, Route } from "./route.ts"

const isSchema = (schema: Schema.Top | PlainSchema): schema is Schema.Top => Schema.isSchema(schema)

type Definitions = Record<string, unknown>

/** References point into the document's components; a definition of the same name is the same schema. */
const moved = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(moved)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) =>
    [key, key === "$ref" && typeof inner === "string" ? inner.replace("#/$defs/", "#/components/schemas/") : moved(inner)]))
}

const jsonSchema = (schema: Schema.Top | PlainSchema, closed: boolean, definitions: Definitions): unknown => {
  if (!isSchema(schema)) return schema
  const document = Schema.toJsonSchemaDocument(schema, { onExcessProperty: closed ? "error" : "ignore" })
  for (const [name, definition] of Object.entries(document.definitions)) definitions[name] = moved(definition)
  return moved(document.schema)
}

const PROBLEMS: Readonly<Record<number, string>> = {
  400: "The request cannot be understood, or the path is not allowed.", 403: "A foreign `Origin`, an unknown `Host`, or a caller from elsewhere.",
  404: "Not found.", 409: "The state does not allow this.", 413: "The body is larger than `http.max_body_bytes`.", 415: "The content type is not supported.",
  416: "The range lies outside the file.", 422: "The input is not valid; `errors` names every wrong place.", 500: "Something went wrong here.", 503: "Not ready; try again.",
}

const answerOf = ({ description, type, schema }: Answer, definitions: Definitions) =>
  ({ description, ...(type === undefined || schema === undefined ? {} : { content: { [type]: { schema: jsonSchema(schema, false, definitions) } } }) })

const problemOf = (status: number) =>
  ({ description: PROBLEMS[status] ?? "A problem.", content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } })

const pathParameters = (path: string) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
  name, in: "path", required: true, schema: name === "id" && path.startsWith("/api/tasks/") ? { type: "integer", minimum: 1 } : { type: "string" },
}))

const parameterOf = ({ name, description, schema, in: place }: QueryParameter) => ({ name, in: place ?? "query", required: false, description, schema })

const operationOf = (route: Route, definitions: Definitions) => {
  const answers = Object.entries(route.answers).map(([status, answer]) => [status, answerOf(answer, definitions)] as const)
  const problems = [...route.problems ?? [], 403, 500].map((status) => [String(status), problemOf(status)] as const)
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/[{}]/g, "").replace(/[^A-Za-z0-9]+/g, "_")}`,
    tags: [route.tag], summary: route.summary, ...(route.description === undefined ? {} : { description: route.description }),
    parameters: [...pathParameters(route.path), ...(route.parameters ?? []).map(parameterOf)],
    ...(route.body === undefined ? {} : {
      requestBody: { required: true, content: Object.fromEntries(Object.entries(route.body).map(([type, schema]) => [type, { schema: jsonSchema(schema, true, definitions) }])) },
    }),
    responses: Object.fromEntries([...answers, ...problems].sort(([a], [b]) => Number(a) - Number(b))),
  }
}

export const openApiDocument = (routes: ReadonlyArray<Route>, version: string) => {
  const definitions: Definitions = {}
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route, definitions)
  jsonSchema(ProblemView, false, definitions)
  return {
    openapi: "3.1.1",
    info: { title: "Attacca", version, description: "Durable agent jobs on your own machines. JSON in snake_case, times in RFC 3339 UTC, errors as application/problem+json.", license: { name: "MIT", identifier: "MIT" } },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths, components: { schemas: Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => a.localeCompare(b))) },
  }
}
