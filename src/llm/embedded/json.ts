// JSON text as grammar nodes: how one character of a string value may be written, and values as literals. The style
// (`", "` and `": "`) is that of the chat templates, so that a call generated now and the same call rendered from the
// history later are the same tokens. Pure.
import { alt, ANY, complement, inRanges, intersect, lit, set, seq, type Node, type Ranges } from "./nodes.ts"

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** Not written bare: quote, backslash, control characters, DEL. */
const BARE: Ranges = complement([[0, 0x1f], [QUOTE, QUOTE], [BACKSLASH, BACKSLASH], [0x7f, 0x7f]])
const ESCAPES: ReadonlyArray<readonly [number, string]> = [
  [QUOTE, "\""], [BACKSLASH, "\\"], [0x08, "b"], [0x0c, "f"], [0x0a, "n"], [0x0d, "r"], [0x09, "t"],
]

/** One character of a JSON string out of `ranges`, escaped where JSON asks for it; null when none of them can be written. */
export const charOf = (ranges: Ranges): Node | null => {
  const bare = intersect(ranges, BARE)
  const letters = ESCAPES.filter(([point]) => inRanges(ranges, point)).map(([, letter]) => letter)
  const ways: Array<Node> = []
  if (bare.length > 0) ways.push(set(bare))
  if (letters.length > 0) {
    ways.push(seq(lit("\\"), set(letters.map((letter) => letter.codePointAt(0) ?? 0).toSorted((a, b) => a - b).map((p) => [p, p] as const))))
  }
  return ways.length === 0 ? null : alt(...ways)
}

const any = charOf(ANY)
if (any === null) throw new Error("unreachable: some character can be written")
export const anyChar: Node = any

/** JSON with a space after colons and commas. */
export const spaced = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => `${JSON.stringify(k)}: ${spaced(v)}`).join(", ")}}`
  }
  return JSON.stringify(value) ?? "null"
}
