// Keeps the leases of this node's runs (Q4): one statement for all of them. A lease that is no longer held stops its run,
// which then changes nothing. Runs without a sign of life are ended as failed attempts here too.
import { Cause, Effect, Layer, Schedule } from "effect"
import { Metrics } from "../metrics/Metrics.ts"
import { JobStore, type Lease } from "../store/JobStore.ts"
import { Runner } from "./Runner.ts"

export interface HeartbeatOptions {
  readonly lease_ttl_ms: number
  readonly heartbeat_ms: number
  readonly max_silence_ms: number
}

const keyOf = ({ id, fence }: Lease): string => `${id}/${fence}`

const layer = (options: HeartbeatOptions) => Layer.effectDiscard(Effect.gen(function*() {
  const [jobs, runner, metrics] = [yield* JobStore, yield* Runner, yield* Metrics]
  // Not waited for: a run that is slow to stop must not cost the others their leases.
  const stop = (id: string, mark: "lost" | "silent") => Effect.forkChild(runner.interrupt(id, mark), { startImmediately: true })
  const beat = Effect.gen(function*() {
    const leases = runner.leases()
    if (leases.length === 0) return
    const refused = yield* jobs.heartbeat(leases, options.lease_ttl_ms)
    // A run that ended or was cancelled while the statement ran has lost nothing.
    const kept = new Set(runner.leases().map(keyOf))
    const lost = refused.filter((lease) => kept.has(keyOf(lease)))
    metrics.leasesLost(lost.length)
    for (const { id } of lost) yield* stop(id, "lost")
    for (const id of runner.silent(options.max_silence_ms)) yield* stop(id, "silent")
  }).pipe(
    Effect.catchTag("StoreError", (error) => Effect.logWarning(`heartbeat: ${error.message}`)),
    Effect.catchDefect((defect) => Effect.logError("heartbeat broke", Cause.die(defect))),
  )
  yield* beat.pipe(Effect.repeat(Schedule.spaced(options.heartbeat_ms)), Effect.forkScoped)
}))

/** A service that nobody asks anything: it works from its layer's start to its scope's end. */
export const Heartbeat = { layer }
