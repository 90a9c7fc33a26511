// Finds or fetches the model file, first that works: the setting `embedded.model`, the default for this machine, the toy.
// A wrong setting is an error and never replaced by another model; a silent source is. What was found out is remembered
// beside the files, so that a later start asks nobody: a file that is there is used, and "the hub is silent" is believed
// for a day, or until the setting changes.
import { existsSync } from "node:fs"
import { mkdir, open, readFile, rename, stat, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { download, sha256Of } from "./download.ts"
import { NoSpace, Unreachable, WeightsRefused } from "./errors.ts"
import { fileUrl, findOnHub, hubHeaders, parseSource, type RemoteFile, type Source } from "./hub.ts"
import { TOY_OUTCOME_TTL_MS } from "./limits.ts"
import { withLock } from "./lock.ts"
import type { Machine } from "./machine.ts"
import { chooseModel, sizeOf } from "./models.ts"
import { megabytes, type Report } from "./progress.ts"
import { fetchToy, TOY, TOY_NOTE } from "./toy.ts"
import { isRecord } from "./values.ts"

export interface Weights {
  readonly path: string
  readonly bytes: number
  readonly size: "small" | "normal"
  /** The last resort: it shows that Attacca works and is good for nothing else. */
  readonly toy: boolean
}

export interface WeightsOptions {
  /** Where model files are kept. */
  readonly directory: string
  readonly model: string | null
  readonly sha256: string | null
  readonly hub: string
  /** Where relative paths in `model` start. */
  readonly base: string
  readonly machine: Pick<Machine, "memory_bytes" | "gpu_bytes" | "cores">
  readonly report: Report
  readonly now?: () => number
  /** The last resort; `fetchToy` by default. */
  readonly toy?: (directory: string, report: Report, signal: AbortSignal) => Promise<string>
}

interface Outcome {
  readonly setting: string
  readonly file: string
  readonly toy: boolean
  readonly at: number
}

const OUTCOME_FILE = "outcome.json"
const CHECKED_FILE = "checked.json"

const readJson = async (path: string): Promise<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"))
    return isRecord(value) ? value : {}
  } catch {
    return {} // missing or cut short: what it remembered is found out anew
  }
}

const writeJson = async (path: string, value: unknown): Promise<void> => {
  await writeFile(`${path}.new`, JSON.stringify(value, null, 2))
  await rename(`${path}.new`, path)
}

const requireGguf = async (path: string): Promise<void> => {
  const file = await open(path, "r")
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (bytesRead < 4 || buffer.toString("latin1") !== "GGUF") throw new WeightsRefused(`${path} is no GGUF model file`)
  } finally {
    await file.close()
  }
}

class Search {
  readonly #options: WeightsOptions
  readonly #signal: AbortSignal
  readonly #setting: string
  constructor(options: WeightsOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.#setting = JSON.stringify([options.model, options.sha256, options.hub])
  }

