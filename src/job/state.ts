// The one table of legal status moves (Q1). The store's guarded writes and the HTTP routes both ask it; a move that
// is not here is refused with an error that names both statuses. Pure; see the property test.
import { IllegalMove } from "./errors.ts"

export const STATUSES = ["queued", "running", "retry", "waiting_human", "waiting_subtasks", "succeeded", "failed", "cancelled"] as const
export type Status = (typeof STATUSES)[number]

/** Who moves a job: the claimer takes it, its run ends it, a rescuer puts it back, a person or a parent acts on it. */
export const MOVERS = ["claimer", "run", "rescuer", "person", "scheduler"] as const
export type Mover = (typeof MOVERS)[number]

const MOVES: Record<Status, Partial<Record<Status, ReadonlyArray<Mover>>>> = {
  queued: { running: ["claimer"], cancelled: ["person"], failed: ["rescuer"] },
  retry: { running: ["claimer"], cancelled: ["person"] },
  running: {
    queued: ["run", "rescuer"],
    retry: ["run", "rescuer"],
    waiting_human: ["run", "rescuer"],
    waiting_subtasks: ["run"],
    succeeded: ["run"],
    failed: ["run", "rescuer"],
    cancelled: ["run", "person"],
  },
  waiting_human: { queued: ["person", "scheduler"], cancelled: ["person"] },
  waiting_subtasks: { queued: ["run", "rescuer"], failed: ["rescuer"], cancelled: ["person"] },
  succeeded: {},
  failed: {},
  cancelled: {},
}

export const TERMINAL: ReadonlySet<Status> = new Set(["succeeded", "failed", "cancelled"])
export const isTerminal = (status: Status): boolean => TERMINAL.has(status)

export const mayMove = (from: Status, to: Status, mover: Mover): boolean => MOVES[from][to]?.includes(mover) ?? false

/** Null when the move is legal, else the error that names both statuses. */
export const checkMove = (from: Status, to: Status, mover: Mover): IllegalMove | null =>
  mayMove(from, to, mover) ? null : new IllegalMove({ from, to, mover })

/** The statuses from which `mover` may go to `to`: the guard of a SQL UPDATE is built from this list. */
export const sourcesOf = (to: Status, mover: Mover): ReadonlyArray<Status> => STATUSES.filter((from) => mayMove(from, to, mover))
