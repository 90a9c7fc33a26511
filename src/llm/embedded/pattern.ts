// A regular expression of a JSON Schema `pattern` as grammar nodes over JSON string text: classes, groups, alternatives and
// counts. Look-around, back-references and word boundaries answer null, and the caller takes a plain string. Pure.
import { charOf } from "./json.ts"
import { alt, ANY, complement, empty, intersect, rep, seq, tidy, type Node, type Ranges } from "./nodes.ts"

const DIGIT: Ranges = [[48, 57]]
const WORD: Ranges = [[48, 57], [65, 90], [95, 95], [97, 122]]
const SPACE: Ranges = [[9, 13], [32, 32], [0xa0, 0xa0], [0x2028, 0x2029]]
const NOT_NEWLINE = complement([[10, 10], [13, 13], [0x2028, 0x2029]])
const MAX_COUNT = 2000

class Unsupported extends Error {}

const single = (point: number): Ranges => [[point, point]]

class Parser {
  readonly #points: ReadonlyArray<string>
  #at = 0
  readonly #cap: number | null
  constructor(source: string, cap: number | null) {
    this.#points = [...source]
    this.#cap = cap
  }

  /** `cap` bounds every open count, so that a bounded string stays bounded. */
  parse(): Node {
    const node = this.#alternatives()
    if (this.#at < this.#points.length) throw new Unsupported()
    return node
  }

  #peek() {
    return this.#points[this.#at]
  }

