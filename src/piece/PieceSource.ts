// Finds pieces by name: the owner's own (in the database, so every node has them), then the site's (`pieces.custom_dir`),
// then the built-in ones (`pieces/` beside `src/`). Called by the HTTP surface at submission and by the commands. Built-in
// texts are read once; parsed pieces are kept by their text, so that a submit costs no parsing.
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { INSTALLATION } from "../settings/root.ts"
import { InvalidInput, StoreError } from "../job/errors.ts"
import type { Piece } from "../job/piece.ts"
import { didYouMean } from "../settings/suggest.ts"
import { Registry } from "../store/Registry.ts"
import type { Tool } from "../tools/Tool.ts"
import { lintPiece } from "./lint.ts"
import type { LintReport } from "./lint.ts"
import { parsePiece } from "./parse.ts"
import type { ParsedPiece } from "./parse.ts"
import { isPieceName } from "./schema.ts"

export type PieceOrigin = "owner" | "site" | "built-in"

export interface PieceText {
  readonly name: string
  readonly text: string
  readonly origin: PieceOrigin
}
export interface FoundPiece extends PieceText {
  readonly piece: Piece
}
export interface PieceSummary {
  readonly name: string
  readonly description: string
  readonly origin: PieceOrigin
  readonly valid: boolean
  /** Number of errors that refuse it. */
  readonly errors: number
}

export interface PieceSourceShape {
  /** The text as it is kept, also of a piece that is not valid; null when nobody has one of this name. */
  readonly read: (owner: string, name: string) => Effect.Effect<PieceText | null, StoreError>
  /** The piece to play. A broken one is InvalidInput, never passed over in favour of another of its name. */
  readonly find: (owner: string, name: string) => Effect.Effect<FoundPiece | null, InvalidInput | StoreError>
  /** As `find`; an unknown name is InvalidInput on the field `piece` that lists the names there are. */
  readonly require: (owner: string, name: string) => Effect.Effect<FoundPiece, InvalidInput | StoreError>
  /** One entry a name, the one that `find` would take, in the order of names. */
  readonly list: (owner: string) => Effect.Effect<ReadonlyArray<PieceSummary>, StoreError>
  /** What is wrong with a text; `name` is the one under which it would be kept, null for any. */
  readonly validate: (text: string, name: string | null) => Effect.Effect<LintReport>
  /** Keeps the owner's own copy; true when it is new. A text with lint errors is InvalidInput with line and column. */
  readonly put: (owner: string, name: string, text: string) => Effect.Effect<boolean, InvalidInput | StoreError>
  /** Removes the owner's own copy; false when there is none. */
  readonly remove: (owner: string, name: string) => Effect.Effect<boolean, StoreError>
}

export interface PieceSourceOptions {
  /** Absolute; null: none. */
  readonly custom_dir: string | null
  /** The installed tools, for lint. */
  readonly tools: ReadonlyArray<Tool>
  /** Models that enabled workers offer; null: not known. */
  readonly models: Effect.Effect<ReadonlyArray<string> | null>
  /** Folder of the built-in pieces; for tests. */
  readonly builtin_dir?: string
}

const BUILTIN_DIR = join(INSTALLATION, "pieces")
const MAX_PARSED = 256

const isMissing = (cause: unknown) => cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR")
const ioError = (what: string, cause: unknown) => new StoreError({ reason: "io", detail: `${what} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` })

/** The text of `NAME.yaml` in a folder, null when it is not there. */
const readText = (directory: string, name: string): Effect.Effect<string | null, StoreError> => {
  const file = join(directory, `${name}.yaml`)
  return Effect.tryPromise({ try: () => readFile(file, "utf8").catch((cause: unknown) => { if (isMissing(cause)) return null; throw cause }), catch: (cause) => ioError(file, cause) })
}

const namesIn = (directory: string): Effect.Effect<ReadonlyArray<string>, StoreError> => Effect.tryPromise({
  try: async () => {
    const files = await readdir(directory).catch((cause: unknown) => { if (isMissing(cause)) return []; throw cause })
    return files.filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length)).filter(isPieceName)
  },
  catch: (cause) => ioError(directory, cause),
})

/** Names of the pieces that come with the installation. */
export const builtinNames: Effect.Effect<ReadonlyArray<string>, StoreError> = namesIn(BUILTIN_DIR)

