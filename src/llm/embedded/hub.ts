// Where a model file comes from: the setting `embedded.model` read into a source, and files found on a model hub. The hub
// speaks the Hugging Face API; `HF_ENDPOINT` names another one, `HF_TOKEN` is sent to the hub alone.
import { homedir } from "node:os"
import { basename, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { HUB_ANSWER_TIMEOUT_MS } from "./limits.ts"
import { Unreachable, WeightsRefused } from "./errors.ts"
import { isRecord, messageOf } from "./values.ts"

export const DEFAULT_HUB = "https://huggingface.co"

export type Source =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "hub"; readonly repo: string; readonly revision: string; readonly file: string | null; readonly quant: string | null }

/** A file that can be downloaded. Null: the source does not tell. */
export interface RemoteFile {
  readonly url: string
  readonly name: string
  readonly bytes: number | null
  readonly sha256: string | null
  readonly licence: string | null
}

const FORMS = "a path to a .gguf file, hf:owner/repo/file.gguf, hf:owner/repo:Q4_K_M, or an http(s) address"
const PART = /^[A-Za-z0-9][\w.-]*$/

/** `base`: the directory that relative paths start at. Throws WeightsRefused for a text of no known form. */
export const parseSource = (setting: string, base: string): Source => {
  const refuse = (why: string) => new WeightsRefused(`embedded.model: ${JSON.stringify(setting)} ${why}; use ${FORMS}`)
  if (/^https?:\/\//i.test(setting)) {
    if (!URL.canParse(setting)) throw refuse("is no address")
    return { kind: "url", url: setting }
  }
  if (setting.startsWith("file:")) {
    if (!URL.canParse(setting)) throw refuse("is no address")
    return { kind: "file", path: fileURLToPath(setting) }
  }
  if (!setting.startsWith("hf:")) return { kind: "file", path: resolve(base, setting.replace(/^~(?=\/)/, homedir())) }
  const [path = "", revision = "main"] = setting.slice(3).replace(/^\/+/, "").split("#")
  const [place = "", quant = null] = path.endsWith(".gguf") ? [path] : path.split(":")
  const [owner = "", repo = "", ...rest] = place.split("/")
  if (!PART.test(owner) || !PART.test(repo) || rest.some((part) => part === "" || part === "..") || (rest.length > 0 && !place.endsWith(".gguf"))) throw refuse("names no file of a hub")
  return { kind: "hub", repo: `${owner}/${repo}`, revision, file: rest.length > 0 ? rest.join("/") : null, quant }
}

export const fileUrl = (hub: string, repo: string, revision: string, file: string): string =>
  `${hub.replace(/\/+$/, "")}/${repo}/resolve/${encodeURIComponent(revision)}/${file.split("/").map(encodeURIComponent).join("/")}`

/** The hub's token goes to the hub's own origin and nowhere else. */
export const hubHeaders = (url: string, hub: string): Record<string, string> => {
  const token = process.env["HF_TOKEN"]
  const same = URL.canParse(hub) && new URL(url).origin === new URL(hub).origin
  return { "user-agent": "attacca", ...(same && token !== undefined && token !== "" ? { authorization: `Bearer ${token}` } : {}) }
}

interface Listing {
  readonly files: ReadonlyArray<{ readonly name: string; readonly bytes: number | null; readonly sha256: string | null }>
  readonly licence: string | null
}

const listing = async (hub: string, source: Extract<Source, { kind: "hub" }>, signal: AbortSignal): Promise<Listing> => {
  const url = `${hub.replace(/\/+$/, "")}/api/models/${source.repo}/revision/${encodeURIComponent(source.revision)}?blobs=true`
  const response = await fetch(url, { headers: hubHeaders(url, hub), signal: AbortSignal.any([signal, AbortSignal.timeout(HUB_ANSWER_TIMEOUT_MS)]) }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new Unreachable(`${new URL(hub).host} does not answer: ${messageOf(cause)}`)
  })
  if (response.status === 401 || response.status === 404) throw new WeightsRefused(`embedded.model: ${new URL(hub).host} has no ${source.repo}, or not for everybody (HTTP ${response.status})`)
  if (!response.ok) throw new Unreachable(`${new URL(hub).host} answered HTTP ${response.status}`)
  const body: unknown = await response.json()
  const siblings = isRecord(body) && Array.isArray(body["siblings"]) ? body["siblings"] : []
  const card = isRecord(body) && isRecord(body["cardData"]) ? body["cardData"] : {}
  return {
    licence: typeof card["license"] === "string" ? card["license"] : null,
    files: siblings.filter(isRecord).flatMap((file) => {
      const lfs = isRecord(file["lfs"]) ? file["lfs"] : {}
      return typeof file["rfilename"] !== "string" ? [] : [{
        name: file["rfilename"], bytes: typeof file["size"] === "number" ? file["size"] : null, sha256: typeof lfs["sha256"] === "string" ? lfs["sha256"] : null,
      }]
    }),
  }
}

const DEFAULT_QUANT = "Q4_K_M"

/** Finds a file on the hub. Throws Unreachable when the hub is silent, WeightsRefused when it has no such file. */
export const findOnHub = async (hub: string, source: Extract<Source, { kind: "hub" }>, signal: AbortSignal): Promise<RemoteFile> => {
  const { files, licence } = await listing(hub, source, signal)
  const quant = (source.quant ?? DEFAULT_QUANT).toLowerCase()
  const weights = files.filter((file) => file.name.endsWith(".gguf"))
  const found = source.file === null ? weights.find((file) => file.name.toLowerCase().includes(quant)) : files.find((file) => file.name === source.file)
  if (found === undefined) {
    const there = weights.slice(0, 8).map((file) => file.name).join(", ")
    throw new WeightsRefused(`embedded.model: ${source.repo} has no ${source.file ?? `${quant.toUpperCase()} file`}${there === "" ? ", and no .gguf file at all" : `; it has ${there}`}`)
  }
  if (/-\d{5}-of-\d{5}\.gguf$/.test(found.name)) throw new WeightsRefused(`embedded.model: ${found.name} is one part of a split model; choose one that is a single file`)
  return { ...found, name: basename(found.name), url: fileUrl(hub, source.repo, source.revision, found.name), licence }
}
