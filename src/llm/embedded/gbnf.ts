// Prints a grammar in GBNF, the notation of llama.cpp's sampler. The sampler unrolls counts and refuses more than 2,000, so
// long counts become chains of blocks in which at most two readings are open at a time, and very long ones are printed
// as open: `match.ts` holds generated text to them exactly. Pure.
import { rep, type Grammar, type Node } from "./nodes.ts"

const BLOCK = 500
const MAX_UNROLLED = 4000

const hex = (point: number, width: number) => point.toString(16).toUpperCase().padStart(width, "0")
const escaped = (point: number): string => (point <= 0xff ? `\\x${hex(point, 2)}` : point <= 0xffff ? `\\u${hex(point, 4)}` : `\\U${hex(point, 8)}`)
const plain = (c: string): boolean => /^[A-Za-z0-9 _.,:;{}()/+*=<>|!?@#%&'-]$/.test(c)
const literal = (text: string): string => `"${[...text].map((c) => (plain(c) ? c : escaped(c.codePointAt(0) ?? 0))).join("")}"`

export const gbnf = (grammar: Grammar): string => {
  const lines: Array<string> = []
  let made = 0
  const rule = (body: string): string => {
    const name = `b${made++}`
    lines.push(`${name} ::= ${body}`)
    return name
  }
  const name = (id: string) => (id === grammar.root ? "root" : `g${id}`)

  const counted = (item: Node, min: number, max: number | null): string => {
    const atom = item.t === "set" || item.t === "ref" ? print(item) : rule(print(item))
    if (min > BLOCK) return `${rule(`${atom}{${BLOCK}}`)} ${counted(item, min - BLOCK, max === null ? null : max - BLOCK)}`
    if (max === null || max - min > MAX_UNROLLED) return min === 0 ? `${atom}*` : `${atom}{${min},}`
    if (max <= BLOCK) return max === 0 ? "\"\"" : `${atom}{${min},${max}}`
    const tail = print(rep(item, 0, max - BLOCK))
    return `(${atom}{${min},${BLOCK}} | ${atom}{${BLOCK}} ${rule(tail)})`
  }

  const print = (node: Node): string => {
    switch (node.t) {
      case "lit": return node.text === "" ? "\"\"" : literal(node.text)
      case "set": return `[${node.ranges.map(([from, to]) => (from === to ? escaped(from) : `${escaped(from)}-${escaped(to)}`)).join("")}]`
      case "seq": return node.items.length === 0 ? "\"\"" : node.items.map(print).join(" ")
      case "alt": return `(${node.items.map(print).join(" | ")})`
      case "rep": return counted(node.item, node.min, node.max)
      case "ref": return name(node.rule)
    }
  }

  for (const [id, node] of grammar.rules) lines.push(`${name(id)} ::= ${print(node)}`)
  return lines.join("\n")
}
