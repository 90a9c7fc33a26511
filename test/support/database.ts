// A real store in a temporary directory of its own, for tests: `withStore` opens it, runs the body and closes it;
// `openStore` leaves that to the caller. Also the values that tests submit, and a sqld primary for the tests with many nodes.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, ManagedRuntime } from "effect"
import { v7 } from "uuid"
import type { ClaimedJob, NewTask } from "../../src/job/record.ts"
import type { Outcome } from "../../src/job/outcome.ts"
import { JobStore } from "../../src/store/JobStore.ts"
import type { FinishRequest } from "../../src/store/JobStore.ts"
import { storeLayer } from "../../src/store/layer.ts"
import type { Store, StoreOptions } from "../../src/store/layer.ts"

export const AGEING_MS = 60_000
export const LEASE_MS = 30_000

export const newTask = (changes: Partial<NewTask> = {}): NewTask => ({
  title: "a task", instruction: "do it", piece: "general", piece_text: "name: general\n", role: "auto", model: null, priority: "medium", output_format: "markdown",
  ask_policy: "low", options: {}, visibility: "private", owner: "local", idempotency_key: null, max_attempts: 3, workspace: v7(), notice: null, ...changes,
})

export const slot = (worker_id = "w1", roles: ReadonlyArray<string> = ["auto"], models: ReadonlyArray<string> | null = null) => ({ worker_id, roles, models })

export const claim = (slots = [slot()], node_id = "n1", lease_ttl_ms = LEASE_MS) => JobStore.use((jobs) => jobs.claim({ node_id, slots, lease_ttl_ms }))

/** The one job that waits. */
export const claimOne = Effect.map(claim(), ([job]): ClaimedJob => {
  if (job === undefined) throw new Error("nothing to claim")
  return job
})

export const finish = (job: { readonly id: string; readonly fence: number }, outcome: Outcome, changes: Partial<FinishRequest> = {}) =>
  JobStore.use((jobs) => jobs.finish({ id: job.id, fence: job.fence, outcome, backoff_seconds: [60, 300, 900], movements: 1, context_actions: 0, ...changes }))

export const succeeded = (result = "done"): Outcome => ({ _tag: "Succeeded", result })

export const failed = (retryable: boolean, error = "it broke"): Outcome => ({ _tag: "Failed", abort_reason: "timeout", error, retryable, resume_movement: null })

export const temporaryDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "attacca-store-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export const optionsFor = (url: string, changes: Partial<StoreOptions> = {}): StoreOptions => ({ url, auth_token: null, lock: url.startsWith("file:"), ageing_ms: AGEING_MS, max_give_backs: 10, ...changes })

export const openStore = (url: string, changes: Partial<StoreOptions> = {}): ManagedRuntime.ManagedRuntime<Store, unknown> => ManagedRuntime.make(storeLayer(optionsFor(url, changes)))

/** Runs the body over a fresh database file, and removes it. */
export const withStore = async <A, E>(body: Effect.Effect<A, E, Store>, changes: Partial<StoreOptions> = {}): Promise<A> => {
  const directory = temporaryDirectory()
  const store = openStore(`file:${directory.path}/attacca.db`, changes)
  try {
    return await store.runPromise(body)
  } finally {
    await store.dispose()
    directory.remove()
  }
}
