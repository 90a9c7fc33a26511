// The health of one endpoint and the models that it offers (W2), asked by each worker at start and at its interval.
// Ollama's list first, then the OpenAI one. The shapes are checked, so that a web server on the port is no LLM server.
import { Effect } from "effect"
import { askJson, type Fields, fieldsOf, hostRoot, listOf, type Reply } from "./askJson.ts"
import { isChatModel } from "./chooseModel.ts"
import { complaintOf, safeDetail } from "./failure.ts"

export type ServerKind = "ollama" | "llamacpp" | "vllm" | "openai"

export interface Probe {
  readonly healthy: boolean
  /** Those that can chat first; empty: not known. */
  readonly models: ReadonlyArray<string>
  readonly last_error: string | null
  readonly server: ServerKind
}

export interface ProbeQuestion {
  /** Base URL ending in /v1. */
  readonly url: string
  readonly api_key: string | null
  /** The worker's configured model; a worker without one may have no list at all. */
  readonly model: string | null
  readonly timeout_ms?: number
}

const TIMEOUT_MS = 5_000

/** Never fails. Interruption aborts the request. */
export const probeEndpoint = (question: ProbeQuestion): Effect.Effect<Probe> => Effect.promise((signal) => probe(question, signal))

export const probe = async (question: ProbeQuestion, signal?: AbortSignal): Promise<Probe> => {
  const options = { api_key: question.api_key, timeout_ms: question.timeout_ms ?? TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }
  const tags = await askJson(`${hostRoot(question.url)}/api/tags`, options)
  if (tags._tag === "NoAnswer") return unhealthy(question, tags.detail)
  const local = ollamaModels(tags)
  if (local !== null) return { healthy: true, models: chatFirst(local.map(ollamaName), local), last_error: null, server: "ollama" }
  const list = await askJson(`${question.url.replace(/\/+$/, "")}/models`, options)
  if (list._tag === "NoAnswer") return unhealthy(question, list.detail)
  const models = openAiModels(list)
  if (models !== null) return { healthy: true, models: chatFirst(models.map((model) => String(model["id"])), models), last_error: null, server: kindOf(list, models) }
  if (list.status === 401 || list.status === 403) return unhealthy(question, `the endpoint refuses the key (${list.status}): ${complaintOf(list.json).message}`)
  if (list.status >= 500) return unhealthy(question, `${list.status}: ${complaintOf(list.json).message}`)
  if (question.model !== null) return unhealthy(question, `there is no list of models at ${question.url}/models (status ${list.status}); is this the base URL of an OpenAI-compatible API? It usually ends in /v1`)
  return { healthy: true, models: [], last_error: null, server: kindOf(list, []) }
}

const unhealthy = (question: ProbeQuestion, detail: string): Probe => ({ healthy: false, models: [], last_error: safeDetail(detail, question.api_key), server: "openai" })

/** The models of an Ollama list, null when it is none. llama.cpp answers the same route with `data` beside it. */
export const ollamaModels = (reply: Reply): ReadonlyArray<Fields> | null => {
  if (reply._tag === "NoAnswer" || reply.status !== 200) return null
  const body = fieldsOf(reply.json)
  const models = listOf(body?.["models"])
  if (models === null || body?.["data"] !== undefined) return null
  return models.every((model) => ollamaName(model) !== "") ? models : null
}

export const ollamaName = (model: Fields): string => {
  const name = model["name"] ?? model["model"]
  return typeof name === "string" ? name : ""
}

/** The models of an OpenAI list, null when it is none. */
export const openAiModels = (reply: Reply): ReadonlyArray<Fields> | null => {
  if (reply._tag === "NoAnswer" || reply.status !== 200) return null
  const models = listOf(fieldsOf(reply.json)?.["data"])
  return models !== null && models.every((model) => typeof model["id"] === "string" && model["id"] !== "") ? models : null
}

/** The embedded engine speaks llama.cpp's dialect. */
export const kindOf = (reply: Reply, models: ReadonlyArray<Fields>): ServerKind => {
  const owners = models.map((model) => model["owned_by"])
  if (owners.includes("llamacpp") || owners.includes("attacca") || (reply._tag === "Reply" && /llama\.cpp/i.test(reply.server))) return "llamacpp"
  return owners.includes("vllm") ? "vllm" : "openai"
}

const EMBEDDING_FAMILIES = /bert|embed|clip/i

/** Told by the name and by what the list says of the model. */
export const canChat = (name: string, model: Fields | undefined): boolean => {
  const family = fieldsOf(model?.["details"])?.["family"]
  return isChatModel(name) && !(typeof family === "string" && EMBEDDING_FAMILIES.test(family)) && model?.["type"] !== "embeddings"
}

const chatFirst = (names: ReadonlyArray<string>, models: ReadonlyArray<Fields>): ReadonlyArray<string> => {
  const able = names.map((name, i) => canChat(name, models[i]))
  return [...names.filter((_, i) => able[i]), ...names.filter((_, i) => !able[i])]
}
