// The typed value of attacca.yaml with every default filled in. Loading, expansion and checking stand in `load.ts`; the
// schema in `schema.ts` is the authority for keys and defaults, this type is what the rest of the code sees.

export interface WorkerSettings {
  readonly id: string
  readonly endpoint: string
  readonly model: string | null
  readonly api_key: string | null
  readonly roles: ReadonlyArray<string>
  readonly max_concurrency: number
  readonly proxy: boolean
  readonly vlm: boolean
  readonly enabled: boolean
  /** False: endpoint only, claims nothing (W15). */
  readonly claims: boolean
  readonly size: "small" | "normal"
  readonly healthcheck_interval_seconds: number
  readonly context_limit_tokens: number | null
}

export interface Settings {
  /** Absolute. */
  readonly data_dir: string
  readonly node_id: string | null
  readonly shutdown_grace_seconds: number
  readonly time_zone: string
  readonly http: { readonly host: string; readonly port: number; readonly advertise_url: string | null; readonly max_body_bytes: number; readonly allowed_hosts: ReadonlyArray<string> }
  readonly llm: { readonly timeout_minutes: number; readonly idle_timeout_seconds: number; readonly connect_timeout_seconds: number; readonly retries: number; readonly max_give_backs: number }
  /** `url` is resolved: `file:` with an absolute path, or remote. */
  readonly database: { readonly url: string; readonly sync_url: string | null; readonly auth_token: string | null }
  readonly cluster: { readonly secret: string | null }
  readonly workers: ReadonlyArray<WorkerSettings>
  readonly retry: { readonly max_attempts: number; readonly backoff_seconds: ReadonlyArray<number> }
  readonly lease: { readonly ttl_seconds: number; readonly heartbeat_seconds: number }
  readonly ask: { readonly max_per_job: number }
  readonly subtasks: { readonly max_depth: number; readonly max_per_parent: number }
  readonly queue: { readonly ageing_seconds: number; readonly poll_seconds: number }
  readonly safety: { readonly prompt_guard_ratio: number; readonly drop_results_ratio: number; readonly summarise_ratio: number; readonly loop_warn: number; readonly loop_abort: number }
  readonly pieces: { readonly custom_dir: string | null }
  readonly plugins: { readonly dir: string; readonly allow_paths: ReadonlyArray<string>; readonly limits: Readonly<Record<string, number>> }
  readonly workspaces: { readonly shared: boolean; readonly remote: string | null; readonly sync_max_bytes: number }
  readonly embedded: { readonly enabled: "auto" | boolean; readonly model: string | null; readonly sha256: string | null }
  readonly browser: { readonly endpoints: ReadonlyArray<string> }
  readonly auth: { readonly mode: "none" | "oidc" }
  readonly log: { readonly level: "debug" | "info" | "warn" | "error"; readonly format: "auto" | "text" | "json" }
}
