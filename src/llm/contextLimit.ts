// The context size of a model in tokens (W3): the configuration's, else what the server says about itself in its own
// dialect, else a common size. Asked once per worker after its first good probe.
import { Effect } from "effect"
import { askJson, fieldsOf, hostRoot, listOf, positive } from "./askJson.ts"
import type { ServerKind } from "./probe.ts"

export const DEFAULT_CONTEXT_TOKENS = 128_000
const TIMEOUT_MS = 3_000

export interface ContextQuestion {
  /** Base URL ending in /v1. */
  readonly url: string
  readonly api_key: string | null
  readonly model: string | null
  readonly server: ServerKind
  /** `context_limit_tokens` of the worker. */
  readonly configured: number | null
}

/** Tokens. Never fails: what a server does not say is the default. */
export const findContextLimit = (question: ContextQuestion): Effect.Effect<number> => {
  if (question.configured !== null) return Effect.succeed(question.configured)
  return Effect.promise(async (signal) => {
    const ask = asker(question, signal)
    const root = hostRoot(question.url)
    switch (question.server) {
      case "ollama":
        return (await fromOllama(ask, root, question.model)) ?? DEFAULT_CONTEXT_TOKENS
      case "llamacpp":
        return (await fromProps(ask, root)) ?? (await fromList(ask, question)) ?? DEFAULT_CONTEXT_TOKENS
      case "vllm":
        return (await fromList(ask, question)) ?? DEFAULT_CONTEXT_TOKENS
      case "openai":
        return (await fromList(ask, question)) ?? (await fromLmStudio(ask, root, question.model)) ?? DEFAULT_CONTEXT_TOKENS
    }
  })
}

type Ask = (url: string, body?: unknown) => Promise<unknown>

const asker = (question: ContextQuestion, signal: AbortSignal): Ask => async (url, body) => {
  const reply = await askJson(url, { api_key: question.api_key, timeout_ms: TIMEOUT_MS, signal, ...(body === undefined ? {} : { body }) })
  return reply._tag === "Reply" && reply.status === 200 ? reply.json : undefined
}

/** What a loaded model really runs with, else its own `num_ctx`, else what it was trained for. */
const fromOllama = async (ask: Ask, root: string, model: string | null): Promise<number | null> => {
  if (model === null) return null
  const [loaded, shown] = await Promise.all([ask(`${root}/api/ps`), ask(`${root}/api/show`, { model })])
  const running = listOf(fieldsOf(loaded)?.["models"])?.find((entry) => entry["name"] === model || entry["model"] === model || entry["name"] === `${model}:latest`)
  const real = positive(running?.["context_length"])
  if (real !== null) return real
  const parameters = fieldsOf(shown)?.["parameters"]
  const set = typeof parameters === "string" ? /^\s*num_ctx\s+(\d+)/m.exec(parameters)?.[1] : undefined
  if (set !== undefined) return positive(Number(set))
  const info = fieldsOf(fieldsOf(shown)?.["model_info"]) ?? {}
  for (const [key, value] of Object.entries(info)) if (key.endsWith(".context_length")) return positive(value)
  return null
}

/** llama.cpp divides its context among its slots; `n_ctx` here is that of one slot. */
const fromProps = async (ask: Ask, root: string): Promise<number | null> => {
  const props = fieldsOf(await ask(`${root}/props`))
  return positive(fieldsOf(props?.["default_generation_settings"])?.["n_ctx"]) ?? positive(props?.["n_ctx"])
}

const fromList = async (ask: Ask, { model, url }: ContextQuestion): Promise<number | null> => {
  const list = listOf(fieldsOf(await ask(`${url.replace(/\/+$/, "")}/models`))?.["data"])
  const entry = list?.find((item) => item["id"] === model) ?? list?.[0]
  if (entry === undefined) return null
  return positive(entry["max_model_len"]) ?? positive(entry["context_length"]) ?? positive(entry["max_context_length"]) ?? positive(fieldsOf(entry["meta"])?.["n_ctx"])
}

const fromLmStudio = async (ask: Ask, root: string, model: string | null): Promise<number | null> => {
  const list = listOf(fieldsOf(await ask(`${root}/api/v0/models`))?.["data"])
  const entry = list?.find((item) => item["id"] === model)
  return positive(entry?.["loaded_context_length"]) ?? positive(entry?.["max_context_length"])
}