  async run(): Promise<Weights> {
    const { model, base, report } = this.#options
    const source = model === null ? null : parseSource(model, base)
    if (source?.kind === "file") return this.#local(source.path)
    const known = await this.#remembered()
    if (known !== null) return known
    const silent: Array<string> = []
    const attempts = [...(source === null ? [] : [() => this.#fetch(source)]), () => this.#default()]
    for (const attempt of attempts) {
      try {
        return await this.#keep(await attempt(), false)
      } catch (cause) {
        this.#signal.throwIfAborted()
        if (!(cause instanceof Unreachable)) throw cause
        silent.push(cause.message)
        report({ kind: "note", text: `no model from there: ${cause.message}` })
        // The default comes from the same hub: one that is silent need not be asked twice.
        if (source?.kind === "hub") break
      }
    }
    try {
      const weights = await this.#keep(await this.#toy(), true)
      report({ kind: "note", text: TOY_NOTE })
      return weights
    } catch (cause) {
      if (!(cause instanceof Unreachable)) throw cause
      throw new Unreachable([...silent, cause.message].join("; "))
    }
  }

  async #remembered(): Promise<Weights | null> {
    const outcome = await readJson(join(this.#options.directory, OUTCOME_FILE))
    const { setting, file, toy, at } = outcome as Partial<Outcome>
    if (setting !== this.#setting || typeof file !== "string" || typeof at !== "number") return null
    const path = join(this.#options.directory, file)
    const age = (this.#options.now ?? Date.now)() - at
    if (!existsSync(path) || (toy === true && !(age >= 0 && age < TOY_OUTCOME_TTL_MS))) return null
    if (toy === true) this.#options.report({ kind: "note", text: TOY_NOTE })
    return this.#weights(path, toy === true)
  }

  async #keep(path: string, toy: boolean): Promise<Weights> {
    const outcome: Outcome = { setting: this.#setting, file: basename(path), toy, at: (this.#options.now ?? Date.now)() }
    await writeJson(join(this.#options.directory, OUTCOME_FILE), outcome)
    return this.#weights(path, toy)
  }

  async #weights(path: string, toy: boolean): Promise<Weights> {
    const { size } = await stat(path)
    return { path, bytes: size, size: sizeOf(size), toy }
  }

  async #local(path: string): Promise<Weights> {
    const found = await stat(path).catch(() => null) // any reason that it cannot be looked at is the same news
    if (found === null || !found.isFile()) throw new WeightsRefused(`embedded.model: there is no file ${path}`)
    await requireGguf(path)
    await this.#verify(path, this.#options.sha256)
    return this.#weights(path, false)
  }

  /** Hashes a file once for as long as its size and time stay the same. */
  async #verify(path: string, sha256: string | null): Promise<void> {
    if (sha256 === null) return
    const file = join(this.#options.directory, CHECKED_FILE)
    await mkdir(this.#options.directory, { recursive: true })
    const checked = await readJson(file)
    const { size, mtimeMs } = await stat(path)
    const stamp = `${size} ${mtimeMs} ${sha256.toLowerCase()}`
    if (checked[path] === stamp) return
    const found = await sha256Of(path, this.#signal)
    if (found !== sha256.toLowerCase()) throw new WeightsRefused(`embedded.sha256: ${path} has sha256 ${found}, not ${sha256.toLowerCase()}`)
    await writeJson(file, { ...checked, [path]: stamp })
  }

  async #toy(): Promise<string> {
    const { directory, report, toy = fetchToy } = this.#options
    await mkdir(directory, { recursive: true })
    const path = join(directory, TOY.file)
    return withLock(`${path}.lock`, this.#signal, async () => (existsSync(path) ? path : toy(directory, report, this.#signal)))
  }

  async #default(): Promise<string> {
    const model = chooseModel(this.#options.machine)
    try {
      return await this.#download({
        url: fileUrl(this.#options.hub, model.repo, model.revision, model.file), name: model.file, bytes: model.bytes, sha256: model.sha256, licence: model.licence,
      }, `${model.title}, ${model.file}`)
    } catch (cause) {
      // Nobody asked for this very model: a hub without it, or a disk without room for it, is as good as a silent hub.
      throw cause instanceof WeightsRefused || cause instanceof NoSpace ? new Unreachable(cause.message) : cause
    }
  }

  async #fetch(source: Exclude<Source, { kind: "file" }>): Promise<string> {
    if (source.kind === "hub") {
      const found = await findOnHub(this.#options.hub, source, this.#signal)
      return this.#download({ ...found, sha256: this.#options.sha256 ?? found.sha256 }, `${source.repo}, ${found.name}`)
    }
    const name = basename(decodeURIComponent(new URL(source.url).pathname)) || "model.gguf"
    return this.#download({ url: source.url, name, bytes: null, sha256: this.#options.sha256, licence: null }, name)
  }

  async #download(file: RemoteFile, title: string): Promise<string> {
    const { directory, hub, report } = this.#options
    if (!/^[\w. ()+-]+$/.test(file.name) || file.name.startsWith(".")) throw new WeightsRefused(`${JSON.stringify(file.name)} is no name for a model file`)
    const path = join(directory, file.name)
    await mkdir(directory, { recursive: true })
    return withLock(`${path}.lock`, this.#signal, async () => {
      // A file that is there is whole: parts have another name. Its hash is asked for again only where one is known.
      if (existsSync(path) && (file.bytes === null || (await stat(path)).size === file.bytes)) {
        await this.#verify(path, file.sha256)
        return path
      }
      await download({ url: file.url, path, bytes: file.bytes, sha256: file.sha256, headers: (url) => hubHeaders(url, hub) }, {
        onStart: ({ bytes, kept, sha256 }) => {
          const size = bytes === null ? "of unknown size" : megabytes(bytes)
          report({ kind: "note", text: `downloading ${title} (${size}, licence: ${file.licence ?? "see its publisher"})${kept > 0 ? `, ${megabytes(kept)} of it are here already` : ""}; Ctrl-C keeps what came` })
          if (sha256 === null) report({ kind: "note", text: "its source gives no sha256: only its size and form can be checked (embedded.sha256 pins it)" })
        },
        onBytes: (bytes, total) => report({ kind: "downloading", name: file.name, bytes, total }),
      }, this.#signal)
      await requireGguf(path)
      return path
    })
  }
}

/**
 * Rejects with WeightsRefused when the setting or a file is wrong, Unreachable when no source answers, and the signal's
 * reason; a download goes on at the next try from where it stopped.
 */
export const obtainWeights = (options: WeightsOptions, signal: AbortSignal): Promise<Weights> => new Search(options, signal).run()
