// Comments and audit entries as writes, each known by an id of its operation so that writing it twice adds nothing. The
// `comment` event of a message follows from the schema's trigger.
import type { AuditRecord, CommentRecord } from "../job/record.ts"
import type { AuditAction } from "./audit.ts"
import { COMMENT_FIELDS, commentOfJson } from "./records.ts"
import { NOW, rowsOf, toJson } from "./sql.ts"
import type { NewComment } from "./TaskStore.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

export interface CommentOperation extends NewComment {
  readonly op: string
}

// Rows: 0 task_id, 1 job_id, 2 author, 3 kind, 4 body, 5 mode, 6 op.
const COMMENT = `WITH ${rowsOf("i", "?1")}
INSERT INTO comments (task_id, job_id, author, kind, body, mode, created_at, uid)
SELECT t.id, i.v->>1, i.v->>2, i.v->>3, i.v->>4, i.v->>5, ${NOW}, i.v->>6 FROM i CROSS JOIN tasks t ON t.id = i.v->>0
WHERE NOT EXISTS (SELECT 1 FROM comments c WHERE c.uid = i.v->>6)
ORDER BY i.n`

const POSTED = `SELECT i.key, json_array(${COMMENT_FIELDS.map((field) => `c.${field}`).join(", ")}) FROM json_each(?1) i CROSS JOIN comments c ON c.uid = i.value`

/** Answers the row, null when there is no such task. */
export const commentWrite: WriteKind<CommentOperation, CommentRecord | null> = {
  name: "comment",
  order: ORDER.comment,
  touches: (output, input, mark) => { if (output !== null) mark(input.task_id) },
  plan: (inputs) => ({
    statements: [
      { sql: COMMENT, args: [toJson(inputs.map(({ task_id, job_id, author, kind, body, mode, op }) => [task_id, job_id, author, kind, body, mode, op]))] },
      { sql: POSTED, args: [toJson(inputs.map(({ op }) => op))] },
    ],
    read: (results) => {
      const posted = new Map((results[1] ?? []).map(([k, json]) => [Number(k), commentOfJson(String(json))]))
      return inputs.map((_, k) => posted.get(k) ?? null)
    },
  }),
}

export interface AuditOperation extends Omit<AuditRecord, "id" | "at" | "action"> {
  readonly action: AuditAction
  readonly op: string
}

const AUDIT = `WITH ${rowsOf("i", "?1")}
INSERT INTO audit (at, actor, action, task_id, job_id, detail, uid)
SELECT ${NOW}, i.v->>0, i.v->>1, i.v->>2, i.v->>3, i.v->>4, i.v->>5 FROM i WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.uid = i.v->>5) ORDER BY i.n`

export const auditWrite: WriteKind<AuditOperation, void> = {
  name: "audit",
  order: ORDER.comment,
  plan: (inputs) => ({
    statements: [{ sql: AUDIT, args: [toJson(inputs.map(({ actor, action, task_id, job_id, detail, op }) => [actor, action, task_id, job_id, JSON.stringify(detail), op]))] }],
    read: () => inputs.map(() => undefined),
  }),
}
