// Small bounded JSON questions to an endpoint (lists of models, properties), for probes and discovery. Not for chats.
// Never rejects: what went wrong is a value, because an endpoint that is not there is an everyday answer here.

export type Reply =
  | { readonly _tag: "Reply"; readonly status: number; readonly json: unknown; readonly server: string }
  | { readonly _tag: "NoAnswer"; readonly detail: string }

const MAX_BYTES = 4 * 1024 * 1024

/** The address of the host without the path of the API, where Ollama and llama.cpp have their own routes. */
export const hostRoot = (url: string): string => {
  const { pathname } = new URL(url)
  const base = url.replace(/\/+$/, "")
  return pathname === "/" ? base : base.replace(/\/v1$/, "")
}

export interface AskOptions {
  readonly api_key: string | null
  readonly timeout_ms: number
  /** Sent as JSON by POST. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** `json` is undefined when the body is no JSON or too long. */
export const askJson = async (url: string, options: AskOptions): Promise<Reply> => {
  const timeout = AbortSignal.timeout(options.timeout_ms)
  try {
    const response = await fetch(url, {
      method: options.body === undefined ? "GET" : "POST",
      headers: {
        accept: "application/json",
        ...(options.api_key === null ? {} : { authorization: `Bearer ${options.api_key}` }),
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
    })
    return { _tag: "Reply", status: response.status, server: response.headers.get("server") ?? "", json: await readJson(response) }
  } catch (cause) {
    if (timeout.aborted) return { _tag: "NoAnswer", detail: `no answer within ${options.timeout_ms} ms` }
    const code = typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : null
    return { _tag: "NoAnswer", detail: code === "ECONNREFUSED" ? "connection refused" : code === "ENOTFOUND" ? "unknown host" : (code ?? (cause instanceof Error ? cause.message : String(cause))) }
  }
}

const readJson = async (response: Response): Promise<unknown> => {
  if (response.body === null) return undefined
  const decoder = new TextDecoder()
  let text = ""
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_BYTES) return undefined
  }
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

export type Fields = Readonly<Record<string, unknown>>
export const fieldsOf = (value: unknown): Fields | null => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null)
export const listOf = (value: unknown): ReadonlyArray<Fields> | null => (Array.isArray(value) && value.every((item) => fieldsOf(item) !== null) ? (value as ReadonlyArray<Fields>) : null)
export const positive = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : null)
