// The wake latch between enqueue and claim (Q5): opened when a job that could be claimed is about to be committed, so that
// the claim can join the very same write batch. Coalescing: many openings before a wait is over count once.
import { Context, Effect, Latch, Layer } from "effect"

export interface WakeShape {
  readonly open: () => void
  /** Resolves once for all openings since the last call. */
  readonly next: Effect.Effect<void>
}

export class Wake extends Context.Service<Wake, WakeShape>()("attacca/store/Wake") {
  static readonly layer = Layer.effect(Wake, Effect.gen(function*() {
    const latch = yield* Latch.make(true)
    return Wake.of({ open: () => { latch.openUnsafe() }, next: latch.await.pipe(Effect.andThen(latch.close), Effect.asVoid) })
  }))
}
