// Telling text from binary, and cutting text for the model without losing the place. Pure functions over bytes and text.
import type { Buffer } from "node:buffer"

/** Bytes from the start of a file that decide whether it is text. */
export const SNIFF_BYTES = 8192

const MAGIC: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
  ["a PNG image", [0x89, 0x50, 0x4e, 0x47]],
  ["a JPEG image", [0xff, 0xd8, 0xff]],
  ["a GIF image", [0x47, 0x49, 0x46, 0x38]],
  ["a PDF document", [0x25, 0x50, 0x44, 0x46]],
  ["a ZIP archive or an office document", [0x50, 0x4b, 0x03, 0x04]],
  ["a gzip archive", [0x1f, 0x8b]],
  ["an SQLite database", [0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20, 0x66]],
  ["a program", [0x7f, 0x45, 0x4c, 0x46]],
]

export type Encoding = "utf-8" | "utf-16le" | "utf-16be"

/** The text encoding by the first bytes, or what the file is when it is not text. */
export const sniff = (head: Buffer): { readonly encoding: Encoding } | { readonly binary: string } => {
  for (const [name, bytes] of MAGIC) if (bytes.every((byte, at) => head[at] === byte)) return { binary: name }
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: "utf-16le" }
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: "utf-16be" }
  return head.includes(0) ? { binary: "a binary file" } : { encoding: "utf-8" }
}

export const counted = (count: number, one: string, many = `${one}s`): string => `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`

/** The first `chars` of a text, not ending in half a character. */
export const head = (text: string, chars: number): string => {
  const code = text.charCodeAt(chars - 1)
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? chars - 1 : chars)
}

/** Cuts a text to at most `max` characters; the cut says how much is gone. */
export const cut = (text: string, max: number): string => {
  if (text.length <= max) return text
  const kept = head(text, Math.max(0, max - 60))
  return `${kept}\n… ${counted(text.length - kept.length, "more character")}`
}

/** Number of lines; a last line without a newline counts. */
export const lineCount = (text: string): number => {
  let lines = 0
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines++
  return text === "" || text.endsWith("\n") ? lines : lines + 1
}

export interface WindowEnd {
  /** The lines shown, verbatim. */
  readonly text: string
  /** The line to go on with, or null when the window reached the end of what was pushed. */
  readonly next: number | null
  /** Lines seen in all. */
  readonly lines: number
  /** Characters of a single line that did not fit; 0 unless the window's first line alone is too long. */
  readonly overflow: number
}

/** A window of lines over text that arrives in pieces, in memory bounded by `max_chars` whatever the text is like. */
export class LineWindow {
  private shown = ""
  private pending = ""
  private line = 1
  private started = false
  private next: number | null = null
  private overflow = 0

  constructor(private readonly first: number, private readonly limit: number, private readonly max_chars: number) {}

  /** True once nothing more will be shown; going on only counts lines. */
  get full(): boolean {
    return this.next !== null
  }

  push(text: string): void {
    let at = 0
    while (at < text.length) {
      const newline = text.indexOf("\n", at)
      const end = newline === -1 ? text.length : newline + 1
      if (this.line >= this.first && this.next === null) this.take(text, at, end)
      this.started = newline === -1
      if (newline !== -1) this.endLine()
      at = end
    }
  }

  private take(text: string, from: number, to: number): void {
    if (this.line >= this.first + this.limit) {
      this.next = this.line
      return
    }
    const room = this.max_chars - this.shown.length - this.pending.length
    if (to - from <= room && this.overflow === 0) {
      this.pending += text.slice(from, to)
      return
    }
    if (this.line > this.first) {
      this.next = this.line
      this.pending = ""
      return
    }
    const kept = this.overflow === 0 ? head(text.slice(from, to), Math.max(0, room)) : ""
    this.pending += kept
    this.overflow += to - from - kept.length
  }

  private endLine(): void {
    this.line++
    this.shown += this.pending
    this.pending = ""
    if (this.overflow > 0 && this.next === null) this.next = this.line
  }

  end(): WindowEnd {
    const lines = this.started ? this.line : this.line - 1
    return { text: this.shown + this.pending, next: this.next !== null && this.next <= lines ? this.next : null, lines, overflow: this.overflow }
  }
}
