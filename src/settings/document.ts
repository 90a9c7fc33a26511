// Reads one YAML document (JSON is YAML) into a plain value and remembers where each key and value stands, so that any
// later complaint can name its line and column. Called for attacca.yaml and for pieces. Never throws. Limits: 256 KiB of
// text, 100 levels, 1,000 aliases that add at most 1 MB, one document, no key twice.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml"
import type { Document, Node } from "yaml"

export type Path = ReadonlyArray<string | number>
/** Counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}
/** One wrong place in a text. */
export interface Problem extends Position {
  readonly path: Path
  readonly message: string
}

export interface YamlText {
  /** The value with aliases filled in; undefined when there are problems. */
  readonly value: unknown
  readonly problems: ReadonlyArray<Problem>
  /** Where the key or value at a path stands; the nearest existing parent when it does not exist. */
  readonly positionOf: (path: Path, at: "key" | "value") => Position
}

const MAX_TEXT_CHARS = 256 * 1024
const MAX_DEPTH = 100
const TOO_DEEP = `nested more than ${MAX_DEPTH} levels deep`
const MAX_ALIASES = 1_000
const MAX_PROBLEMS = 100
const MAX_ALIAS_GROWTH_CHARS = 1_000_000

/** `movements[0].rules[1].next`; an empty path is an empty text. */
export const pathText = (path: Path): string =>
  path.map((part, i) => typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`).join("")

const keyText = (key: unknown): string => isScalar(key) ? String(key.value) : "?"

/** Walks the tree once: keys that come twice, aliases that lead nowhere, into themselves, or to too much text. */
class Walk {
  readonly problems: Array<{ readonly path: Path; readonly message: string; readonly offset: number }> = []
  private readonly anchors = new Map<string, { readonly size: number | null }>()
  private aliases = 0
  private growth = 0

  /** Characters that the node stands for with its aliases filled in; stops at the first problem of a kind that multiplies. */
  size(node: Node | null, path: Path): number {
    if (node === null || this.problems.length > MAX_PROBLEMS) return 0
    const offset = node.range?.[0] ?? 0
    if (path.length > MAX_DEPTH) return this.wrong(path, TOO_DEEP, offset)
    if (isAlias(node)) return this.alias(node.source, path, offset)
    if (node.anchor !== undefined) this.anchors.set(node.anchor, { size: null })
    let size = (node.range?.[1] ?? 0) - offset
    if (isMap(node)) size = this.map(node.items, path)
    else if (isSeq(node)) size = node.items.reduce<number>((sum, item, i) => sum + 1 + this.size(item as Node, [...path, i]), 0)
    if (node.anchor !== undefined) this.anchors.set(node.anchor, { size })
    return size
  }

  private map(items: ReadonlyArray<{ readonly key: unknown; readonly value: unknown }>, path: Path): number {
    const seen = new Set<string>()
    let sum = 0
    for (const { key, value } of items) {
      const name = keyText(key)
      if (!isScalar(key)) this.wrong(path, "a key must be plain text", (key as Node | null)?.range?.[0] ?? 0)
      if (seen.has(name)) this.wrong([...path, name], `the key "${name}" stands here twice`, (key as Node | null)?.range?.[0] ?? 0)
      seen.add(name)
      sum += name.length + 1 + this.size(value as Node | null, [...path, name])
    }
    return sum
  }

  private alias(source: string, path: Path, offset: number): number {
    const target = this.anchors.get(source)
    if (target === undefined) return this.wrong(path, `the alias *${source} has no anchor before it`, offset)
    if (target.size === null) return this.wrong(path, `the alias *${source} contains itself`, offset)
    this.aliases += 1
    this.growth += target.size
    if (this.aliases === MAX_ALIASES + 1) return this.wrong(path, `more than ${MAX_ALIASES} aliases`, offset)
    if (this.growth > MAX_ALIAS_GROWTH_CHARS) return this.wrong(path, "the aliases grow past 1 MB", offset)
    return target.size
  }

  private wrong(path: Path, message: string, offset: number): number {
    if (!this.problems.some((p) => p.message === message)) this.problems.push({ path, message, offset })
    return 0
  }
}

const child = (document: Document, node: unknown, part: string | number): { key: Node | null; value: Node | null } | null => {
  const real = isAlias(node) ? node.resolve(document) : node
  if (isMap(real)) {
    const pair = real.items.find((item) => keyText(item.key) === String(part))
    return pair ? { key: pair.key as Node | null, value: pair.value as Node | null } : null
  }
  if (isSeq(real) && typeof part === "number" && part < real.items.length) {
    const item = real.items[part] as Node | null
    return { key: item, value: item }
  }
  return null
}

/** Offset of the key or value at a path. A value that is not there at all (`key:` and nothing) is found at its key. */
const offsetOf = (document: Document, path: Path, at: "key" | "value"): number => {
  let value: Node | null = document.contents
  let offset = value?.range?.[0] ?? 0
  for (const [i, part] of path.entries()) {
    const next = child(document, value, part)
    if (next === null) return offset
    value = next.value
    const empty = value?.range === undefined || value.range === null || value.range[0] === value.range[1]
    const target: Node | null = (at === "key" && i === path.length - 1) || empty ? next.key : value
    offset = target?.range?.[0] ?? offset
  }
  return offset
}

const parsed = (text: string, lines: LineCounter): Document.Parsed | string => {
  try {
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, stringKeys: false })
  } catch (cause) {
    // The parser recurses: a text that is nothing but brackets overflows its stack.
    return cause instanceof RangeError ? TOO_DEEP : String(cause)
  }
}

/** After a real mistake the parser stumbles over every token that follows; only the mistake is worth telling. */
const withoutEchoes = <E extends { readonly message: string }>(errors: ReadonlyArray<E>): ReadonlyArray<E> =>
  errors.filter((e, i) => i === 0 || !/^Unexpected .*(in YAML stream|at node end)/.test(e.message)).slice(0, MAX_PROBLEMS)

const syntaxMessage = (error: { readonly code: string; readonly message: string; readonly pos: readonly [number, number] }, text: string): string =>
  error.code === "MULTIPLE_DOCS" ? "more than one YAML document; keep one"
    : text.startsWith("${", error.pos[0] - 1) ? "${…} inside { } or [ ] needs quotes around it"
    : error.message.startsWith("Maximum call stack") ? TOO_DEEP
    : error.message

export const readYaml = (text: string): YamlText => {
  const start: Position = { line: 1, column: 1 }
  const refused = (message: string): YamlText => ({ value: undefined, problems: [{ path: [], message, ...start }], positionOf: () => start })
  if (text.length > MAX_TEXT_CHARS) return refused(`longer than ${MAX_TEXT_CHARS / 1024} KiB`)
  const lines = new LineCounter()
  const document = parsed(text, lines)
  if (typeof document === "string") return refused(document)
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return line === 0 ? start : { line, column: col }
  }
  const positionOf = (path: Path, which: "key" | "value") => at(offsetOf(document, path, which))
  const syntax = withoutEchoes([...document.errors, ...document.warnings]).map((e): Problem => ({ path: [], message: syntaxMessage(e, text), ...at(e.pos[0]) }))
  if (syntax.length > 0) return { value: undefined, problems: syntax, positionOf }
  const walk = new Walk()
  walk.size(document.contents, [])
  const problems = walk.problems.map(({ path, message, offset }): Problem => ({ path, message, ...at(offset) }))
  return { value: problems.length > 0 ? undefined : document.toJS({ maxAliasCount: -1 }), problems, positionOf }
}
