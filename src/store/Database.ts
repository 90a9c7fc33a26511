// The open database: a file held by this process alone, or a remote primary. Writes go through the Writer only; reads
// come here, typed by Drizzle. Opening takes the lock, migrates, and fails with one clear StoreError.
import { accessSync, constants, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { drizzle } from "drizzle-orm/sqlite-proxy"
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { StoreError } from "../job/errors.ts"
import { toStoreError } from "./failure.ts"
import { openFile } from "./fileConnection.ts"
import { migrate } from "./migrate.ts"
import { lockFile } from "./processLock.ts"
import type { Connection, Rows, SqlValue, Statement } from "./sql.ts"

export interface DatabaseOptions {
  /** `file:` with an absolute path, or `libsql:`, `http(s):`, `ws(s):`. */
  readonly url: string
  readonly auth_token: string | null
  /** False: no process lock on a file; for tools that look at a database beside its node. */
  readonly lock: boolean
  /** Shown to whoever is refused the lock: the node's address. */
  readonly about?: string
}

const makeOrm = (connection: Connection) =>
  drizzle(async (sql, params: ReadonlyArray<unknown>, method) => {
    const rows = await connection.read({ sql, args: params.map(toValue) })
    return { rows: (method === "get" ? rows[0] : rows) as Array<unknown> }
  })
export type Orm = ReturnType<typeof makeOrm>

export interface DatabaseShape {
  readonly connection: Connection
  readonly read: (statement: Statement) => Effect.Effect<Rows, StoreError>
  /** A read with Drizzle's query builder. */
  readonly query: <A>(build: (orm: Orm) => PromiseLike<A>) => Effect.Effect<A, StoreError>
}

export class Database extends Context.Service<Database, DatabaseShape>()("attacca/store/Database") {
  static readonly layer = (options: DatabaseOptions): Layer.Layer<Database, StoreError> => Layer.effect(Database, open(options))
}

const open = Effect.fn("Database.open")(function*(options: DatabaseOptions) {
  const connection = yield* options.url.startsWith("file:") ? acquireFile(options) : acquireRemote(options)
  yield* promised(() => migrate(connection))
  const orm = makeOrm(connection)
  return Database.of({
    connection,
    read: (statement) => promised(() => connection.read(statement)),
    query: (build) => promised(async () => await build(orm)),
  })
})

const acquireFile = (options: DatabaseOptions): Effect.Effect<Connection, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    const path = pathOf(options.url)
    yield* attempt(() => makeWritable(dirname(path)))
    if (options.lock) yield* Effect.acquireRelease(attempt(() => lockFile(path, options.about ?? "")), (release) => Effect.sync(release))
    return yield* Effect.acquireRelease(attempt(() => openFile(path)), (connection) => Effect.sync(() => connection.close()))
  })

const acquireRemote = (options: DatabaseOptions): Effect.Effect<Connection, StoreError, Scope.Scope> =>
  // Loaded only where it is needed: the client brings an engine of its own.
  Effect.acquireRelease(promised(async () => (await import("./remoteConnection.ts")).openRemote(options.url, options.auth_token)), (connection) => Effect.sync(() => connection.close()))

/** `file:/a`, `file:///a` and the relative `file:a` of hand-written settings. */
export const pathOf = (url: string): string => url.startsWith("file:/") ? fileURLToPath(url) : url.slice("file:".length)

const makeWritable = (folder: string): void => {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw new StoreError({ reason: "read_only", detail: `the folder ${folder} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}` })
  }
}

const attempt = <A>(body: () => A): Effect.Effect<A, StoreError> => Effect.try({ try: body, catch: (cause) => toStoreError(cause, false) })

const promised = <A>(body: () => Promise<A>): Effect.Effect<A, StoreError> => Effect.tryPromise({ try: body, catch: (cause) => toStoreError(unwrap(cause), false) })

/** Drizzle wraps what a driver throws. */
const unwrap = (cause: unknown): unknown => cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause

const toValue = (value: unknown): SqlValue => {
  if (value === null || typeof value === "string" || typeof value === "number") return value
  if (typeof value === "boolean") return value ? 1 : 0
  throw new TypeError(`not a value that the database holds: ${typeof value}`)
}
