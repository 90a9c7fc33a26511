// What the command line reads of the API's answers: only the fields it shows. The authority is /openapi.json of the node;
// fields that a newer node adds are ignored.

export interface Job {
  readonly id: string
  readonly status: string
  readonly attempt: number
  readonly max_attempts: number
  readonly next_retry_at: string | null
  readonly error_summary: string | null
  readonly abort_reason: string | null
  readonly wait_reason: string | null
  readonly required_role: string
  readonly current_movement: string | null
  readonly current_activity: string | null
  readonly worker_id: string | null
  readonly context: { readonly used_tokens: number; readonly limit_tokens: number }
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly cached_tokens: number; readonly llm_calls: number; readonly tool_calls: number }
  readonly created_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
}

export interface File {
  readonly path: string
  readonly bytes: number
}

export interface Task {
  readonly id: number
  readonly title: string
  readonly instruction: string
  readonly status: string
  readonly piece: string
  readonly role: string
  readonly notice?: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly job: Job | null
  readonly files: { readonly input: ReadonlyArray<File>; readonly output: ReadonlyArray<File> }
  readonly result: string | null
}

export interface Comment {
  readonly id: number
  readonly author: string
  readonly kind: string
  readonly body: string
  readonly created_at: string
}

export interface Worker {
  readonly id: string
  readonly enabled: boolean
  readonly healthy: boolean
  readonly claims: boolean
  readonly roles: ReadonlyArray<string>
  readonly inflight: number
  readonly max_concurrency: number
  readonly last_error: string | null
}

export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly next_cursor: string | null
}

/** One server-sent event of a task. `id` is empty when the server gave none. */
export interface TaskEvent {
  readonly id: string
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}
