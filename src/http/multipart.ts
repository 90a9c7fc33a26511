// Reads a `multipart/form-data` submission: the JSON in the part `task`, and each part `files` straight into its place, so
// that an upload never stands in memory (100 MB cost 30 MB of memory; `request.formData()` took 200). Files are written one
// after the other, as they come. Called by routes/tasks.ts, which removes the workspace when this fails.
import { Effect, Exit } from "effect"
import type { BusboyHeaders } from "@fastify/busboy"
import type { Readable as NodeReadable } from "node:stream"
import type { InputIssue, InvalidInput } from "../job/errors.ts"
import { type FileEntry, PathRefused, type WorkspaceError } from "../workspace/Workspace.ts"
import { invalid, limitedStream, MAX_TEXT_BODY_BYTES } from "./body.ts"
import { BadRequest, type TooLarge } from "./problem.ts"

/** As many as a list of files shows. */
const MAX_FILES = 10_000
/** Files that have come and are not on the disk yet; small ones come faster than a disk can sync them. */
const MAX_PENDING = 32
/** Parts that are not files: `task` and a few that are then refused by name. */
const MAX_FIELDS = 20

export interface Upload {
  /** The text of the part `task`. */
  readonly task: string
  readonly files: ReadonlyArray<FileEntry>
}

export type StoreFile = (name: string, body: ReadableStream<Uint8Array>) => Effect.Effect<FileEntry, PathRefused | WorkspaceError>
type UploadFailure = TooLarge | BadRequest | InvalidInput | WorkspaceError

/** `a` and `dir/a` land in the same place. */
const placeOf = (name: string) => name.split(/[\\/]/).pop() ?? name

/** What has come so far. A wrong part is remembered and skipped, so that all wrong parts are named at once. */
class Parts {
  readonly errors: Array<InputIssue> = []
  readonly files: Array<FileEntry> = []
  private readonly places = new Set<string>()
  private count = 0
  task: string | null = null
  failed: WorkspaceError | null = null
  /** The rest will never come: files that have not been begun are left. */
  cutOff = false
  /** Ends when all files that have come are stored; they are stored one after the other. */
  stored: Promise<void> = Promise.resolve()
  pending = 0
  /** Ends when the file that is being stored now is stored. */
  oldest: Promise<void> = Promise.resolve()

  constructor(readonly store: (name: string, stream: NodeReadable) => Promise<Exit.Exit<FileEntry, PathRefused | WorkspaceError>>, readonly stop: () => void) {}

  onField(name: string, value: string, truncated: boolean): void {
    if (name !== "task") this.errors.push({ path: name, message: 'unknown part; send "task" and "files"' })
    else if (this.task !== null) this.errors.push({ path: "task", message: "sent more than once" })
    else if (truncated) this.errors.push({ path: "task", message: `longer than ${MAX_TEXT_BODY_BYTES} bytes` })
    else this.task = value
  }

  onFile(name: string, stream: NodeReadable, filename: string | undefined): void {
    const path = `files[${this.count}]`
    const refuse = (error: InputIssue | null) => {
      if (error !== null) this.errors.push(error)
      stream.resume()
    }
    if (name !== "files") return refuse({ path: name, message: 'unknown part; send files as "files"' })
    // A browser's form sends an empty part where no file was chosen.
    if (filename === undefined || filename === "") {
      stream.once("data", () => this.errors.push({ path, message: "the file has no name" }))
      return refuse(null)
    }
    this.count++
    const place = placeOf(filename)
    if (this.places.has(place)) return refuse({ path, message: `another file is named ${JSON.stringify(place)} too` })
    this.places.add(place)
    this.pending++
    this.stored = this.stored.then(() => (this.oldest = this.keep(path, filename, stream))).finally(() => { this.pending-- })
  }

