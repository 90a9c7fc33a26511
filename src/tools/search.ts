// Searching the lines of one text for Grep, in memory bounded by a line: the text arrives in pieces, matching lines come
// out with the lines around them in the form that grep made known (`path:12:text`, `path-11-text` for context).
import type { Regex } from "./regex.ts"

/** A pattern without special characters needs no engine. */
export const literal = (text: string): Regex => ({
  test: (line) => line.includes(text),
  find: (line) => {
    const at = line.indexOf(text)
    return at === -1 ? null : [at, at + text.length]
  },
  max_chars: 1024 * 1024,
})

export const isLiteral = (pattern: string): boolean => !/[\\^$.|?*+()[\]{}]/.test(pattern)

const MAX_SHOWN_CHARS = 300

/** A line as it is shown: cut around the match when it is long. */
const excerpt = (line: string, at: readonly [number, number] | null): string => {
  if (line.length <= MAX_SHOWN_CHARS) return line
  const from = at === null ? 0 : Math.max(0, Math.min(at[0] - 100, line.length - MAX_SHOWN_CHARS))
  return `${from > 0 ? "…" : ""}${line.slice(from, from + MAX_SHOWN_CHARS)}${from + MAX_SHOWN_CHARS < line.length ? "…" : ""}`
}

export class LineSearch {
  private carry = ""
  private number = 0
  private before: Array<string> = []
  private after = 0
  private lastShown = 0
  /** Matching lines found. */
  matches = 0
  /** Lines of which only the beginning was searched. */
  cutLines = 0

  constructor(
    private readonly path: string,
    private readonly matcher: Regex,
    private readonly context: number,
    /** Takes a line of the result; false ends the search. */
    private readonly show: (line: string, isMatch: boolean) => boolean,
  ) {}

  /** Searches the lines that are complete with this piece; false when the search is over. `pause` is asked now and then whether to go on. */
  async push(text: string, pause: () => Promise<boolean>): Promise<boolean> {
    let at = 0
    for (let newline = text.indexOf("\n"); newline !== -1; newline = text.indexOf("\n", at)) {
      const line = this.carry + text.slice(at, newline)
      this.carry = ""
      at = newline + 1
      if (!this.line(line)) return false
      if ((line.length > 2000 || this.number % 64 === 0) && !await pause()) return false
    }
    // What lies beyond the part of a line that is searched need not be kept.
    const room = this.matcher.max_chars + 1 - this.carry.length
    if (room > 0) this.carry += text.slice(at, at + room)
    return true
  }

  end(): boolean {
    const last = this.carry
    this.carry = ""
    return last === "" || this.line(last)
  }

  private line(whole: string): boolean {
    this.number++
    let line = whole.endsWith("\r") ? whole.slice(0, -1) : whole
    if (line.length > this.matcher.max_chars) {
      line = line.slice(0, this.matcher.max_chars)
      this.cutLines++
    }
    if (this.matcher.test(line)) return this.matched(line)
    if (this.after > 0) {
      this.after--
      return this.emit("-", this.number, excerpt(line, null), false)
    }
    if (this.context > 0) {
      this.before.push(excerpt(line, null))
      if (this.before.length > this.context) this.before.shift()
    }
    return true
  }

  private matched(line: string): boolean {
    this.matches++
    const first = this.number - this.before.length
    if (this.context > 0 && this.lastShown > 0 && first > this.lastShown + 1 && !this.show("--", false)) return false
    for (const [index, text] of this.before.entries()) if (!this.emit("-", first + index, text, false)) return false
    this.before = []
    this.after = this.context
    return this.emit(":", this.number, excerpt(line, this.matcher.find(line)), true)
  }

  private emit(mark: ":" | "-", number: number, text: string, isMatch: boolean): boolean {
    this.lastShown = number
    return this.show(`${this.path}${mark}${number}${mark}${text}`, isMatch)
  }
}