/** Parsed pieces by text, the longest unused dropped first. */
export const parseCache = () => {
  const known = new Map<string, ParsedPiece>()
  return (text: string): ParsedPiece => {
    const parsed = known.get(text) ?? parsePiece(text)
    known.delete(text)
    known.set(text, parsed)
    const oldest = known.keys().next().value
    if (known.size > MAX_PARSED && oldest !== undefined) known.delete(oldest)
    return parsed
  }
}

const make = (options: PieceSourceOptions) => Effect.gen(function*() {
  const registry = yield* Registry
  const parsed = parseCache()
  const builtin = new Map<string, string>()
  const builtinDir = options.builtin_dir ?? BUILTIN_DIR

  const readBuiltin = Effect.fnUntraced(function*(name: string) {
    const known = builtin.get(name)
    if (known !== undefined) return known
    const text = yield* readText(builtinDir, name)
    if (text !== null) builtin.set(name, text)
    return text
  })

  const read: PieceSourceShape["read"] = Effect.fn("PieceSource.read")(function*(owner, name) {
    if (!isPieceName(name)) return null
    const own = yield* registry.piece(owner, name)
    if (own !== null) return { name, text: own.text, origin: "owner" }
    const site = options.custom_dir === null ? null : yield* readText(options.custom_dir, name)
    if (site !== null) return { name, text: site, origin: "site" }
    const text = yield* readBuiltin(name)
    return text === null ? null : { name, text, origin: "built-in" }
  })

  const find: PieceSourceShape["find"] = Effect.fn("PieceSource.find")(function*(owner, name) {
    const found = yield* read(owner, name)
    if (found === null) return null
    const result = parsed(found.text)
    if (result._tag === "Valid") return { ...found, piece: result.piece }
    return yield* new InvalidInput({ detail: `the ${found.origin === "owner" ? "" : `${found.origin} `}piece "${name}" is not valid`, errors: result.errors })
  })

  /** Origins by name; an earlier origin hides a later one. */
  const names = Effect.fnUntraced(function*(owner: string) {
    const own = yield* registry.pieces(owner)
    const site = options.custom_dir === null ? [] : yield* namesIn(options.custom_dir)
    const all = new Map<string, PieceText | null>()
    for (const name of [...(yield* namesIn(builtinDir)), ...site]) all.set(name, null)
    for (const { name, text } of own) all.set(name, { name, text, origin: "owner" })
    return all
  })

  const list: PieceSourceShape["list"] = Effect.fn("PieceSource.list")(function*(owner) {
    const entries = [...(yield* names(owner))].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const found = yield* Effect.forEach(entries, ([name, own]) => (own === null ? read(owner, name) : Effect.succeed(own)), { concurrency: 8 })
    return found.filter((piece) => piece !== null).map(({ name, text, origin }): PieceSummary => {
      const result = parsed(text)
      return result._tag === "Valid"
        ? { name, description: result.piece.description, origin, valid: true, errors: 0 }
        : { name, description: "", origin, valid: false, errors: result.errors.length }
    })
  })

  const unknown = (name: string, known: Iterable<string>) => {
    const all = [...known].toSorted()
    const message = `there is no piece "${name.slice(0, 100)}"${all.length === 0 ? "" : `; the pieces are: ${all.join(", ")}`}${didYouMean(name, all)}`
    return new InvalidInput({ detail: message, errors: [{ path: "piece", message }] })
  }

  const validate: PieceSourceShape["validate"] = (text, name) => Effect.map(options.models, (models) => lintPiece(text, { tools: options.tools, models, name }))

  return PieceSource.of({
    read, find, list, validate,
    require: Effect.fn("PieceSource.require")(function*(owner, name) {
      return (yield* find(owner, name)) ?? (yield* Effect.flatMap(names(owner), (known) => Effect.fail(unknown(name, known.keys()))))
    }),
    put: Effect.fn("PieceSource.put")(function*(owner, name, text) {
      if (!isPieceName(name)) {
        const message = "the name of a piece has letters, digits, dash and underscore (64 at most)"
        return yield* new InvalidInput({ detail: message, errors: [{ path: "name", message }] })
      }
      const report = yield* validate(text, name)
      if (!report.valid) return yield* new InvalidInput({ detail: `the piece "${name}" is not valid`, errors: report.errors })
      return yield* registry.putPiece(owner, name, text)
    }),
    remove: (owner, name) => (isPieceName(name) ? registry.deletePiece(owner, name) : Effect.succeed(false)),
  })
})

export class PieceSource extends Context.Service<PieceSource, PieceSourceShape>()("attacca/piece/PieceSource") {
  static readonly layer = (options: PieceSourceOptions): Layer.Layer<PieceSource, never, Registry> => Layer.effect(PieceSource, make(options))
}