  private async keep(path: string, filename: string, stream: NodeReadable): Promise<void> {
    if (this.cutOff || this.failed !== null) return void stream.resume()
    const exit = await this.store(filename, stream)
    if (Exit.isSuccess(exit)) {
      this.files.push(exit.value)
      return
    }
    for (const reason of exit.cause.reasons) {
      if (reason._tag !== "Fail") continue
      if (reason.error instanceof PathRefused) this.errors.push({ path, message: reason.error.message })
      else this.failed ??= reason.error
    }
    if (this.failed === null) stream.resume()
    else this.stop()
  }
}

/** The body's chunks, held back while too many files wait for the disk. */
const paced = async function*(stream: ReadableStream<Uint8Array>, parts: Parts): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    yield chunk
    while (parts.pending > MAX_PENDING) await parts.oldest
  }
}

const receive = async (stream: ReadableStream<Uint8Array>, type: string, store: StoreFile, run: RunStore, signal: AbortSignal): Promise<Parts> => {
  const [{ Busboy }, { Readable }, { pipeline }] = await Promise.all([import("@fastify/busboy"), import("node:stream"), import("node:stream/promises")])
  const stopped = new AbortController()
  const open = new Set<NodeReadable>()
  const parts = new Parts((name, file) => {
    open.add(file)
    return run(store(name, Readable.toWeb(file) as unknown as ReadableStream<Uint8Array>)).finally(() => open.delete(file))
  }, () => stopped.abort())
  const parser = new Busboy({
    headers: { "content-type": type } as BusboyHeaders, preservePath: true,
    isPartAFile: (field, _type, filename) => field !== "task" && (filename !== undefined || field === "files"),
    limits: { fieldSize: MAX_TEXT_BODY_BYTES, fields: MAX_FIELDS, files: MAX_FILES },
  })
  parser.on("field", (name, value, _nameCut, valueCut) => parts.onField(name, value, valueCut))
  parser.on("file", (name, file, filename: string | undefined) => parts.onFile(name, file, filename))
  parser.on("filesLimit", () => parts.errors.push({ path: "files", message: `more than ${MAX_FILES} files` }))
  parser.on("fieldsLimit", () => parts.errors.push({ path: "", message: `more than ${MAX_FIELDS} parts that are not files` }))
  try {
    await pipeline(Readable.from(paced(stream, parts), { objectMode: false }), parser, { signal: AbortSignal.any([signal, stopped.signal]) })
  } catch (cause) {
    if (parts.failed === null) {
      // A file whose end never came would be waited for without end.
      parts.cutOff = true
      for (const file of open) file.destroy(new Error("the upload was cut off"))
      await parts.stored
      throw cause
    }
  }
  await parts.stored
  return parts
}

type RunStore = (effect: Effect.Effect<FileEntry, PathRefused | WorkspaceError>) => Promise<Exit.Exit<FileEntry, PathRefused | WorkspaceError>>

/** Stores every file by `store`; fails with all wrong parts named. `max_bytes` bounds the whole body. */
export const readUpload = (request: Request, max_bytes: number, store: StoreFile): Effect.Effect<Upload, UploadFailure> => Effect.gen(function*() {
  const { stream, failure } = yield* limitedStream(request, max_bytes)
  const run: RunStore = Effect.runPromiseExitWith(yield* Effect.context<never>())
  const parts = yield* Effect.tryPromise({
    try: (signal) => receive(stream, request.headers.get("content-type") ?? "", store, run, signal),
    catch: (cause) => failure() ?? new BadRequest({ detail: `the multipart body cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` }),
  })
  if (parts.failed !== null) return yield* failure() ?? parts.failed
  const missing = parts.task === null && !parts.errors.some((error) => error.path === "task")
  const errors = missing ? [...parts.errors, { path: "task", message: 'the part "task" with the JSON of the task is missing' }] : parts.errors
  if (errors.length > 0 || parts.task === null) return yield* invalid(errors)
  return { task: parts.task, files: parts.files }
})
