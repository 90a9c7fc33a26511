// The registry of nodes and workers, and the pieces that were put through the API (P1): small tables that every node reads.
import { Context } from "effect"
import type { Effect } from "effect"
import type { StoreError } from "../job/errors.ts"

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
  /** `healthy` is false for a node not seen for `stale_ms`. */
  readonly nodes: (stale_ms: number) => Effect.Effect<ReadonlyArray<NodeRecord>, StoreError>
  readonly workers: (stale_ms: number) => Effect.Effect<ReadonlyArray<WorkerRecord>, StoreError>
  readonly pieces: (owner: string) => Effect.Effect<ReadonlyArray<PieceRow>, StoreError>
  readonly piece: (owner: string, name: string) => Effect.Effect<PieceRow | null, StoreError>
  /** True when the piece is new. */
  readonly putPiece: (owner: string, name: string, text: string) => Effect.Effect<boolean, StoreError>
  readonly deletePiece: (owner: string, name: string) => Effect.Effect<boolean, StoreError>
}

export class Registry extends Context.Service<Registry, RegistryShape>()("attacca/store/Registry") {}
