// Zero configuration (W9): workers made of the LLM servers that run on their usual local ports, else the embedded model.
// Only what answers in the shape of such a server is taken: never a web server that has the port, never a node of ours.
import { Effect } from "effect"
import type { Settings, WorkerSettings } from "../settings/settings.ts"
import { askJson, type Fields, fieldsOf, listOf, positive } from "./askJson.ts"
import { isChatModel } from "./chooseModel.ts"
import { canChat, kindOf, ollamaModels, ollamaName, openAiModels, type ServerKind } from "./probe.ts"

/** Each question to a port may take so long; a refused connection answers at once. */
const TIMEOUT_MS = 300
const MAX_MODELS_ASKED = 16
const VLLM_CONCURRENCY = 8

export interface Candidate {
  readonly id: string
  readonly port: number
}
export const CANDIDATES: ReadonlyArray<Candidate> = [
  { id: "ollama", port: 11434 },
  { id: "llamacpp", port: 8080 },
  { id: "vllm", port: 8000 },
  { id: "lmstudio", port: 1234 },
]

interface Found {
  readonly model: string
  readonly max_concurrency: number
  readonly size: WorkerSettings["size"]
}

/** The workers of a node: the configured ones, else those found, else the embedded one; `endpoint` "" means that it is made at run time. */
export const chooseWorkers = (settings: Settings, candidates: ReadonlyArray<Candidate> = CANDIDATES): Effect.Effect<ReadonlyArray<WorkerSettings>> => Effect.gen(function*() {
  const { enabled } = settings.embedded
  const known = settings.workers.length > 0 ? settings.workers : yield* discover(candidates.filter(({ port }) => port !== settings.http.port))
  if (enabled === true && !known.some(({ id }) => id === EMBEDDED_WORKER_ID)) return [...known, embeddedWorker]
  return known.length > 0 || enabled === false ? known : [embeddedWorker]
})

/** Asks all ports at once; answers in the order of the candidates. Never fails. */
export const discover = (candidates: ReadonlyArray<Candidate> = CANDIDATES): Effect.Effect<ReadonlyArray<WorkerSettings>> =>
  Effect.promise(async (signal) => {
    const found = await Promise.all(candidates.map((candidate) => lookAt(candidate, signal)))
    return found.filter((worker) => worker !== null)
  })

const base: Omit<WorkerSettings, "id" | "endpoint" | "model"> = {
  api_key: null, roles: ["auto", "fast", "quality"], max_concurrency: 1, proxy: false, vlm: false, enabled: true, claims: true, size: "normal",
  healthcheck_interval_seconds: 30, context_limit_tokens: null,
}
export const EMBEDDED_WORKER_ID = "embedded"
/** One model in one process: a second job would only wait in its queue. */
const embeddedWorker: WorkerSettings = { ...base, id: EMBEDDED_WORKER_ID, endpoint: "", model: null, size: "small" }

type Ask = (path: string, body?: unknown) => ReturnType<typeof askJson>

const lookAt = async ({ id, port }: Candidate, signal: AbortSignal): Promise<WorkerSettings | null> => {
  const root = `http://127.0.0.1:${port}`
  const ask: Ask = (path, body) => askJson(`${root}${path}`, { api_key: null, timeout_ms: TIMEOUT_MS, signal, ...(body === undefined ? {} : { body }) })
  const [tags, list] = await Promise.all([ask("/api/tags"), ask("/v1/models")])
  const local = ollamaModels(tags)
  const listed = openAiModels(list)
  const found = local !== null ? await inOllama(local, ask) : listed === null || !isLlmList(listed) ? null : await inList(kindOf(list, listed), listed, ask)
  return found === null ? null : { ...base, id, endpoint: `${root}/v1`, ...found }
}

/** Stricter than a probe: nobody said that this port is an LLM server. */
const isLlmList = (models: ReadonlyArray<Fields>): boolean =>
  models.length > 0 && models.every((model) => model["object"] === "model" && !String(model["owned_by"] ?? "").startsWith("attacca"))

/** The newest model that can use tools; one that cannot would refuse every job. */
const inOllama = async (models: ReadonlyArray<Fields>, ask: Ask): Promise<Found | null> => {
  const able = models.filter((model) => canChat(ollamaName(model), model)).slice(0, MAX_MODELS_ASKED)
  const capabilities = await Promise.all(able.map(async (model) => {
    const shown = await ask("/api/show", { model: ollamaName(model) })
    const list = shown._tag === "Reply" ? fieldsOf(shown.json)?.["capabilities"] : undefined
    return Array.isArray(list) ? list : null
  }))
  const chosen = able.find((_, i) => capabilities[i]?.includes("tools")) ?? able.find((_, i) => capabilities[i] === null)
  if (chosen === undefined) return null
  return { model: ollamaName(chosen), max_concurrency: 1, size: isSmall(fieldsOf(chosen["details"])?.["parameter_size"]) ? "small" : "normal" }
}

const SMALL_BILLIONS = 2
/** "1.5B", "494.03M" */
const isSmall = (parameters: unknown): boolean => {
  const match = typeof parameters === "string" ? /^([\d.]+)\s*([BM])$/i.exec(parameters) : null
  if (match === null) return false
  return Number(match[1]) * (match[2]?.toUpperCase() === "M" ? 0.001 : 1) <= SMALL_BILLIONS
}

const inList = async (kind: ServerKind, models: ReadonlyArray<Fields>, ask: Ask): Promise<Found | null> => {
  const names = models.map((model) => String(model["id"])).filter(isChatModel)
  const first = names[0]
  if (first === undefined) return null
  if (kind === "vllm") return { model: first, max_concurrency: VLLM_CONCURRENCY, size: "normal" }
  if (kind === "llamacpp") {
    const props = await ask("/props")
    return { model: first, max_concurrency: (props._tag === "Reply" ? positive(fieldsOf(props.json)?.["total_slots"]) : null) ?? 1, size: "normal" }
  }
  return { model: (await loadedInLmStudio(names, ask)) ?? first, max_concurrency: 1, size: "normal" }
}

/** LM Studio lists every model on the disk; one that is loaded answers at once. */
const loadedInLmStudio = async (names: ReadonlyArray<string>, ask: Ask): Promise<string | undefined> => {
  const reply = await ask("/api/v0/models")
  const models = reply._tag === "Reply" ? (listOf(fieldsOf(reply.json)?.["data"]) ?? []) : []
  const chat = models.filter((model) => (model["type"] === "llm" || model["type"] === "vlm") && names.includes(String(model["id"])))
  const chosen = chat.find((model) => model["state"] === "loaded") ?? chat[0]
  return chosen === undefined ? undefined : String(chosen["id"])
}
