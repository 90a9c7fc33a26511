// The published list of audit actions (Q22). A job's moves are written by the schema's triggers from the row's `move`
// column; every other act is written by name. Names are `thing.act`, in the past tense.
import type { Status } from "../job/state.ts"

/** A job that comes to a status by its own run, or by nobody's doing, is audited under this name. */
export const MOVED_TO: Record<Status, AuditAction> = {
  queued: "job.given_back",
  running: "job.claimed",
  retry: "job.retry_scheduled",
  waiting_human: "job.parked",
  waiting_subtasks: "job.waits_for_subtasks",
  succeeded: "job.succeeded",
  failed: "job.failed",
  cancelled: "job.cancelled",
}

export const AUDIT_ACTIONS = [
  "task.submitted", "task.deleted",
  "job.claimed", "job.given_back", "job.rescued", "job.retry_scheduled", "job.parked", "job.waits_for_subtasks", "job.succeeded",
  "job.failed", "job.cancelled", "job.retried_by_hand", "job.continued", "job.resumed",
  "comment.posted", "file.uploaded", "file.refused", "piece.put", "piece.deleted", "origin.refused", "host.refused", "config.reloaded",
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

const known: ReadonlySet<string> = new Set(AUDIT_ACTIONS)
export const isAuditAction = (name: string): name is AuditAction => known.has(name)

/** SQL: the audit action for a status expression. */
export const actionOf = (status: string): string =>
  `CASE ${status} ${Object.entries(MOVED_TO).map(([to, action]) => `WHEN '${to}' THEN '${action}'`).join(" ")} END`
