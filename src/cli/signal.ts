// One press of Ctrl-C or one SIGTERM may arrive twice: from the terminal or supervisor, and forwarded by npm or `bun run`.
// The node (main.ts) and the command line (cli.ts) both take repeats within a second for the same signal (W8).

const SAME_SIGNAL_MS = 1_000

/** Passes on the first of each burst of signals. `now` in milliseconds. */
export const distinctSignals = (now: () => number = () => performance.now()): ((listener: () => void) => void) => {
  let last: number | null = null
  return (listener) => {
    const at = now()
    if (last !== null && at - last <= SAME_SIGNAL_MS) return
    last = at
    listener()
  }
}
