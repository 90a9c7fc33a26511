// Claims jobs for free slots (Q2, Q5, W4): woken by an enqueue, a freed slot or a worker that became healthy; polls with
// jitter only as the fallback for what other nodes enqueue and for retries that fall due. Stops when the node drains.
import { Cause, Effect, Layer, Schedule } from "effect"
import { Metrics } from "../metrics/Metrics.ts"
import { JobStore } from "../store/JobStore.ts"
import { Wake } from "../store/Wake.ts"
import { Runner } from "./Runner.ts"
import { Workers } from "./Workers.ts"

export interface ClaimerOptions {
  readonly node_id: string
  readonly lease_ttl_ms: number
  readonly poll_ms: number
}

const claimOnce = (options: ClaimerOptions) => Effect.gen(function*() {
  const [workers, runner, jobs, metrics] = [yield* Workers, yield* Runner, yield* JobStore, yield* Metrics]
  for (;;) {
    const slots = runner.draining() ? [] : workers.slots()
    if (slots.length === 0) return
    const claimed = yield* jobs.claim({ node_id: options.node_id, slots, lease_ttl_ms: options.lease_ttl_ms })
    for (const job of claimed) yield* runner.start(job)
    metrics.claimed(claimed.length)
    if (claimed.length < slots.length) return
  }
})

const layer = (options: ClaimerOptions) => Layer.effectDiscard(Effect.gen(function*() {
  const wake = yield* Wake
  const jitter = () => options.poll_ms * (0.75 + Math.random() * 0.5)
  const round = claimOnce(options).pipe(
    // A claim that fell between commit and answer is put back by the rescue of its lease.
    Effect.uninterruptible,
    Effect.retry(Schedule.exponential("100 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 4 }))),
    Effect.catchTag("StoreError", (error) => Effect.logWarning(`claim: ${error.message}`)),
    // A fault in one round must not end claiming for good; the next round comes by poll or wake-up.
    Effect.catchDefect((defect) => Effect.logError("claim broke", Cause.die(defect))),
  )
  yield* round.pipe(
    Effect.andThen(Effect.suspend(() => Effect.raceFirst(wake.next, Effect.sleep(jitter())))),
    Effect.forever,
    Effect.forkScoped,
  )
}))

/** A service that nobody asks anything: it works from its layer's start to its scope's end. */
export const Claimer = { layer }
