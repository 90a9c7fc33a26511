// From checked values to `Settings`: paths made absolute, defaults that depend on the machine or on another key, and the
// rules that tie two keys together. Called by `load.ts` only.
import { isAbsolute, join, resolve } from "node:path"
import type { Path } from "./document.ts"
import type { SettingsSchema } from "./schema.ts"
import type { Settings } from "./settings.ts"

type Decoded = typeof SettingsSchema.Type
interface WrongPair {
  readonly path: Path
  readonly message: string
}

/** A `file:` address is a URL: what would end its path is written as its code. */
const fileUrl = (path: string): string => `file:${path.replace(/[%?#]/g, encodeURIComponent)}`

/** Path of the database file of a `file:` address, null for a remote one. */
export const databaseFile = (url: string): string | null =>
  url.startsWith("file:") ? decodeURIComponent(url.slice("file:".length).replace(/[?#].*$/, "").replace(/^\/\/(?=\/)/, "")) : null

const absoluteUrl = (url: string, directory: string): string => {
  if (!url.startsWith("file:")) return url
  const [, path = "", query = ""] = /^([^?#]*)(.*)$/s.exec(url.slice("file:".length).replace(/^\/\/(?=\/)/, "")) ?? []
  return `file:${isAbsolute(path) ? path : join(directory.replace(/[%?#]/g, encodeURIComponent), path)}${query}`
}

const absoluteModel = (model: string | null, directory: string): string | null =>
  model === null || /^(hf:|https?:)/i.test(model) ? model : resolve(directory, model.replace(/^file:(\/\/(?=\/))?/, ""))

const pairs = (s: Decoded): ReadonlyArray<WrongPair> => {
  const wrong: Array<WrongPair> = []
  const first = new Map<string, number>()
  s.workers.forEach(({ id }, i) => {
    const before = first.get(id)
    if (before === undefined) first.set(id, i)
    else wrong.push({ path: ["workers", i, "id"], message: `two workers have the id "${id}"; workers[${before}] is the other` })
  })
  if (s.lease.heartbeat_seconds >= s.lease.ttl_seconds) {
    wrong.push({ path: ["lease", "heartbeat_seconds"], message: `must be less than lease.ttl_seconds (${s.lease.ttl_seconds}), or leases run out between two heartbeats` })
  }
  const { drop_results_ratio: drop, summarise_ratio: summarise, prompt_guard_ratio: guard, loop_warn, loop_abort } = s.safety
  if (drop > summarise) wrong.push({ path: ["safety", "drop_results_ratio"], message: `must not be over safety.summarise_ratio (${summarise})` })
  if (summarise > guard) wrong.push({ path: ["safety", "summarise_ratio"], message: `must not be over safety.prompt_guard_ratio (${guard})` })
  if (loop_warn > loop_abort) wrong.push({ path: ["safety", "loop_warn"], message: `must not be over safety.loop_abort (${loop_abort})` })
  const { url, sync_url } = s.database
  if (url !== null && /^file:\/\/[^/]/.test(url)) wrong.push({ path: ["database", "url"], message: "file:// must be followed by an absolute path; write file:PATH for a relative one" })
  if (url !== null && /%(?![0-9A-Fa-f]{2})/.test(url)) wrong.push({ path: ["database", "url"], message: "a % in an address is written %25" })
  if (sync_url !== null && url !== null && !url.startsWith("file:")) wrong.push({ path: ["database", "url"], message: "must be a file: address when database.sync_url is set: it is the local replica" })
  return wrong
}

/** `directory` is where relative paths start. `settings` may be used only when nothing is wrong. */
export const resolveSettings = (s: Decoded, directory: string): { readonly settings: Settings; readonly wrong: ReadonlyArray<WrongPair> } => {
  const data_dir = resolve(directory, s.data_dir)
  const absolute = (path: string | null) => (path === null ? null : resolve(directory, path))
  return {
    wrong: pairs(s),
    settings: {
      ...s,
      data_dir,
      time_zone: s.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
      database: { ...s.database, url: s.database.url === null ? fileUrl(join(data_dir, "attacca.db")) : absoluteUrl(s.database.url, directory) },
      pieces: { custom_dir: absolute(s.pieces.custom_dir) },
      plugins: { ...s.plugins, dir: resolve(directory, s.plugins.dir), allow_paths: s.plugins.allow_paths.map((path) => resolve(directory, path)) },
      embedded: { ...s.embedded, model: absoluteModel(s.embedded.model, directory) },
    },
  }
}
