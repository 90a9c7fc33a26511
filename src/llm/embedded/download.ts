// One big file over HTTP: resumed where an earlier attempt stopped, checked by size and sha256, and put in place under its
// name only when it is whole. What came is kept on interruption, next to a note of what it is a part of.
import { createHash, type Hash } from "node:crypto"
import { createReadStream } from "node:fs"
import { mkdir, open, readFile, rename, rm, stat, statfs, writeFile, type FileHandle } from "node:fs/promises"
import { dirname } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { DISK_RESERVE_BYTES, DOWNLOAD_ATTEMPTS, DOWNLOAD_IDLE_TIMEOUT_MS, HUB_ANSWER_TIMEOUT_MS, MAX_REDIRECTS } from "./limits.ts"
import { NoSpace, Unreachable, WeightsRefused } from "./errors.ts"
import { isRecord, messageOf } from "./values.ts"

export interface Wanted {
  readonly url: string
  /** Where the whole file goes. */
  readonly path: string
  /** Null: what the server says is believed. */
  readonly bytes: number | null
  readonly sha256: string | null
  readonly headers: (url: string) => Record<string, string>
}

export interface DownloadEvents {
  /** The server has answered and nothing is written yet. */
  readonly onStart: (file: { readonly bytes: number | null; readonly kept: number; readonly sha256: string | null }) => void
  readonly onBytes: (bytes: number, total: number | null) => void
}

/** The state of a file that is on its way; stands beside its part. */
interface Part {
  readonly identity: string
  readonly etag: string | null
}

interface Reply {
  readonly response: Response
  readonly bytes: number | null
  readonly sha256: string | null
  readonly part: Part
}

const RETRY_MS = 500
const MAX_RETRY_MS = 10_000

const unquoted = (etag: string | null): string | null => etag?.replace(/^W\//, "").replaceAll("\"", "") ?? null
const asSha = (etag: string | null): string | null => (etag !== null && /^[0-9a-f]{64}$/i.test(etag) ? etag.toLowerCase() : null)
const lengthOf = (text: string | null): number | null => (text !== null && /^\d+$/.test(text) ? Number(text) : null)

const readPart = async (path: string): Promise<Part | null> => {
  const text = await readFile(`${path}.part.json`, "utf8").catch(() => null) // no note: the part, if any, is not known
  try {
    const value: unknown = text === null ? null : JSON.parse(text)
    return isRecord(value) && typeof value["identity"] === "string" ? { identity: value["identity"], etag: typeof value["etag"] === "string" ? value["etag"] : null } : null
  } catch {
    return null // a note that was cut while it was written: start over
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0

/** Asks for the bytes from `from` on, following redirects by hand: the hub tells hash and size in its first answer only. */
const ask = async (wanted: Wanted, from: number, known: Part | null, timeout_ms: number, signal: AbortSignal): Promise<Reply> => {
  let url = wanted.url
  let [linkedSha, linkedBytes]: [string | null, number | null] = [null, null]
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const range = from > 0 ? { range: `bytes=${from}-`, ...(known?.etag == null ? {} : { "if-range": known.etag }) } : {}
    const timer = new AbortController()
    const timeout = setTimeout(() => timer.abort(new Error(`no answer within ${timeout_ms / 1000} s`)), timeout_ms)
    const response = await fetch(url, { redirect: "manual", headers: { ...wanted.headers(url), ...range }, signal: AbortSignal.any([signal, timer.signal]) })
      .catch((cause: unknown) => {
        signal.throwIfAborted()
        throw new Unreachable(`${new URL(url).host} does not answer: ${messageOf(timer.signal.aborted ? timer.signal.reason : cause)}`)
      })
      .finally(() => clearTimeout(timeout))
    linkedSha ??= asSha(unquoted(response.headers.get("x-linked-etag")))
    linkedBytes ??= lengthOf(response.headers.get("x-linked-size"))
    const location = response.headers.get("location")
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel()
      url = new URL(location, url).href
      continue
    }
    const etag = response.headers.get("etag")
    const whole = lengthOf(/\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1] ?? null) ?? (response.status === 200 ? lengthOf(response.headers.get("content-length")) : null)
    const sha256 = linkedSha ?? asSha(unquoted(etag))
    const bytes = linkedBytes ?? whole
    return { response, bytes, sha256, part: { identity: wanted.sha256 ?? sha256 ?? `${wanted.url} ${etag ?? ""} ${bytes ?? ""}`, etag: etag?.startsWith("W/") === true ? null : etag } }
  }
  throw new WeightsRefused(`${wanted.url} redirects more than ${MAX_REDIRECTS} times`)
}

