// Where the command line writes: a terminal with colours and one live line at the bottom, or a plain stream of lines. The
// live line is erased before anything else is written, so what scrolls by is the same text in both.
import { fit } from "./text.ts"

export interface Output {
  /** Writes text as it is; the live line is taken away first. */
  readonly write: (text: string) => void
  /** Writes one line; starts a new one first when the last text did not end with a newline. */
  readonly line: (text: string) => void
  /** Ends a line that text has left open. */
  readonly endLine: () => void
  /** Shows one changing line at the bottom of a terminal, or takes it away with an empty text; nothing on a plain stream. */
  readonly live: (text: string) => void
  /** True for a terminal that can rewrite its last line. */
  readonly interactive: boolean
  readonly paint: (style: Style, text: string) => string
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "cyan"
const CODES: Record<Style, readonly [number, number]> = {
  bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], cyan: [36, 39],
}

export interface Sink {
  readonly write: (text: string) => unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

export interface OutputOptions {
  /** Default: a terminal without NO_COLOR, or FORCE_COLOR. */
  readonly colour?: boolean
  readonly env?: Readonly<Record<string, string | undefined>>
}

const wantsColour = (interactive: boolean, env: Readonly<Record<string, string | undefined>>): boolean => {
  if ((env["NO_COLOR"] ?? "") !== "") return false
  if ((env["FORCE_COLOR"] ?? "") !== "") return env["FORCE_COLOR"] !== "0"
  return interactive
}

/** A terminal that does not know its width, or says 0. */
const DEFAULT_COLUMNS = 80
const ERASE = "\r\u001b[2K"

export const outputTo = (sink: Sink, options: OutputOptions = {}): Output => {
  const env = options.env ?? process.env
  const interactive = sink.isTTY === true && env["TERM"] !== "dumb"
  const colour = options.colour ?? wantsColour(interactive, env)
  let atStart = true
  let shown = ""
  const put = (text: string): void => {
    if (text === "") return
    sink.write(shown === "" ? text : ERASE + text)
    shown = ""
    atStart = text.endsWith("\n")
  }
  const endLine = (): void => {
    if (!atStart) put("\n")
  }
  return {
    interactive,
    write: put,
    endLine,
    line: (text) => put(atStart ? `${text}\n` : `\n${text}\n`),
    live: (text) => {
      if (!interactive || !atStart) return
      const next = fit(text, Math.max(10, (sink.columns || DEFAULT_COLUMNS) - 1))
      if (next === shown) return
      sink.write(ERASE + (next !== "" && colour ? `\u001b[2m${next}\u001b[22m` : next))
      shown = next
    },
    paint: (style, text) => (colour ? `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m` : text),
  }
}

/** An output that shows nothing, for `--json`. */
export const silent: Output = { write: () => {}, line: () => {}, endLine: () => {}, live: () => {}, interactive: false, paint: (_style, text) => text }
