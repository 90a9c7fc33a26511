// The node's workers (W1–W4, W6): each has a supervised health fiber, a count of free slots and what its endpoint offers.
// Claimer asks for free slots, Runner takes and gives them back. State changes are logged once, not each probe.
import { Context, Effect, Latch, Layer } from "effect"
import { chooseModel } from "../llm/chooseModel.ts"
import { type Probe, probeEndpoint, type ServerKind } from "../llm/probe.ts"
import { DEFAULT_CONTEXT_TOKENS, findContextLimit } from "../llm/contextLimit.ts"
import type { Endpoint } from "../llm/LlmClient.ts"
import type { WorkerSettings } from "../settings/settings.ts"
import type { ClaimSlot } from "../store/JobStore.ts"
import type { WorkerRecord } from "../store/Registry.ts"
import { Wake } from "../store/Wake.ts"

/** After a failure the endpoint is asked again soon, then less often, up to its regular interval. */
const FIRST_RETRY_MS = 1_000
/** Slots of one claim; more jobs come with the next claim at once. */
const MAX_SLOTS = 64

interface State {
  settings: WorkerSettings
  healthy: boolean
  models: ReadonlyArray<string>
  /** Models that a call found missing, until the next probe; listed or not. */
  refused: ReadonlyArray<string>
  /** What answered the last good probe; it decides what a call may ask for. */
  server: ServerKind | null
  context_limit_tokens: number | null
  last_error: string | null
  inflight: number
  failures: number
  /** False while the endpoint is still being made ready (the embedded model). */
  reachable: boolean
  readonly probeNow: Latch.Latch
}

export interface WorkersShape {
  readonly settings: () => ReadonlyArray<WorkerSettings>
  /** Free slots, most free worker first, simulated slot by slot (W4). */
  readonly slots: () => ReadonlyArray<ClaimSlot>
  readonly take: (worker_id: string) => void
  readonly giveBack: (worker_id: string) => void
  /** A connection failure of a call: no claims until a probe succeeds (Q10). */
  readonly markUnhealthy: (worker_id: string, error: string) => void
  /** A call's answer that the endpoint has no such model: no job goes there for it until the next probe (Q21, W6). */
  readonly refuse: (worker_id: string, model: string, error: string) => void
  readonly endpoint: (worker_id: string, required_model: string | null) => { readonly endpoint: Endpoint; readonly note: string | null } | null
  readonly contextLimit: (worker_id: string) => number
  readonly records: () => ReadonlyArray<Omit<WorkerRecord, "node_id" | "last_seen_at">>
  /** Gives a worker whose endpoint is made at run time its address, or says why it is not there yet. */
  readonly setEndpoint: (worker_id: string, endpoint: { readonly url: string; readonly model: string; readonly size: WorkerSettings["size"] } | { readonly waiting: string }) => void
  /** Fires on each change that others may want to publish. */
  readonly onChange: (listener: () => void) => void
}

export const freeSlots = (states: ReadonlyArray<{ readonly slot: ClaimSlot; readonly free: number }>, max: number): ReadonlyArray<ClaimSlot> => {
  const left = states.map((s) => ({ ...s })).filter((s) => s.free > 0)
  const slots: Array<ClaimSlot> = []
  while (slots.length < max) {
    let best: (typeof left)[number] | undefined
    for (const candidate of left) if (candidate.free > (best?.free ?? 0)) best = candidate
    if (best === undefined) break
    best.free--
    slots.push(best.slot)
  }
  return slots
}