const hashFile = async (path: string, hash: Hash, signal: AbortSignal): Promise<void> => {
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) hash.update(chunk)
}

/** In lower-case hexadecimal. */
export const sha256Of = async (path: string, signal: AbortSignal): Promise<string> => {
  const hash = createHash("sha256")
  await hashFile(path, hash, signal)
  return hash.digest("hex")
}

export const requireSpace = async (directory: string, bytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  if (free < bytes + DISK_RESERVE_BYTES) {
    throw new NoSpace(`not enough space in ${directory}: ${Math.ceil(bytes / 1e6)} MB are needed, ${Math.floor(free / 1e6)} MB are free`)
  }
}

class Download {
  readonly #wanted: Wanted
  readonly #events: DownloadEvents
  readonly #signal: AbortSignal
  readonly #part: string
  #hash = createHash("sha256")
  #have = 0
  #total: number | null
  #sha256: string | null
  #started = false

  constructor(wanted: Wanted, events: DownloadEvents, signal: AbortSignal) {
    this.#wanted = wanted
    this.#events = events
    this.#signal = signal
    this.#part = `${wanted.path}.part`
    this.#total = wanted.bytes
    this.#sha256 = wanted.sha256
  }

  async run(): Promise<{ readonly sha256: string; readonly bytes: number }> {
    await mkdir(dirname(this.#wanted.path), { recursive: true })
    await this.#loadPart()
    for (let failures = 0; ;) {
      const before = this.#have
      try {
        if (await this.#attempt()) break
      } catch (cause) {
        this.#signal.throwIfAborted()
        if (!(cause instanceof Unreachable) || !this.#started) throw cause
        if (this.#have === before && failures + 1 >= DOWNLOAD_ATTEMPTS) throw cause
      }
      failures = this.#have > before ? 0 : failures + 1
      await sleep(Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures), undefined, { signal: this.#signal })
    }
    return this.#finish()
  }

  async #loadPart(): Promise<void> {
    if (await readPart(this.#wanted.path) === null) await this.#startOver()
    else if ((this.#have = await sizeOf(this.#part)) > 0) await hashFile(this.#part, this.#hash, this.#signal)
  }

  async #startOver(): Promise<void> {
    await rm(this.#part, { force: true })
    this.#hash = createHash("sha256")
    this.#have = 0
  }

  /** True when the last byte came. Throws Unreachable for what may be better at the next try. */
  async #attempt(): Promise<boolean> {
    const known = await readPart(this.#wanted.path)
    const reply = await ask(this.#wanted, this.#have, known, this.#started ? DOWNLOAD_IDLE_TIMEOUT_MS : HUB_ANSWER_TIMEOUT_MS, this.#signal)
    const { response } = reply
    if (response.status === 416) {
      await response.body?.cancel()
      if (this.#have > 0 && this.#have === this.#total) return true
      await this.#startOver()
      return false
    }
    if (response.status !== 200 && response.status !== 206) {
      await response.body?.cancel()
      const message = `${this.#wanted.url} answered HTTP ${response.status}`
      throw response.status === 429 || response.status >= 500 ? new Unreachable(message) : new WeightsRefused(message)
    }
    const start = Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? 0)
    const follows = response.status === 206 && start === this.#have && known?.identity === reply.part.identity
    if (this.#have > 0 && !follows) {
      await this.#startOver()
      if (response.status === 206) {
        await response.body?.cancel()
        return false
      }
    }
    this.#check(reply)
    await requireSpace(dirname(this.#part), (this.#total ?? 0) - this.#have)
    await writeFile(`${this.#wanted.path}.part.json`, JSON.stringify(reply.part))
    if (!this.#started) this.#events.onStart({ bytes: this.#total, kept: this.#have, sha256: this.#sha256 })
    this.#started = true
    await this.#body(response)
    return this.#total === null || this.#have >= this.#total
  }

  #check(reply: Reply): void {
    if (this.#wanted.bytes !== null && reply.bytes !== null && reply.bytes !== this.#wanted.bytes) {
      throw new WeightsRefused(`${this.#wanted.url} has ${reply.bytes} bytes, not the ${this.#wanted.bytes} that are expected`)
    }
    if (this.#wanted.sha256 !== null && reply.sha256 !== null && reply.sha256 !== this.#wanted.sha256.toLowerCase()) {
      throw new WeightsRefused(`${this.#wanted.url} is another file: its sha256 is ${reply.sha256}, not ${this.#wanted.sha256}`)
    }
    this.#total ??= reply.bytes
    this.#sha256 ??= reply.sha256
  }

  async #body(response: Response): Promise<void> {
    const reader = response.body?.getReader()
    if (reader === undefined) return
    const file = await open(this.#part, "a")
    try {
      for (;;) {
        const { done, value } = await this.#read(reader)
        if (done) return
        await this.#write(file, value)
      }
    } finally {
      await reader.cancel().catch(() => {}) // the connection is given up; how it takes that does not matter
      await file.sync()
      await file.close()
    }
  }

  async #read(reader: { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> }): Promise<{ readonly done: true; readonly value?: undefined } | { readonly done: false; readonly value: Uint8Array }> {
    let timer: ReturnType<typeof setTimeout> | undefined
    let onAbort = () => {}
    try {
      const { done, value } = await Promise.race([
        reader.read(),
        new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Unreachable(`no byte for ${DOWNLOAD_IDLE_TIMEOUT_MS / 1000} s`)), DOWNLOAD_IDLE_TIMEOUT_MS)
          onAbort = () => reject(this.#signal.reason)
          this.#signal.addEventListener("abort", onAbort, { once: true })
        }),
      ])
      return done || value === undefined ? { done: true } : { done: false, value }
    } catch (cause) {
      this.#signal.throwIfAborted()
      throw cause instanceof Unreachable ? cause : new Unreachable(`the connection broke: ${messageOf(cause)}`)
    } finally {
      clearTimeout(timer)
      this.#signal.removeEventListener("abort", onAbort)
    }
  }

  async #write(file: FileHandle, bytes: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted()
    await file.write(bytes)
    this.#hash.update(bytes)
    this.#have += bytes.length
    if (this.#total !== null && this.#have > this.#total) {
      await rm(this.#part, { force: true })
      throw new WeightsRefused(`${this.#wanted.url} sent more than the ${this.#total} bytes it announced`)
    }
    this.#events.onBytes(this.#have, this.#total)
  }

  async #finish(): Promise<{ readonly sha256: string; readonly bytes: number }> {
    const sha256 = this.#hash.digest("hex")
    const wanted = this.#sha256?.toLowerCase() ?? null
    if (wanted !== null && sha256 !== wanted) {
      await rm(this.#part, { force: true })
      await rm(`${this.#wanted.path}.part.json`, { force: true })
      throw new WeightsRefused(`${this.#wanted.url}: what came has sha256 ${sha256}, not ${wanted}; it was deleted`)
    }
    await rename(this.#part, this.#wanted.path)
    await rm(`${this.#wanted.path}.part.json`, { force: true })
    return { sha256, bytes: this.#have }
  }
}

/**
 * Resolves when the whole file stands at `path`. Rejects with Unreachable when the server does not answer (within 5 s at
 * first) or breaks off again and again, WeightsRefused when the file is wrong, and the signal's reason; what came is kept
 * in the first and last case.
 */
export const download = (wanted: Wanted, events: DownloadEvents, signal: AbortSignal): Promise<{ readonly sha256: string; readonly bytes: number }> =>
  new Download(wanted, events, signal).run()
