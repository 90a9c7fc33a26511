// JSON numbers within bounds as grammar nodes: exact for integers, and for decimals exact with up to six digits after the
// point. Numbers have at most 15 digits, which a double holds exactly. Pure.
import { alt, lit, optional, rep, seq, set, type Node } from "./nodes.ts"

const MAX = 999_999_999_999_999
const digit = (from: number, to: number): Node => (from === to ? lit(String(from)) : set([[48 + from, 48 + to]]))
const anyDigit = digit(0, 9)
const digits = (count: number): Node => rep(anyDigit, count, count)
const fraction = seq(lit("."), rep(anyDigit, 1, 6))
const minus = lit("-")

/** Decimal strings of one length from `low` to `high`. */
const sameLength = (low: string, high: string): Node => {
  const a = Number(low[0] ?? "0")
  const b = Number(high[0] ?? "0")
  const rest = low.length - 1
  if (rest === 0) return digit(a, b)
  if (/^0*$/.test(low.slice(1)) && /^9*$/.test(high.slice(1))) return seq(digit(a, b), digits(rest))
  if (a === b) return seq(digit(a, a), sameLength(low.slice(1), high.slice(1)))
  const ways = [
    seq(digit(a, a), sameLength(low.slice(1), "9".repeat(rest))),
    ...(b - a > 1 ? [seq(digit(a + 1, b - 1), digits(rest))] : []),
    seq(digit(b, b), sameLength("0".repeat(rest), high.slice(1))),
  ]
  return alt(...ways)
}

/** Whole numbers from `low` to `high`, both at least 0. */
const naturals = (low: number, high: number): Node => {
  const ways: Array<Node> = []
  for (let from = low; from <= high;) {
    const to = Math.min(high, 10 ** String(from).length - 1)
    ways.push(sameLength(String(from), String(to)))
    from = to + 1
  }
  return alt(...ways)
}

const natural = alt(lit("0"), seq(digit(1, 9), rep(anyDigit, 0, 14)))

/** Bounds are inclusive; null is none. Null when no integer fits. */
export const integers = (min: number | null, max: number | null): Node | null => {
  if (min === null && max === null) return seq(optional(minus), natural)
  const low = Math.max(-MAX, Math.ceil(min ?? -MAX))
  const high = Math.min(MAX, Math.floor(max ?? MAX))
  if (low > high) return null
  const ways: Array<Node> = []
  if (high >= 0) ways.push(naturals(Math.max(0, low), high))
  if (low < 0) ways.push(seq(minus, naturals(Math.max(1, -high), -low)))
  return alt(...ways)
}

export interface Bounds {
  readonly min: number | null
  readonly max: number | null
  readonly exclusiveMin: boolean
  readonly exclusiveMax: boolean
}

/** Numbers with an optional fraction. A range that holds neither a whole number nor a whole unit is approached by its own bounds. */
export const decimals = (bounds: Bounds): Node | null => {
  const { min, max } = bounds
  if (min === null && max === null) return seq(optional(minus), natural, optional(fraction))
  const lowest = min === null ? -MAX : bounds.exclusiveMin ? Math.floor(min) + 1 : Math.ceil(min)
  const highest = max === null ? MAX : bounds.exclusiveMax ? Math.ceil(max) - 1 : Math.floor(max)
  const ways: Array<Node> = []
  const whole = integers(lowest, highest)
  if (whole !== null) ways.push(whole)
  if (highest - 1 >= Math.max(0, lowest)) ways.push(seq(naturals(Math.max(0, lowest), highest - 1), fraction))
  const deepest = Math.min(-1, highest)
  if (deepest > lowest) ways.push(seq(minus, naturals(-deepest, -lowest - 1), fraction))
  if (ways.length > 0) return alt(...ways)
  const inside = [min, max].filter((v, i): v is number => v !== null && !(i === 0 ? bounds.exclusiveMin : bounds.exclusiveMax))
  if (min !== null && max !== null && min < max) inside.push((min + max) / 2)
  const written = inside.map(String).filter((text) => /^-?\d+(\.\d+)?$/.test(text))
  return written.length === 0 ? null : alt(...[...new Set(written)].map(lit))
}
