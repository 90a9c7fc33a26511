// Event-loop lag: how much later than asked a timer fires, over the last minute. Measured here because the runtime's own
// histogram of it stays empty. Costs one timer of 20 ms.

const INTERVAL_MS = 20
const KEPT = 3_000

export interface Lag {
  /** Milliseconds that a share of the timers (0 to 1) stayed under; 0 before the first. */
  readonly quantile: (share: number) => number
  readonly stop: () => void
}

export const measureLag = (now: () => number = () => performance.now()): Lag => {
  const kept = new Float64Array(KEPT)
  let count = 0
  let due = now() + INTERVAL_MS
  const timer = setInterval(() => {
    const at = now()
    kept[count++ % KEPT] = Math.max(0, at - due)
    due = at + INTERVAL_MS
  }, INTERVAL_MS)
  timer.unref()
  return {
    quantile: (share) => {
      const sorted = kept.slice(0, Math.min(count, KEPT)).sort()
      return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    },
    stop: () => clearInterval(timer),
  }
}