  #take(): string {
    const c = this.#points[this.#at++]
    if (c === undefined) throw new Unsupported()
    return c
  }

  #alternatives(): Node {
    const ways = [this.#sequence()]
    while (this.#peek() === "|") {
      this.#at++
      ways.push(this.#sequence())
    }
    return alt(...ways)
  }

  #sequence(): Node {
    const items: Array<Node> = []
    for (let c = this.#peek(); c !== undefined && c !== "|" && c !== ")"; c = this.#peek()) items.push(this.#quantified())
    return items.length === 0 ? empty : seq(...items)
  }

  #quantified(): Node {
    const item = this.#atom()
    const c = this.#peek()
    let min = 1
    let max: number | null = 1
    if (c === "*" || c === "+" || c === "?") {
      this.#at++
      min = c === "+" ? 1 : 0
      max = c === "?" ? 1 : null
    } else if (c === "{") {
      const close = this.#points.indexOf("}", this.#at)
      const found = /^\{(\d+)(,(\d*))?$/.exec(this.#points.slice(this.#at, close).join(""))
      if (close < 0 || found === null) throw new Unsupported()
      this.#at = close + 1
      min = Number(found[1])
      max = found[2] === undefined ? min : found[3] === "" ? null : Number(found[3])
    } else return item
    if (this.#peek() === "?") this.#at++
    if (min > MAX_COUNT || (max !== null && max > MAX_COUNT)) throw new Unsupported()
    return rep(item, min, max ?? (this.#cap === null ? null : Math.max(min, this.#cap)))
  }

  #atom(): Node {
    const c = this.#take()
    if (c === "(") {
      if (this.#peek() === "?") {
        this.#at++
        if (this.#take() !== ":") throw new Unsupported()
      }
      const inside = this.#alternatives()
      if (this.#take() !== ")") throw new Unsupported()
      return inside
    }
    if (c === "*" || c === "+" || c === "?" || c === "^" || c === "$" || c === "{") throw new Unsupported()
    return this.#chars(c === "[" ? this.#class() : c === "." ? NOT_NEWLINE : c === "\\" ? this.#escape() : single(c.codePointAt(0) ?? 0))
  }

  #chars(ranges: Ranges): Node {
    const node = charOf(intersect(ranges, ANY))
    if (node === null) throw new Unsupported()
    return node
  }

  #class(): Ranges {
    const negated = this.#peek() === "^"
    if (negated) this.#at++
    const out: Array<readonly [number, number]> = []
    for (let c = this.#take(); c !== "]"; c = this.#take()) {
      const from = c === "\\" ? this.#escape() : single(c.codePointAt(0) ?? 0)
      if (this.#peek() === "-" && this.#points[this.#at + 1] !== "]" && from.length === 1 && from[0]?.[0] === from[0]?.[1]) {
        this.#at++
        const next = this.#take()
        const to = next === "\\" ? this.#escape() : single(next.codePointAt(0) ?? 0)
        const [low, high] = [from[0]?.[0] ?? 0, to[0]?.[1] ?? 0]
        if (to.length !== 1 || high < low) throw new Unsupported()
        out.push([low, high])
      } else out.push(...from)
    }
    return negated ? complement(out) : tidy(out)
  }

  #escape(): Ranges {
    const c = this.#take()
    switch (c) {
      case "d": return DIGIT
      case "D": return complement(DIGIT)
      case "w": return WORD
      case "W": return complement(WORD)
      case "s": return SPACE
      case "S": return complement(SPACE)
      case "n": return single(10)
      case "r": return single(13)
      case "t": return single(9)
      case "f": return single(12)
      case "v": return single(11)
      case "x": return single(this.#hex(2))
      case "u": return single(this.#hex(4))
      default:
        if (/[a-zA-Z0-9]/.test(c)) throw new Unsupported()
        return single(c.codePointAt(0) ?? 0)
    }
  }

  #hex(length: number): number {
    const text = Array.from({ length }, () => this.#take()).join("")
    if (!/^[0-9a-fA-F]+$/.test(text)) throw new Unsupported()
    return Number.parseInt(text, 16)
  }
}

const openCounts = (node: Node): number => {
  switch (node.t) {
    case "rep": return (node.max === null ? 1 : 0) + openCounts(node.item)
    case "seq": case "alt": return node.items.reduce((sum, item) => sum + openCounts(item), 0)
    default: return 0
  }
}

/** Longest text in characters with open counts taken as nothing; null when that cannot be told. */
const fixedLength = (node: Node): number => {
  switch (node.t) {
    case "lit": return [...node.text].length
    case "set": return 1
    case "seq": return node.items.reduce((sum, item) => sum + fixedLength(item), 0)
    case "alt": return Math.max(0, ...node.items.map(fixedLength))
    case "rep": return (node.max ?? node.min) * fixedLength(node.item)
    case "ref": return 0
  }
}

/** The alternatives of the whole expression. */
const topLevel = (source: string): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let [depth, inClass, start] = [0, false, 0]
  for (let i = 0; i < source.length; i++) {
    const c = source[i]
    if (c === "\\") i++
    else if (inClass) inClass = c !== "]"
    else if (c === "[") inClass = true
    else if (c === "(") depth++
    else if (c === ")") depth--
    else if (c === "|" && depth === 0) {
      parts.push(source.slice(start, i))
      start = i + 1
    }
  }
  return [...parts, source.slice(start)]
}

/** The characters between the quotes of a JSON string, or null when the expression uses something outside the subset. */
export const patternNode = (source: string, maxLength: number | null): Node | null => {
  // An alternative that is not anchored matches anywhere in the text.
  const whole = topLevel(source).map((part) => {
    const [start, end] = [part.startsWith("^"), /(^|[^\\])(\\\\)*\$$/.test(part)]
    return `${start ? "" : ".*"}(?:${part.slice(start ? 1 : 0, end ? -1 : undefined)})${end ? "" : ".*"}`
  }).join("|")
  try {
    const node = new Parser(whole, null).parse()
    const free = openCounts(node)
    if (free === 0 || maxLength === null) return node
    return new Parser(whole, Math.max(0, Math.floor((maxLength - fixedLength(node)) / free))).parse()
  } catch (error) {
    if (error instanceof Unsupported) return null
    throw error
  }
}

/** Patterns for the `format` values that a grammar can hold to. */
export const FORMATS: Readonly<Record<string, string>> = {
  date: "^[12]\\d{3}-(0[1-9]|1[0-2])-(0[1-9]|1\\d|2[0-8])$",
  time: "^([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\dZ$",
  "date-time": "^[12]\\d{3}-(0[1-9]|1[0-2])-(0[1-9]|1\\d|2[0-8])T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\dZ$",
  uuid: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}
