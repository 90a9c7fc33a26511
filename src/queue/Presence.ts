// Publishes this node and its workers in the registry: at start, on each change of a worker's state, and regularly, so that
// other nodes see what is alive. Withdrawn when the node ends in order.
import { Cause, Context, Effect, Latch, Layer } from "effect"
import { Registry } from "../store/Registry.ts"
import { Workers } from "./Workers.ts"

export interface PresenceOptions {
  readonly node_id: string
  readonly url: string
  readonly version: string
  readonly interval_ms: number
}

/** A node not seen for this many publishing intervals is shown as unhealthy. */
export const STALE_INTERVALS = 3

export class Presence extends Context.Service<Presence, { readonly registered: () => boolean; readonly stale_ms: number }>()("attacca/queue/Presence") {
  static readonly layer = (options: PresenceOptions) => Layer.effect(Presence, Effect.gen(function*() {
    const [registry, workers] = [yield* Registry, yield* Workers]
    const changed = yield* Latch.make(false)
    let registered = false
    workers.onChange(() => changed.openUnsafe())
    const publish = Effect.suspend(() => registry.publish({ id: options.node_id, url: options.url, version: options.version }, workers.records())).pipe(
      Effect.tap(() => Effect.sync(() => { registered = true })),
      Effect.catchTag("StoreError", (error) => Effect.logWarning(`registry: ${error.message}`)),
      Effect.catchDefect((defect) => Effect.logError("publishing broke", Cause.die(defect))),
    )
    yield* Effect.addFinalizer(() => registry.withdraw(options.node_id).pipe(Effect.ignore))
    yield* publish
    yield* Effect.raceFirst(changed.await, Effect.sleep(options.interval_ms)).pipe(
      Effect.andThen(changed.close), Effect.andThen(publish), Effect.forever, Effect.forkScoped,
    )
    return Presence.of({ registered: () => registered, stale_ms: options.interval_ms * STALE_INTERVALS })
  }))
}