export class Workers extends Context.Service<Workers, WorkersShape>()("attacca/queue/Workers") {
  static readonly layer = (configured: ReadonlyArray<WorkerSettings>) => Layer.effect(Workers, Effect.gen(function*() {
    const wake = yield* Wake
    const states = new Map<string, State>()
    const listeners: Array<() => void> = []
    const changed = () => listeners.forEach((listener) => listener())
    for (const settings of configured) {
      const probeNow = yield* Latch.make(false)
      const state: State = { settings, healthy: false, models: [], refused: [], server: null, context_limit_tokens: settings.context_limit_tokens, last_error: null, inflight: 0, failures: 0, reachable: settings.endpoint !== "", probeNow }
      states.set(settings.id, state)
      if (settings.enabled) yield* watch(state, wake.open, changed).pipe(Effect.forkScoped)
    }
    const state = (id: string) => states.get(id)
    // Kept for as long as the worker offers the same: a claim is asked for after every job.
    const made = new WeakMap<State, { readonly of: ReadonlyArray<unknown>; readonly slot: ClaimSlot }>()
    const slotOf = (s: State): ClaimSlot => {
      const of = [s.settings, s.models, s.refused]
      const known = made.get(s)
      if (known?.of.every((value, i) => value === of[i]) === true) return known.slot
      const slot: ClaimSlot = { worker_id: s.settings.id, roles: s.settings.roles, models: s.settings.proxy || s.models.length === 0 ? null : claimable(offered(s)), ...(s.refused.length === 0 ? {} : { refuses: claimable(s.refused) }) }
      made.set(s, { of, slot })
      return slot
    }
    return Workers.of({
      settings: () => [...states.values()].map((s) => s.settings),
      slots: () => freeSlots([...states.values()].filter((s) => s.settings.enabled && s.settings.claims && s.healthy && s.reachable && hasModel(s))
        .map((s) => ({ slot: slotOf(s), free: s.settings.max_concurrency - s.inflight })), MAX_SLOTS),
      take: (id) => { const s = state(id); if (s) s.inflight++ },
      giveBack: (id) => { const s = state(id); if (s) { s.inflight = Math.max(0, s.inflight - 1); wake.open() } },
      markUnhealthy: (id, error) => {
        const s = state(id)
        if (!s) return
        s.healthy = false
        s.failures = Math.max(1, s.failures)
        s.last_error = error
        changed()
        s.probeNow.openUnsafe()
      },
      refuse: (id, model, error) => {
        const s = state(id)
        if (!s || s.refused.includes(model)) return
        s.refused = [...s.refused, model]
        s.last_error = error
        changed()
      },
      endpoint: (id, required) => {
        const s = state(id)
        if (!s || !s.reachable) return null
        const choice = chooseModel({ required, configured: s.settings.model, offered: offered(s) })
        // A piece's own model is never replaced by another: the job waits for a worker that offers it (Q21).
        if (required !== null && choice.note !== null) return null
        return { endpoint: { worker_id: id, url: s.settings.endpoint, api_key: s.settings.api_key, model: choice.model, ...(s.server === null ? {} : { server: s.server }) }, note: choice.note }
      },
      contextLimit: (id) => state(id)?.context_limit_tokens ?? DEFAULT_CONTEXT_TOKENS,
      records: () => [...states.values()].map((s) => ({
        id: s.settings.id, endpoint: s.settings.endpoint, enabled: s.settings.enabled, healthy: s.healthy, claims: s.settings.claims, roles: s.settings.roles,
        models: offered(s), inflight: s.inflight, max_concurrency: s.settings.max_concurrency, context_limit_tokens: s.context_limit_tokens, last_error: s.last_error,
      })),
      setEndpoint: (id, endpoint) => {
        const s = state(id)
        if (!s) return
        s.reachable = "url" in endpoint
        s.healthy = false
        s.failures = 0
        s.last_error = "url" in endpoint ? null : endpoint.waiting
        if ("url" in endpoint) s.settings = { ...s.settings, endpoint: endpoint.url, model: endpoint.model, size: endpoint.size }
        changed()
        s.probeNow.openUnsafe()
      },
      onChange: (listener) => { listeners.push(listener) },
    })
  }))
}

/** Ollama's `name` means `name:latest`, so a job that asks for either fits. */
const claimable = (models: ReadonlyArray<string>): ReadonlyArray<string> => models.flatMap((model) => (model.endsWith(":latest") ? [model, model.slice(0, -":latest".length)] : [model]))

const offered = (state: State): ReadonlyArray<string> => (state.refused.length === 0 ? state.models : state.models.filter((model) => !state.refused.includes(model)))

/** Something is left for a job that names no model: of a list any model, without a list the configured one. */
const hasModel = (state: State): boolean => (state.models.length === 0 ? !state.refused.includes(state.settings.model ?? "") : offered(state).length > 0)

const apply = (state: State, probe: Probe, open: () => void, changed: () => void): Effect.Effect<void> => {
  const { settings } = state
  const was = state.healthy
  const first = state.failures === 0 && !was
  state.healthy = probe.healthy
  state.models = probe.healthy ? probe.models : state.models
  state.refused = []
  state.server = probe.healthy ? probe.server : state.server
  state.last_error = probe.healthy ? null : probe.last_error
  state.failures = probe.healthy ? 0 : state.failures + 1
  if (was === probe.healthy && !first) return Effect.void
  changed()
  if (probe.healthy) open()
  return probe.healthy
    ? Effect.logInfo(`worker ${settings.id} is healthy: ${settings.endpoint}, models ${probe.models.join(", ") || "(no list)"}`)
    : Effect.logWarning(`worker ${settings.id} is unhealthy: ${probe.last_error ?? "no answer"}`)
}

const watch = (state: State, open: () => void, changed: () => void): Effect.Effect<void> => Effect.gen(function*() {
  for (;;) {
    yield* state.probeNow.close
    if (state.reachable) {
      const { settings } = state
      const probe = yield* probeEndpoint({ url: settings.endpoint, api_key: settings.api_key, model: settings.model })
      if (probe.healthy && state.context_limit_tokens === null) {
        state.context_limit_tokens = yield* findContextLimit({ url: settings.endpoint, api_key: settings.api_key, model: settings.model ?? probe.models[0] ?? null, server: probe.server, configured: settings.context_limit_tokens })
      }
      yield* apply(state, probe, open, changed)
    }
    const regular = state.settings.healthcheck_interval_seconds * 1000
    if (state.healthy || !state.reachable) yield* Effect.raceFirst(state.probeNow.await, Effect.sleep(regular))
    // A call that failed while probes succeed must not make a tight circle of claims and give-backs.
    if (!state.healthy && state.failures > 0) yield* Effect.sleep(Math.min(regular, FIRST_RETRY_MS * 2 ** Math.min(state.failures - 1, 6)))
  }
})
