// One turn at the model at a time, in the order of arrival: two at once gain nothing on one machine. A request that is
// given up leaves the line at once.
import { MAX_WAITING_REQUESTS } from "./limits.ts"

export class QueueFull extends Error {}

export class Turnstile {
  #busy = false
  readonly #waiting: Array<() => void> = []

  get waiting(): number {
    return this.#waiting.length
  }

  get busy(): boolean {
    return this.#busy
  }

  /** Resolves with the function that ends the turn. Rejects with the signal's reason, or QueueFull. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#busy) {
      if (this.#waiting.length >= MAX_WAITING_REQUESTS) throw new QueueFull(`${MAX_WAITING_REQUESTS} requests are waiting already`)
      await new Promise<void>((resolve, reject) => {
        const go = () => {
          signal.removeEventListener("abort", leave)
          resolve()
        }
        const leave = () => {
          this.#waiting.splice(this.#waiting.indexOf(go), 1)
          reject(signal.reason)
        }
        signal.addEventListener("abort", leave, { once: true })
        this.#waiting.push(go)
      })
    }
    this.#busy = true
    let over = false
    return () => {
      if (over) return
      over = true
      // The turn passes on without a moment in which a newcomer could step in.
      const next = this.#waiting.shift()
      if (next === undefined) this.#busy = false
      else next()
    }
  }
}
