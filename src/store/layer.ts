// The wiring of the store: one database, one writer, and the services over them. Closing the scope refuses new writes,
// commits the waiting ones, closes the database and lets its lock go, in that order.
import { Layer } from "effect"
import type { StoreError } from "../job/errors.ts"
import { Database } from "./Database.ts"
import type { DatabaseOptions } from "./Database.ts"
import { EventLog } from "./EventLog.ts"
import { JobStore } from "./JobStore.ts"
import type { JobStoreOptions } from "./JobStore.ts"
import { Journal } from "./Journal.ts"
import { Registry } from "./Registry.ts"
import { TaskStore } from "./TaskStore.ts"
import { Wake } from "./Wake.ts"
import { Writer } from "./Writer.ts"

export type StoreOptions = DatabaseOptions & JobStoreOptions
export type Store = Database | Writer | Wake | EventLog | JobStore | TaskStore | Journal | Registry

export const storeLayer = (options: StoreOptions): Layer.Layer<Store, StoreError> =>
  Layer.mergeAll(EventLog.layer, JobStore.layer(options), TaskStore.layer(options), Journal.layer, Registry.layer).pipe(
    Layer.provideMerge(Layer.mergeAll(Writer.layer, Wake.layer)),
    Layer.provideMerge(Database.layer(options)),
  )
