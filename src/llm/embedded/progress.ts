// What the preparation of the embedded model says while it works, and how a terminal shows it: one line that is drawn
// over on a terminal, a few whole lines elsewhere.

export type Step =
  /** Something a person should read once. */
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "installing"; readonly text: string }
  | { readonly kind: "downloading"; readonly name: string; readonly bytes: number; readonly total: number | null }

export type Report = (step: Step) => void

export const megabytes = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`

export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const BAR = 24
const SPARSE_MS = 10_000
const REDRAW_MS = 100

/** A Report that writes to a terminal or a log file. `now` in milliseconds. */
export const terminalReport = (terminal: Terminal, now: () => number = Date.now): Report => {
  let drawn = false
  let last = -Infinity
  let name = ""
  let ended = false
  const line = (text: string) => {
    terminal.write(`${drawn ? "\r\u001b[K" : ""}${text}\n`)
    drawn = false
  }
  return (step) => {
    if (step.kind !== "downloading") return line(step.text)
    const { bytes, total } = step
    const done = total !== null && bytes >= total
    if (step.name !== name) [name, last, ended] = [step.name, -Infinity, false]
    if (ended) return
    ended = done
    const share = total === null || total === 0 ? "" : ` ${Math.floor((bytes / total) * 100)} %`
    const amount = `${megabytes(bytes)}${total === null ? "" : ` of ${megabytes(total)}`}`
    if (terminal.isTTY !== true) {
      if (!done && now() - last < SPARSE_MS) return
      last = now()
      return line(`  ${name}: ${amount}${share}`)
    }
    if (!done && now() - last < REDRAW_MS) return
    last = now()
    const filled = total === null || total === 0 ? 0 : Math.floor((bytes / total) * BAR)
    const text = `  [${"#".repeat(filled)}${".".repeat(BAR - filled)}] ${amount}${share}`
    terminal.write(`\r\u001b[K${text.slice(0, (terminal.columns ?? 80) - 1)}`)
    drawn = true
    if (done) {
      terminal.write("\n")
      drawn = false
    }
  }
}
