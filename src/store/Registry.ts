// The registry of nodes and workers, and the pieces that were put through the API (P1): small tables that every node reads.
import { asc, eq } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import type { StoreError } from "../job/errors.ts"
import { Database } from "./Database.ts"
import { deletePieceWrite, publishWrite, putPieceWrite, withdrawWrite } from "./registryWrites.ts"
import { NOW } from "./sql.ts"
import { nodes, pieces, workers } from "./tables.ts"
import { Writer } from "./Writer.ts"

export interface NodeRecord {
  readonly id: string
  readonly url: string
  readonly version: string
  readonly healthy: boolean
  readonly started_at: number
  readonly last_seen_at: number
}

export interface WorkerRecord {
  readonly id: string
  readonly node_id: string
  readonly endpoint: string
  readonly enabled: boolean
  readonly healthy: boolean
  readonly claims: boolean
  readonly roles: ReadonlyArray<string>
  readonly models: ReadonlyArray<string>
  readonly inflight: number
  readonly max_concurrency: number
  readonly context_limit_tokens: number | null
  readonly last_error: string | null
  readonly last_seen_at: number
}

export interface PieceRow {
  readonly name: string
  readonly owner: string
  readonly text: string
  readonly updated_at: number
}

export interface RegistryShape {
  /** Writes the node and all of its workers; workers it no longer has are removed. Times are the database's. */
  readonly publish: (node: Omit<NodeRecord, "healthy" | "started_at" | "last_seen_at">, workers: ReadonlyArray<Omit<WorkerRecord, "node_id" | "last_seen_at">>) => Effect.Effect<void, StoreError>
  readonly withdraw: (node_id: string) => Effect.Effect<void, StoreError>
  /** `healthy` is false for a node not seen for `stale_ms`, and so for its workers. */
  readonly nodes: (stale_ms: number) => Effect.Effect<ReadonlyArray<NodeRecord>, StoreError>
  readonly workers: (stale_ms: number) => Effect.Effect<ReadonlyArray<WorkerRecord>, StoreError>
  readonly pieces: (owner: string) => Effect.Effect<ReadonlyArray<PieceRow>, StoreError>
  readonly piece: (owner: string, name: string) => Effect.Effect<PieceRow | null, StoreError>
  /** True when the piece is new. */
  readonly putPiece: (owner: string, name: string, text: string) => Effect.Effect<boolean, StoreError>
  readonly deletePiece: (owner: string, name: string) => Effect.Effect<boolean, StoreError>
}

/** Asked before every submission, so it is a prepared text and not a built query. */
const PIECE = "SELECT text, updated_at FROM pieces WHERE owner = ?1 AND name = ?2"

export class Registry extends Context.Service<Registry, RegistryShape>()("attacca/store/Registry") {
  static readonly layer = Layer.effect(Registry, Effect.gen(function*() {
    const database = yield* Database
    const writer = yield* Writer
    const published = new Set<string>()
    const now = Effect.map(database.read({ sql: `SELECT ${NOW}`, args: [] }), ([row]) => Number(row?.[0]))
    return Registry.of({
      publish: (node, workers) =>
        Effect.tap(Effect.suspend(() => writer.write(publishWrite, { node, workers, first: !published.has(node.id) })), () => Effect.sync(() => published.add(node.id))),
      withdraw: (node_id) => Effect.tap(writer.write(withdrawWrite, node_id), () => Effect.sync(() => published.delete(node_id))),
      nodes: Effect.fn("Registry.nodes")(function*(stale_ms) {
        const present = yield* now
        const rows = yield* database.query((orm) => orm.select().from(nodes).orderBy(asc(nodes.id)))
        return rows.map((row): NodeRecord => ({ ...row, healthy: present - row.last_seen_at <= stale_ms }))
      }),
      workers: Effect.fn("Registry.workers")(function*(stale_ms) {
        const present = yield* now
        const rows = yield* database.query((orm) => orm.select().from(workers).orderBy(asc(workers.node_id), asc(workers.id)))
        return rows.map((row): WorkerRecord => ({ ...row, healthy: row.healthy && present - row.last_seen_at <= stale_ms }))
      }),
      pieces: Effect.fn("Registry.pieces")(function*(owner) {
        return yield* database.query((orm) => orm.select().from(pieces).where(eq(pieces.owner, owner)).orderBy(asc(pieces.name)))
      }),
      piece: Effect.fn("Registry.piece")(function*(owner, name) {
        const [row] = yield* database.read({ sql: PIECE, args: [owner, name] })
        return row === undefined ? null : { owner, name, text: String(row[0]), updated_at: Number(row[1]) }
      }),
      putPiece: (owner, name, text) => writer.write(putPieceWrite, { owner, name, text }),
      deletePiece: (owner, name) => writer.write(deletePieceWrite, { owner, name }),
    })
  }))
}
