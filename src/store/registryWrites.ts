// Writes to the registry of nodes and workers, and to the pieces that were put through the API. They are small, rare and
// repeatable as they stand, so each input brings its own statements.
import type { NodeRecord, PieceRow, WorkerRecord } from "./Registry.ts"
import { NOW, storable, toJson } from "./sql.ts"
import type { Rows, Statement } from "./sql.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

const each = <I, O>(name: string, statementsOf: (input: I) => ReadonlyArray<Statement>, read: (results: ReadonlyArray<Rows>) => O): WriteKind<I, O> => ({
  name,
  order: ORDER.registry,
  plan: (inputs) => {
    const parts = inputs.map(statementsOf)
    let from = 0
    const spans = parts.map((part) => [from, from += part.length] as const)
    return { statements: parts.flat(), read: (results) => spans.map(([start, end]) => read(results.slice(start, end))) }
  },
})

export interface Publication {
  readonly node: Omit<NodeRecord, "healthy" | "started_at" | "last_seen_at">
  readonly workers: ReadonlyArray<Omit<WorkerRecord, "node_id" | "last_seen_at">>
  /** This process has not published the node before: it starts now, whatever an earlier process left. */
  readonly first: boolean
}

const NODE = `INSERT INTO nodes (id, url, version, started_at, last_seen_at) VALUES (?1, ?2, ?3, ${NOW}, ${NOW})
ON CONFLICT (id) DO UPDATE SET url = excluded.url, version = excluded.version, started_at = CASE WHEN ?4 THEN excluded.started_at ELSE started_at END, last_seen_at = excluded.last_seen_at`
const WORKERS = `INSERT INTO workers (node_id, id, endpoint, enabled, healthy, claims, roles, models, inflight, max_concurrency, context_limit_tokens, last_error, last_seen_at)
SELECT ?1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9, value->>10, ${NOW} FROM json_each(?2) WHERE true
ON CONFLICT (node_id, id) DO UPDATE SET endpoint = excluded.endpoint, enabled = excluded.enabled, healthy = excluded.healthy, claims = excluded.claims, roles = excluded.roles,
  models = excluded.models, inflight = excluded.inflight, max_concurrency = excluded.max_concurrency, context_limit_tokens = excluded.context_limit_tokens,
  last_error = excluded.last_error, last_seen_at = excluded.last_seen_at`
const GONE = "DELETE FROM workers WHERE node_id = ?1 AND id NOT IN (SELECT value->>0 FROM json_each(?2))"

export const publishWrite: WriteKind<Publication, void> = each<Publication, void>("publish", ({ node, workers, first }) => {
  const rows = toJson(workers.map((w) => [
    w.id, w.endpoint, w.enabled ? 1 : 0, w.healthy ? 1 : 0, w.claims ? 1 : 0, JSON.stringify(w.roles), JSON.stringify(w.models), w.inflight, w.max_concurrency, w.context_limit_tokens, w.last_error,
  ]))
  return [{ sql: NODE, args: [node.id, node.url, node.version, first ? 1 : 0] }, { sql: WORKERS, args: [node.id, rows] }, { sql: GONE, args: [node.id, rows] }]
}, () => undefined)

export const withdrawWrite: WriteKind<string, void> = each<string, void>("withdraw", (node_id) => [
  { sql: "DELETE FROM workers WHERE node_id = ?", args: [node_id] },
  { sql: "DELETE FROM nodes WHERE id = ?", args: [node_id] },
], () => undefined)

const KNOWN = "SELECT 1 FROM pieces WHERE owner = ?1 AND name = ?2"
const PUT = `INSERT INTO pieces (owner, name, text, updated_at) VALUES (?1, ?2, ?3, ${NOW}) ON CONFLICT (owner, name) DO UPDATE SET text = excluded.text, updated_at = excluded.updated_at`

/** Answers true when the piece is new. (After a lost reply a new piece may be told as known.) */
export const putPieceWrite: WriteKind<Omit<PieceRow, "updated_at">, boolean> = each("putPiece", ({ owner, name, text }) => [
  { sql: KNOWN, args: [owner, name] },
  { sql: PUT, args: [owner, name, storable(text)] },
], ([known]) => known?.length === 0)

/** Answers whether there was such a piece. */
export const deletePieceWrite: WriteKind<Pick<PieceRow, "owner" | "name">, boolean> = each("deletePiece", ({ owner, name }) => [
  { sql: KNOWN, args: [owner, name] },
  { sql: "DELETE FROM pieces WHERE owner = ? AND name = ?", args: [owner, name] },
], ([known]) => (known?.length ?? 0) > 0)
