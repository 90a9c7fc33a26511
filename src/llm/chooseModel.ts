// Which model of an endpoint a job uses (W6). Pure; asked by the worker for each job, and by discovery for the default.

export interface ModelQuestion {
  /** The piece's model, null when it names none. */
  readonly required: string | null
  /** The worker's configured model. */
  readonly configured: string | null
  /** What the endpoint offers; empty means not known. */
  readonly offered: ReadonlyArray<string>
}

export interface ModelChoice {
  /** "" where nobody named a model and the endpoint has no list: it has only one. */
  readonly model: string
  /** For the log, when it is not the model that was asked for. */
  readonly note: string | null
}

const NO_CHAT = /embed|rerank|whisper|\btts\b|text-to-speech|(^|[/:_-])(bge|e5|gte|minilm|clip|bert)([/:_.-]|$)/i

/** Told by the name alone: embedding, ranking and speech models cannot chat. */
export const isChatModel = (name: string): boolean => !NO_CHAT.test(name)

/** Ollama's `name` means `name:latest`. */
const offers = (offered: ReadonlyArray<string>, name: string): string | undefined =>
  offered.find((model) => model === name) ?? offered.find((model) => model === `${name}:latest`)

export const chooseModel = ({ required, configured, offered }: ModelQuestion): ModelChoice => {
  const wanted = required ?? configured
  if (offered.length === 0) return { model: wanted ?? "", note: null }
  for (const name of [required, configured]) {
    const found = name === null ? undefined : offers(offered, name)
    if (found !== undefined) return { model: found, note: name === wanted ? null : `the model ${wanted} is not offered; using ${found}` }
  }
  const first = offered.find(isChatModel) ?? (offered[0] as string)
  return { model: first, note: wanted === null ? null : `the model ${wanted} is not offered; using ${first}` }
}
