// Text for a terminal: what comes from a model, a tool or a file is made harmless, sizes and times are put in words. Pure.

const ESCAPE = 0x1b
const DELETE = 0x7f

/** Characters that move the cursor, change the terminal or reorder what is read, written as visible signs. Newlines and tabs stay. */
export const clean = (text: string): string => text.replace(UNSAFE, (char) => {
  const code = char.codePointAt(0) ?? 0
  if (char === "\r") return ""
  if (code === ESCAPE || code < 0x20) return String.fromCodePoint(0x2400 + code)
  return code === DELETE ? "\u2421" : "\uFFFD"
})
// C0 without tab and newline, DEL, C1, and the bidirectional controls that can make text read differently than it is.
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g // oxlint-disable-line no-control-regex -- these are what is looked for

/** One line of at most `max` characters, with what is missing said. */
export const oneLine = (text: string, max: number): string => {
  const flat = clean(text).replaceAll("\n", "⏎").replaceAll("\t", " ")
  const chars = [...flat]
  return chars.length <= max ? flat : `${chars.slice(0, max - 1).join("")}…`
}

/** Cut to `columns` of a terminal, counting wide characters as two. */
export const fit = (text: string, columns: number): string => {
  if (Bun.stringWidth(text) <= columns) return text
  let out = ""
  let width = 0
  for (const char of text) {
    width += Bun.stringWidth(char)
    if (width > columns - 1) break
    out += char
  }
  return `${out}…`
}

const MAX_VALUE_CHARS = 60
const MAX_CALL_CHARS = 160

/** `Read(path: "input/notes.txt", limit: 20)`: a call as a person would write it, long values cut. */
export const callText = (name: string, input: unknown): string => {
  const value = (one: unknown): string => {
    const text = typeof one === "string" ? JSON.stringify(one) : JSON.stringify(one) ?? "null"
    return text.length <= MAX_VALUE_CHARS ? oneLine(text, MAX_VALUE_CHARS) : `${oneLine(text, MAX_VALUE_CHARS)} (${typeof one === "string" ? one.length : text.length} chars)`
  }
  const body = typeof input === "object" && input !== null && !Array.isArray(input)
    ? Object.entries(input).map(([key, one]) => `${oneLine(key, 40)}: ${value(one)}`).join(", ")
    : value(input)
  return oneLine(`${name}(${body})`, MAX_CALL_CHARS)
}

export const number = (n: number): string => n.toLocaleString("en")

/** 0 ms … 999 ms, 1.2 s, 1 m 05 s, 2 h 05 m. */
export const duration = (ms: number): string => {
  if (!Number.isFinite(ms) || ms < 0) return "?"
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const pad = (n: number): string => String(n).padStart(2, "0")
  return seconds < 3600 ? `${Math.floor(seconds / 60)} m ${pad(seconds % 60)} s` : `${Math.floor(seconds / 3600)} h ${pad(Math.floor((seconds % 3600) / 60))} m`
}

export const bytes = (n: number): string => {
  if (n < 1024) return `${n} B`
  const units = ["KB", "MB", "GB", "TB"]
  let value = n / 1024
  let unit = 0
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(1)} ${units[unit] ?? "TB"}`
}

/** Percent of the context in use, whole numbers; 0 when the limit is not known yet. */
export const percent = (used: number, limit: number): number => (limit > 0 ? Math.round((used / limit) * 100) : 0)

const BAR_CELLS = 8
export const gauge = (used: number, limit: number): string => {
  const filled = Math.min(BAR_CELLS, Math.round((percent(used, limit) / 100) * BAR_CELLS))
  return `${"█".repeat(filled)}${"░".repeat(BAR_CELLS - filled)} ${percent(used, limit)} % of ${number(limit)}`
}

/** How long ago, roughly: `just now`, `5 m ago`, `3 d ago`. */
export const ago = (then: string, now: number): string => {
  const seconds = Math.max(0, Math.round((now - Date.parse(then)) / 1000))
  if (!Number.isFinite(seconds)) return "?"
  if (seconds < 60) return "just now"
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`
}
