// Group commit (decision 3): every write of the store passes here. What is asked within one tick becomes one batch, each
// kind of operation in a constant number of statements, and each caller is answered after the commit. A kind's operations
// carry an id or a guard, so doing one twice changes nothing: a lost reply is answered by writing the batch again, and a
// batch with a bad operation is written operation by operation, so that the bad one fails alone.
import { Context, Effect, Layer } from "effect"
import type { StoreError } from "../job/errors.ts"
import { StoreError as Failure } from "../job/errors.ts"
import { Database } from "./Database.ts"
import { isOperationsOwn, isTransient, toStoreError } from "./failure.ts"
import type { Connection, Rows, Statement } from "./sql.ts"

/** Operations in one batch; bounds how long a batch holds the process and the primary. */
const BATCH_LIMIT = 512
/** Operations that may wait; beyond it callers are told that the store is busy. */
const WAITING_LIMIT = 20_000
/** Pauses before a batch that met a busy or unreachable database is tried again; after the last it fails. */
const PAUSES_MS = [5, 10, 20, 40, 80, 150, 300, 500, 900, 1500, 2500]

/** Places of the kinds in a batch: a claim sees what the same tick submitted, and a rescue before it what it freed. */
export const ORDER = { submit: 0, append: 1, comment: 2, finish: 3, move: 4, rescue: 5, registry: 6, heartbeat: 7, claim: 8 } as const

export interface Plan<O> {
  readonly statements: ReadonlyArray<Statement>
  /** The rows of these statements → one output for each input. */
  readonly read: (results: ReadonlyArray<Rows>) => ReadonlyArray<O>
}

export interface WriteKind<I, O> {
  readonly name: string
  /** One of ORDER. */
  readonly order: number
  /** `again`: an earlier try may have been committed although its reply was lost. `kinds`: the names of all kinds in the batch. */
  readonly plan: (inputs: ReadonlyArray<I>, again: boolean, kinds?: ReadonlySet<string>) => Plan<O>
  /** Marks the tasks for which this operation wrote events. */
  readonly touches?: (output: O, input: I, mark: (task_id: number) => void) => void
}

export interface WriterShape {
  /** Answers after the commit. Interrupting the caller does not take the write back. */
  readonly write: <I, O>(kind: WriteKind<I, O>, input: I) => Effect.Effect<O, StoreError>
  /** Called after each commit that wrote events, before the callers are answered. Must not throw. */
  readonly onCommit: (listener: (task_ids: ReadonlySet<number>) => void) => void
  /** Since the start; for metrics and tests. */
  readonly stats: () => { readonly batches: number; readonly operations: number; readonly waiting: number }
}

export class Writer extends Context.Service<Writer, WriterShape>()("attacca/store/Writer") {
  static readonly layer = Layer.effect(Writer, Effect.gen(function*() {
    const { connection } = yield* Database
    const queue = new CommitQueue(connection)
    yield* Effect.addFinalizer(() => Effect.promise(() => queue.close()))
    return Writer.of({
      write: (kind, input) => Effect.callback((resume) => {
        queue.add(kind, input, (output) => resume(Effect.succeed(output)), (error) => resume(Effect.fail(error)))
      }),
      onCommit: (listener) => { queue.listeners.push(listener) },
      stats: () => ({ batches: queue.batches, operations: queue.operations, waiting: queue.waiting }),
    })
  }))
}

/** An operation on its way. The types of its input and output are known to its kind alone. */
interface Operation {
  readonly kind: WriteKind<unknown, unknown>
  readonly input: unknown
  readonly succeed: (output: unknown) => void
  readonly fail: (error: StoreError) => void
}

class CommitQueue {
  readonly listeners: Array<(task_ids: ReadonlySet<number>) => void> = []
  batches = 0
  operations = 0
  private pending: Array<Operation> = []
  private flushing: Promise<void> | null = null
  private closed = false

