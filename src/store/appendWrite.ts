// An append to a job's journal (Q6) as a write: events, entries, progress comments and the job row's new figures in one commit, all where the
// row still has the run's fence. Entries and events travel as text inside the argument, so no shape that a model makes
// (depth, odd characters) can upset the statement.
import type { Append } from "./Journal.ts"
import { NOW, rowsOf, tableOf, toJson } from "./sql.ts"
import { ORDER } from "./Writer.ts"
import type { WriteKind } from "./Writer.ts"

export interface AppendOperation extends Append {
  /** Id of this operation. */
  readonly op: string
}

// Rows: 0 job_id, 1 fence, 2 event, 3 data, 4 op on the first event of an append (its guard), else null, 5 op.
const EVENTS = `WITH ${rowsOf("i", "?1")}
INSERT INTO events (task_id, job_id, at, event, data, uid)
SELECT j.task_id, j.id, ${NOW}, i.v->>2, i.v->>3, i.v->>4 FROM i CROSS JOIN jobs j ON j.id = i.v->>0
WHERE j.fence = i.v->>1 AND j.status = 'running' AND NOT EXISTS (SELECT 1 FROM events e WHERE e.uid = i.v->>5)
ORDER BY i.n`

// Rows: 0 job_id, 1 fence, 2 attempt, 3 seq, 4 kind, 5 data. The same seq under another fence is a conflict, not a repetition.
const ENTRIES = `WITH ${rowsOf("i", "?1")}
INSERT INTO journal (job_id, seq, fence, attempt, at, kind, data)
SELECT j.id, i.v->>3, j.fence, i.v->>2, ${NOW}, i.v->>4, i.v->>5 FROM i CROSS JOIN jobs j ON j.id = i.v->>0
WHERE j.fence = i.v->>1 AND j.status = 'running'
  AND NOT EXISTS (SELECT 1 FROM journal x WHERE x.job_id = j.id AND x.seq = i.v->>3 AND x.fence = j.fence)`

// Rows: 0 job_id, 1 fence, 2 body, 3 uid.
const COMMENTS = `WITH ${rowsOf("i", "?1")}
INSERT INTO comments (task_id, job_id, author, kind, body, created_at, uid)
SELECT j.task_id, j.id, 'system', 'progress', i.v->>2, ${NOW}, i.v->>3 FROM i CROSS JOIN jobs j ON j.id = i.v->>0
WHERE j.fence = i.v->>1 AND j.status = 'running' AND NOT EXISTS (SELECT 1 FROM comments c WHERE c.uid = i.v->>3)
ORDER BY i.n`

// Rows: 0 job_id, 1 fence, then the figures. A completed LLM call ends a row of give-backs (Q10).
const FIGURES = `WITH ${tableOf("p", "?1", 12)}
UPDATE jobs SET current_movement = p.c2, current_activity = p.c3, last_backend_id = p.c4, context_used_tokens = p.c5, context_limit_tokens = p.c6,
  prompt_tokens = p.c7, completion_tokens = p.c8, cached_tokens = p.c9, give_backs = CASE WHEN p.c10 > llm_calls THEN 0 ELSE give_backs END, llm_calls = p.c10, tool_calls = p.c11
FROM p WHERE jobs.id = +p.c0 AND jobs.fence = p.c1 AND jobs.status = 'running'
RETURNING id, fence`

/** Said after a lost reply, since the same batch may also have ended the run. Rows: 0 job_id, 1 fence, 2 seq, null without entries, 3 op. */
const WRITTEN = `WITH ${rowsOf("i", "?1")}
SELECT i.n FROM i WHERE EXISTS (SELECT 1 FROM journal x WHERE x.job_id = i.v->>0 AND x.seq = i.v->>2 AND x.fence = i.v->>1) OR EXISTS (SELECT 1 FROM events e WHERE e.uid = i.v->>3)`

/** Answers false when the row has another fence or is no longer running. */
export const appendWrite: WriteKind<AppendOperation, boolean> = {
  name: "append",
  order: ORDER.append,
  touches: (output, input, mark) => { if (output && input.events.length > 0) mark(input.task_id) },
  plan: (inputs, again) => {
    const events = inputs.flatMap(({ job_id, fence, events, op }) =>
      events.map(({ event, data }, k) => [job_id, fence, event, JSON.stringify(data), k === 0 ? op : null, op]))
    const entries = inputs.flatMap(({ job_id, fence, attempt, seq, entries }) =>
      entries.map((entry, k) => [job_id, fence, attempt, seq + k, entry.kind, JSON.stringify(entry)]))
    const comments = inputs.flatMap(({ job_id, fence, comments, op }) => comments.map((body, k) => [job_id, fence, body, `${op}/${k}`]))
    const figures = new Map(inputs.map(({ job_id, fence, progress: p }) => [`${job_id}/${fence}`, [
      job_id, fence, p.current_movement, p.current_activity, p.last_backend_id, p.context_used_tokens, p.context_limit_tokens,
      p.prompt_tokens, p.completion_tokens, p.cached_tokens, p.llm_calls, p.tool_calls,
    ]]))
    const statements = [
      ...(events.length === 0 ? [] : [{ sql: EVENTS, args: [toJson(events)] }]),
      ...(entries.length === 0 ? [] : [{ sql: ENTRIES, args: [toJson(entries)] }]),
      ...(comments.length === 0 ? [] : [{ sql: COMMENTS, args: [toJson(comments)] }]),
      { sql: FIGURES, args: [toJson([...figures.values()])] },
      ...(again ? [{ sql: WRITTEN, args: [toJson(inputs.map(({ job_id, fence, seq, entries, op }) => [job_id, fence, entries.length > 0 ? seq : null, op]))] }] : []),
    ]
    return {
      statements,
      read: (results) => {
        const held = new Set((results.at(again ? -2 : -1) ?? []).map(([id, fence]) => `${id}/${fence}`))
        const written = new Set((again ? results.at(-1) ?? [] : []).map(([k]) => Number(k)))
        return inputs.map(({ job_id, fence }, k) => held.has(`${job_id}/${fence}`) || written.has(k))
      },
    }
  },
}
