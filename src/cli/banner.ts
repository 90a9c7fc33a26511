// What a start says in plain words: where the node is, which model it uses, where its data is, and the line that submits a
// task. Pure; printed by main.ts.

export interface BannerFacts {
  readonly url: string
  readonly data_dir: string
  readonly version: string
  /** One line for each worker, or what is being prepared. */
  readonly models: ReadonlyArray<string>
  readonly config: string | null
}

export interface BannerWorker {
  readonly id: string
  readonly endpoint: string
  readonly model: string | null
  readonly enabled: boolean
}

export const TRY_LINE = "npm run task -- \"Read input/notes.txt and write a three-line summary to output/summary.md\" --file notes.txt"

export const modelLine = (worker: BannerWorker): string =>
  worker.endpoint === "" ? "the embedded model (being prepared; jobs wait for it)" : `${worker.model ?? "first model offered"} at ${worker.endpoint} (worker ${worker.id}${worker.enabled ? "" : ", disabled"})`

export const bannerLines = (facts: BannerFacts): ReadonlyArray<string> => [
  `Attacca ${facts.version} is ready at ${facts.url}`,
  ...(facts.models.length === 0 ? ["  model   none: no worker is configured and the embedded model is off; jobs wait until a worker is there"] : facts.models.map((line, i) => `  ${i === 0 ? "model  " : "       "} ${line}`)),
  `  data    ${facts.data_dir}`,
  `  config  ${facts.config ?? "none (defaults; attacca.yaml in the working directory would be read)"}`,
  `  try     ${TRY_LINE}`,
  "  stop    Ctrl-C (running jobs go on at the next start)",
]
