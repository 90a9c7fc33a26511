// Runs a grammar over text as it is generated: which texts are still possible, whether one is complete, and the shortest
// text that completes it, with which a call that must end now is closed as valid JSON. A set of states, each a stack of
// frames; frames are shared by identity, so a state is one pointer. Pure, but for the state it holds.
import { inRanges, type Grammar, type Node } from "./nodes.ts"

/** `at`: index in a sequence, count of a repetition, characters read of a literal. */
interface Frame {
  readonly id: number
  readonly node: Node
  readonly at: number
  readonly next: Frame | null
}

/** More states than this mean a grammar that cannot be followed; matching stops with an error. */
const MAX_STATES = 5000

const filler = (ranges: ReadonlyArray<readonly [number, number]>): string => {
  const wanted = [...".a0 "].find((c) => inRanges(ranges, c.codePointAt(0) ?? 0))
  return wanted ?? String.fromCodePoint(ranges[0]?.[0] ?? 0)
}

const shorter = (a: string | null, b: string | null): string | null => (a === null ? b : b === null ? a : b.length < a.length ? b : a)

export class Matcher {
  readonly #grammar: Grammar
  readonly #frames = new Map<string, Frame>()
  readonly #nodeIds = new Map<Node, number>()
  readonly #shortest: ReadonlyMap<string, string>
  #states: ReadonlyArray<Frame>
  #done: boolean

  constructor(grammar: Grammar) {
    this.#grammar = grammar
    this.#shortest = this.#shortestRules()
    const start = this.#close([this.#frame({ t: "ref", rule: grammar.root }, 0, null)])
    this.#states = start.states
    this.#done = start.done
  }

  /** The text read so far is a whole text of the grammar. */
  get complete(): boolean {
    return this.#done
  }

  /** Nothing may follow. */
  get ended(): boolean {
    return this.#states.length === 0
  }

  /** Reads `text`; false, with the state unchanged, when it cannot follow what was read before. */
  read(text: string): boolean {
    let [states, done] = [this.#states, this.#done]
    for (const c of text) {
      const moved = this.#close(states.flatMap((frame) => this.#step(frame, c)))
      if (moved.states.length === 0 && !moved.done) return false
      ;[states, done] = [moved.states, moved.done]
    }
    this.#states = states
    this.#done = done
    return true
  }

  /** The shortest text that makes what was read complete: "" when it is, null when none can. */
  completion(): string | null {
    if (this.#done) return ""
    return this.#states.map((frame) => this.#rest(frame)).reduce(shorter, null)
  }

  #frame(node: Node, at: number, next: Frame | null): Frame {
    let nodeId = this.#nodeIds.get(node)
    if (nodeId === undefined) this.#nodeIds.set(node, (nodeId = this.#nodeIds.size))
    const key = `${nodeId}.${at}.${next?.id ?? ""}`
    let frame = this.#frames.get(key)
    if (frame === undefined) this.#frames.set(key, (frame = { id: this.#frames.size, node, at, next }))
    return frame
  }

  /** Follows everything that reads no character. What is left wants one: a set or an unfinished literal. */
  #close(from: ReadonlyArray<Frame | null>): { readonly states: ReadonlyArray<Frame>; readonly done: boolean } {
    const seen = new Set<number>()
    const states: Array<Frame> = []
    const todo = [...from]
    let done = false
    while (todo.length > 0) {
      const frame = todo.pop()
      if (frame === undefined) break
      if (frame === null) {
        done = true
        continue
      }
      if (seen.has(frame.id)) continue
      seen.add(frame.id)
      if (seen.size > MAX_STATES) throw new Error("grammar with too many open readings")
      const { node, at, next } = frame
      switch (node.t) {
        case "set": states.push(frame); break
        case "lit": if (at < node.text.length) states.push(frame); else todo.push(next); break
        case "ref": {
          const target = this.#grammar.rules.get(node.rule)
          if (target === undefined) throw new Error(`grammar without rule ${node.rule}`)
          todo.push(this.#frame(target, 0, next))
          break
        }
        case "alt": for (const item of node.items) todo.push(this.#frame(item, 0, next)); break
        case "seq": {
          const item = node.items[at]
          todo.push(item === undefined ? next : this.#frame(item, 0, at + 1 < node.items.length ? this.#frame(node, at + 1, next) : next))
          break
        }
        case "rep":
          if (at >= node.min) todo.push(next)
          // Past the minimum an open count needs no counting: one frame stands for all of them.
          if (node.max === null) todo.push(this.#frame(node.item, 0, this.#frame(node, Math.min(at + 1, node.min), next)))
          else if (at < node.max) todo.push(this.#frame(node.item, 0, this.#frame(node, at + 1, next)))
      }
    }
    return { states, done }
  }

  #step({ node, at, next }: Frame, c: string): ReadonlyArray<Frame | null> {
    if (node.t === "set") return inRanges(node.ranges, c.codePointAt(0) ?? 0) ? [next] : []
    if (node.t === "lit" && node.text.startsWith(c, at)) return [at + c.length < node.text.length ? this.#frame(node, at + c.length, next) : next]
    return []
  }

  #shortestOf(node: Node, rules: ReadonlyMap<string, string>): string | null {
    switch (node.t) {
      case "lit": return node.text
      case "set": return filler(node.ranges)
      case "ref": return rules.get(node.rule) ?? null
      case "alt": return node.items.map((item) => this.#shortestOf(item, rules)).reduce(shorter, null)
      case "seq": return joined(node.items.map((item) => this.#shortestOf(item, rules)))
      case "rep": {
        if (node.min === 0) return ""
        const one = this.#shortestOf(node.item, rules)
        return one === null ? null : one.repeat(node.min)
      }
    }
  }

  #shortestRules(): ReadonlyMap<string, string> {
    const rules = new Map<string, string>()
    for (let changed = true; changed;) {
      changed = false
      for (const [name, node] of this.#grammar.rules) {
        const text = this.#shortestOf(node, rules)
        const known = rules.get(name)
        if (text !== null && (known === undefined || text.length < known.length)) {
          rules.set(name, text)
          changed = true
        }
      }
    }
    return rules
  }

  #rest(frame: Frame): string | null {
    let out = ""
    for (let at: Frame | null = frame; at !== null; at = at.next) {
      const part = this.#restOf(at)
      if (part === null) return null
      out += part
    }
    return out
  }

  #restOf({ node, at }: Frame): string | null {
    switch (node.t) {
      case "lit": return node.text.slice(at)
      case "seq": return joined(node.items.slice(at).map((item) => this.#shortestOf(item, this.#shortest)))
      case "rep": {
        const missing = Math.max(0, node.min - at)
        const one = missing === 0 ? "" : this.#shortestOf(node.item, this.#shortest)
        return one === null ? null : one.repeat(missing)
      }
      default: return this.#shortestOf(node, this.#shortest)
    }
  }
}

const joined = (parts: ReadonlyArray<string | null>): string | null =>
  parts.reduce<string | null>((all, part) => (all === null || part === null ? null : all + part), "")
