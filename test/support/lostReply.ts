// A store whose connection loses the reply of every batch once: the batch is committed, and its writer is told that the
// database cannot be reached. Whatever is written through it must come out as if it had been written once.
import { Effect, Layer, ManagedRuntime } from "effect"
import { StoreError } from "../../src/job/errors.ts"
import { Database } from "../../src/store/Database.ts"
import { EventLog } from "../../src/store/EventLog.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import { Journal } from "../../src/store/Journal.ts"
import type { Store } from "../../src/store/layer.ts"
import { Registry } from "../../src/store/Registry.ts"
import type { Connection } from "../../src/store/sql.ts"
import { TaskStore } from "../../src/store/TaskStore.ts"
import { Wake } from "../../src/store/Wake.ts"
import { Writer } from "../../src/store/Writer.ts"
import { optionsFor, temporaryDirectory } from "./database.ts"

/** Every other batch is committed without a word. */
const forgetful = (connection: Connection): Connection => {
  let heard = true
  return {
    ...connection,
    batch: async (statements) => {
      const results = await connection.batch(statements)
      heard = !heard
      if (!heard) throw new StoreError({ reason: "unreachable", detail: "the reply was lost" })
      return results
    },
  }
}

export const withLostReplies = async <A, E>(body: Effect.Effect<A, E, Store>): Promise<A> => {
  const directory = temporaryDirectory()
  const options = optionsFor(`file:${directory.path}/attacca.db`)
  const database = Layer.effect(Database, Effect.map(Database, (real) => Database.of({ ...real, connection: forgetful(real.connection) }))).pipe(Layer.provide(Database.layer(options)))
  const store = ManagedRuntime.make(Layer.mergeAll(EventLog.layer, JobStore.layer(options), TaskStore.layer(options), Journal.layer, Registry.layer).pipe(
    Layer.provideMerge(Layer.mergeAll(Writer.layer, Wake.layer)),
    Layer.provideMerge(database),
  ))
  try {
    return await store.runPromise(body)
  } finally {
    await store.dispose()
    directory.remove()
  }
}
