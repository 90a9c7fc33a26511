// The calls of the HTTP API that the command line makes. Every failure becomes a CommandFailure that names the field, the
// state or the address. Limits: 30 s for a call, none for an upload.
import { CommandFailure, EXIT } from "./failure.ts"
import { clean } from "./text.ts"

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE"
  readonly json?: unknown
  readonly body?: FormData | string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Null: no limit. */
  readonly timeout_ms?: number | null
}

const TIMEOUT_MS = 30_000
/** A submission carries a key of its own, so it may be sent again when its answer was lost. */
const SUBMIT_ATTEMPTS = 3

export const unreachable = (base: string, why: string): CommandFailure => new CommandFailure(
  `no node answers at ${base} (${why})`, EXIT.unreachable,
  ["start one with `npm start`, or say where it is with --url URL or ATTACCA_URL"],
)

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name === "TimeoutError") return "no answer in time"
  const code = (cause as { code?: unknown }).code
  return code === "ConnectionRefused" || code === "ECONNREFUSED" ? "connection refused" : clean(cause.message.split("\n", 1)[0] ?? "")
}

/** True for what another try may mend: the connection failed before an answer came. */
export const isConnectionFailure = (cause: unknown): boolean => cause instanceof CommandFailure && cause.exit_code === EXIT.unreachable

/** A proxy for the outside world must not be asked for this machine. */
export const bypassProxy = (base: string, env: Record<string, string | undefined>): void => {
  const { hostname } = new URL(base)
  if (!/^(localhost|127\.|\[::1\])/.test(hostname)) return
  for (const name of ["NO_PROXY", "no_proxy"]) env[name] = [env[name], hostname.replace(/^\[|\]$/g, "")].filter((one) => one !== undefined && one !== "").join(",")
}

/** The raw answer; fails with exit code 4 when nothing answers. */
export const open = async (base: string, path: string, call: Call = {}): Promise<Response> => {
  const timeout_ms = call.timeout_ms === undefined ? TIMEOUT_MS : call.timeout_ms
  const signals = [...(timeout_ms === null ? [] : [AbortSignal.timeout(timeout_ms)]), ...(call.signal === undefined ? [] : [call.signal])]
  try {
    return await fetch(`${base}${path}`, {
      method: call.method ?? "GET",
      headers: { accept: "application/json", ...(call.json === undefined ? {} : { "content-type": "application/json" }), ...call.headers },
      ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
      ...(call.body === undefined ? {} : { body: call.body }),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
    })
  } catch (cause) {
    if (call.signal?.aborted === true) throw cause
    throw unreachable(base, reasonOf(cause))
  }
}

interface Problem {
  readonly title?: unknown
  readonly detail?: unknown
  readonly errors?: unknown
}

const words = (value: unknown): string => (typeof value === "string" ? clean(value) : "")

/** The message of a problem answer, with a line for each wrong field. */
export const problemFailure = (status: number, problem: Problem): CommandFailure => {
  const errors = Array.isArray(problem.errors) ? (problem.errors as Array<{ path?: unknown; message?: unknown }>) : []
  const detail = words(problem.detail)
  const title = words(problem.title)
  return new CommandFailure(
    detail !== "" ? detail : title !== "" ? title : `the node answered ${status}`,
    status === 400 || status === 413 || status === 415 || status === 422 ? EXIT.usage : EXIT.failed,
    errors.map((one) => (words(one.path) === "" ? words(one.message) : `${words(one.path)}: ${words(one.message)}`)),
  )
}

/** The JSON of a successful answer; a problem becomes a CommandFailure. */
export const ask = async <A>(base: string, path: string, call: Call = {}): Promise<A> => {
  const response = await open(base, path, call)
  let text: string
  try {
    text = await response.text()
  } catch (cause) {
    if (call.signal?.aborted === true) throw cause
    throw unreachable(base, reasonOf(cause))
  }
  let body: unknown
  try {
    body = text === "" ? null : JSON.parse(text)
  } catch {
    throw new CommandFailure(`what answers at ${base} is not Attacca (status ${response.status}, no JSON)`, EXIT.unreachable, ["say where the node is with --url URL or ATTACCA_URL"])
  }
  if (!response.ok) throw problemFailure(response.status, (body ?? {}) as Problem)
  return body as A
}

/** Sends a submission under one idempotency key, again when the connection broke before the answer. */
export const submit = async <A>(base: string, form: () => FormData): Promise<A> => {
  const key = crypto.randomUUID()
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask<A>(base, "/api/tasks", { method: "POST", body: form(), headers: { "idempotency-key": key }, timeout_ms: null })
    } catch (cause) {
      if (!isConnectionFailure(cause) || attempt === SUBMIT_ATTEMPTS || (cause as CommandFailure).message.includes("refused")) throw cause
    }
  }
}
