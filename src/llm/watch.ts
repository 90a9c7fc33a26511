// The clock of one attempt (P16): overall deadline, silence, and the check for a connection that never came. One timer an
// attempt that is set anew only when it fires, so that a chunk costs one assignment.

export interface WatchOptions {
  /** By `performance.now()`. */
  readonly deadline: number
  readonly idle_ms: number
  readonly connect_ms: number
  readonly onExpire: (why: "timeout" | "silent") => void
  /** No head of an answer after `connect_ms`; called once. */
  readonly onNoHead: () => void
}

export interface Watch {
  /** Bytes came. */
  readonly alive: () => void
  /** The head of the answer came. */
  readonly head: () => void
  readonly stop: () => void
}

export const startWatch = (options: WatchOptions): Watch => {
  const started = performance.now()
  let last = started
  let waitsForHead = true
  const next = (): number => Math.min(options.deadline, last + options.idle_ms, waitsForHead ? started + options.connect_ms : Infinity)
  const fire = (): void => {
    const now = performance.now()
    if (now >= options.deadline) return options.onExpire("timeout")
    if (now >= last + options.idle_ms) return options.onExpire("silent")
    if (waitsForHead && now >= started + options.connect_ms) {
      waitsForHead = false
      options.onNoHead()
    }
    arm()
  }
  let timer: ReturnType<typeof setTimeout>
  const arm = (): void => {
    timer = setTimeout(fire, Math.max(1, Math.ceil(next() - performance.now())))
  }
  arm()
  return {
    alive: () => {
      last = performance.now()
    },
    head: () => {
      last = performance.now()
      waitsForHead = false
    },
    stop: () => clearTimeout(timer),
  }
}
