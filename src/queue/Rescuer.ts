// Puts back jobs whose lease ran out, by the database's clock, whichever node held them (Q4). At start a node also frees
// what an earlier process of its own still holds, since those leases are known to be dead.
import { Cause, Effect, Layer, Schedule } from "effect"
import { JobStore } from "../store/JobStore.ts"
import { Wake } from "../store/Wake.ts"

export interface RescuerOptions {
  readonly node_id: string
  readonly interval_ms: number
}

const layer = (options: RescuerOptions) => Layer.effectDiscard(Effect.gen(function*() {
  const [jobs, wake] = [yield* JobStore, yield* Wake]
  const own = yield* jobs.rescueNode(options.node_id)
  if (own.length > 0) yield* Effect.logInfo(`${own.length} jobs of an earlier process of this node go on from their journal`)
  const round = jobs.rescue().pipe(
    Effect.tap((ids) => (ids.length === 0 ? Effect.void : Effect.logWarning(`${ids.length} jobs whose lease ran out were put back: ${ids.slice(0, 10).join(", ")}`))),
    Effect.tap((ids) => Effect.sync(() => { if (ids.length > 0) wake.open() })),
    Effect.catchTag("StoreError", (error) => Effect.logWarning(`rescue: ${error.message}`)),
    Effect.catchDefect((defect) => Effect.logError("rescue broke", Cause.die(defect))),
  )
  yield* Effect.sleep(options.interval_ms).pipe(Effect.andThen(round), Effect.repeat(Schedule.forever), Effect.forkScoped)
}))

/** A service that nobody asks anything: it works from its layer's start to its scope's end. */
export const Rescuer = { layer }
