// Keeps the leases of this node's runs (Q4): one statement for all of them. A lease that is no longer held stops its run,
// which then changes nothing. Runs without a sign of life are ended as failed attempts here too.
import { Effect, Layer, Schedule } from "effect"
import { Metrics } from "../metrics/Metrics.ts"
import { JobStore } from "../store/JobStore.ts"
import { Runner } from "./Runner.ts"

export interface HeartbeatOptions {
  readonly lease_ttl_ms: number
  readonly heartbeat_ms: number
  readonly max_silence_ms: number
}

const layer = (options: HeartbeatOptions) => Layer.effectDiscard(Effect.gen(function*() {
  const [jobs, runner, metrics] = [yield* JobStore, yield* Runner, yield* Metrics]
  const beat = Effect.gen(function*() {
    const leases = runner.leases()
    if (leases.length === 0) return
    const lost = yield* jobs.heartbeat(leases, options.lease_ttl_ms)
    // A run that ended while the statement ran is not there any more; interrupting it is a no-op.
    for (const lease of lost) yield* runner.interrupt(lease.id, "lost")
    metrics.leasesLost(lost.length)
    for (const id of runner.silent(options.max_silence_ms)) yield* runner.interrupt(id, "silent")
  }).pipe(Effect.catchTag("StoreError", (error) => Effect.logWarning(`heartbeat: ${error.message}`)))
  yield* beat.pipe(Effect.repeat(Schedule.spaced(options.heartbeat_ms)), Effect.forkScoped)
}))

/** A service that nobody asks anything: it works from its layer's start to its scope's end. */
export const Heartbeat = { layer }
