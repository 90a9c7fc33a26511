// When a failed attempt runs again (Q9). Pure: the store writes what this says.

export interface RetrySettings {
  readonly max_attempts: number
  /** Seconds to wait after the first, second, … failed attempt; the last value repeats. */
  readonly backoff_seconds: ReadonlyArray<number>
}

/** Milliseconds until the next run, or null when `attempt` (from 1) was the last one allowed. */
export const retryDelayMs = (attempt: number, settings: RetrySettings): number | null => {
  if (attempt >= settings.max_attempts) return null
  const { backoff_seconds } = settings
  const seconds = backoff_seconds[Math.min(attempt, backoff_seconds.length) - 1] ?? 0
  return Math.round(seconds * 1000)
}
