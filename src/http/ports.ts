// What the HTTP surface needs of the rest of the system besides the stores: filled by the wiring (app.ts of the node, edge.ts
// without one), replaced by plain values in tests.
import type { Effect } from "effect"
import type { JobRecord } from "../job/record.ts"
import type { SettingsDifference } from "../settings/difference.ts"
import type { SettingsError } from "../settings/load.ts"
import type { WorkerSettings } from "../settings/settings.ts"

/** Stops runs on this node. */
export interface Control {
  /** Stops the run of this job on this node at once and ends when nothing of it is left; does nothing when it does not run here. */
  readonly interrupt: (job_id: string) => Effect.Effect<void>
  /** The same for a job that has just been cancelled, which is also counted. */
  readonly cancelled: (job: JobRecord) => Effect.Effect<void>
}

export interface Ports {
  readonly control: Control
  /** Reads the configuration again and takes over what can be taken over without a restart. */
  readonly reload: Effect.Effect<SettingsDifference, SettingsError>
  /** This node's workers, found and embedded ones included; none on the edge. */
  readonly workers: () => ReadonlyArray<WorkerSettings>
  /** Prometheus text. */
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>
  /** Null on the edge: there is no node to be registered. */
  readonly node: { readonly id: string; readonly registered: () => boolean } | null
  /** A node or worker not seen for so long is shown as unhealthy. */
  readonly stale_ms: number
  readonly version: string
}