  constructor(private readonly connection: Connection) {}

  get waiting(): number {
    return this.pending.length
  }

  add<I, O>(kind: WriteKind<I, O>, input: I, succeed: (output: O) => void, fail: (error: StoreError) => void): void {
    if (this.closed) return fail(new Failure({ reason: "closed", detail: "the store is closed" }))
    if (this.pending.length >= WAITING_LIMIT) return fail(new Failure({ reason: "busy", detail: `${WAITING_LIMIT} writes are waiting already` }))
    this.pending.push({ kind, input, succeed, fail } as Operation)
    this.flushing ??= this.flush()
  }

  /** Refuses new operations and resolves when the waiting ones are written. */
  async close(): Promise<void> {
    this.closed = true
    await this.flushing
  }

  private async flush(): Promise<void> {
    while (this.pending.length > 0) {
      await tick()
      const operations = this.pending.splice(0, BATCH_LIMIT)
      await this.commit(operations)
    }
    this.flushing = null
  }

  /** Writes the operations and answers each of them. Never rejects. */
  private async commit(operations: ReadonlyArray<Operation>): Promise<void> {
    const error = await this.write(operations, false)
    if (error === null) return
    if (operations.length === 1 || !isOperationsOwn(error)) return operations.forEach((operation) => operation.fail(error))
    for (const operation of operations) {
      const own = await this.write([operation], true)
      if (own !== null) operation.fail(own)
    }
  }

  /** One batch, tried again while that may help; null when it is committed and its operations are answered. */
  private async write(operations: ReadonlyArray<Operation>, again: boolean): Promise<StoreError | null> {
    for (let attempt = 0; ; attempt++) {
      try {
        const batch = new Batch(operations, again || attempt > 0)
        const results = await this.connection.batch(batch.statements)
        this.batches++
        this.operations += operations.length
        batch.answer(results, this.listeners)
        return null
      } catch (cause) {
        const error = toStoreError(cause, this.connection.kind === "remote")
        const pause = PAUSES_MS[attempt]
        if (!isTransient(error) || pause === undefined) return error
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
  }
}

/** The statements of some operations, and the way back from their rows to each caller. */
class Batch {
  readonly statements: Array<Statement> = []
  private readonly parts: Array<{ readonly operations: ReadonlyArray<Operation>; readonly plan: Plan<unknown>; readonly from: number }> = []

  constructor(operations: ReadonlyArray<Operation>, again: boolean) {
    const byKind = new Map<WriteKind<unknown, unknown>, Array<Operation>>()
    for (const operation of operations) {
      const same = byKind.get(operation.kind)
      if (same === undefined) byKind.set(operation.kind, [operation])
      else same.push(operation)
    }
    const kinds = [...byKind.keys()].sort((a, b) => a.order - b.order)
    const names = new Set(kinds.map((kind) => kind.name))
    for (const kind of kinds) {
      const same = byKind.get(kind) ?? []
      const plan = kind.plan(same.map((operation) => operation.input), again, names)
      this.parts.push({ operations: same, plan, from: this.statements.length })
      this.statements.push(...plan.statements)
    }
  }

  answer(results: ReadonlyArray<Rows>, listeners: ReadonlyArray<(task_ids: ReadonlySet<number>) => void>): void {
    const touched = new Set<number>()
    const mark = (task_id: number) => { touched.add(task_id) }
    const answers = this.parts.map(({ operations, plan, from }) => {
      const outputs = plan.read(results.slice(from, from + plan.statements.length))
      operations.forEach(({ kind, input }, k) => kind.touches?.(outputs[k], input, mark))
      return outputs
    })
    if (touched.size > 0) for (const listener of listeners) listener(touched)
    this.parts.forEach(({ operations }, part) => operations.forEach(({ succeed }, k) => succeed(answers[part]?.[k])))
  }
}

/** Two turns of the event loop: fibers that were just woken by this tick's callers get to ask for their writes too. */
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
