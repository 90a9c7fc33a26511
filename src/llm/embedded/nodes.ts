// A grammar as data: what `schema.ts`, `pattern.ts` and `numbers.ts` build, `gbnf.ts` prints for the sampler and `match.ts`
// runs over generated text. Strings are counted in code points. Pure.

/** Inclusive ranges of code points, sorted, not overlapping. */
export type Ranges = ReadonlyArray<readonly [number, number]>

export type Node =
  | { readonly t: "lit"; readonly text: string }
  | { readonly t: "set"; readonly ranges: Ranges }
  | { readonly t: "seq"; readonly items: ReadonlyArray<Node> }
  | { readonly t: "alt"; readonly items: ReadonlyArray<Node> }
  | { readonly t: "rep"; readonly item: Node; readonly min: number; readonly max: number | null }
  | { readonly t: "ref"; readonly rule: string }

export interface Grammar {
  readonly rules: ReadonlyMap<string, Node>
  readonly root: string
}

export const lit = (text: string): Node => ({ t: "lit", text })
export const set = (ranges: Ranges): Node => ({ t: "set", ranges })
export const ref = (rule: string): Node => ({ t: "ref", rule })
export const seq = (...items: ReadonlyArray<Node>): Node => (items.length === 1 && items[0] !== undefined ? items[0] : { t: "seq", items })
export const alt = (...items: ReadonlyArray<Node>): Node => (items.length === 1 && items[0] !== undefined ? items[0] : { t: "alt", items })
export const rep = (item: Node, min: number, max: number | null): Node => (min === 1 && max === 1 ? item : { t: "rep", item, min, max })
export const optional = (item: Node): Node => rep(item, 0, 1)
export const empty: Node = { t: "seq", items: [] }

export const MAX_CODE_POINT = 0x10ffff
/** Every code point but the surrogates, which no valid text holds. */
export const ANY: Ranges = [[0, 0xd7ff], [0xe000, MAX_CODE_POINT]]

/** Sorts and joins ranges. */
export const tidy = (ranges: Ranges): Ranges => {
  const out: Array<[number, number]> = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = out.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else out.push([from, to])
  }
  return out
}

export const intersect = (a: Ranges, b: Ranges): Ranges =>
  tidy(a.flatMap(([from, to]) => b.flatMap(([low, high]) => (Math.max(from, low) <= Math.min(to, high) ? [[Math.max(from, low), Math.min(to, high)] as const] : []))))

export const complement = (ranges: Ranges): Ranges => {
  const out: Array<[number, number]> = []
  let next = 0
  for (const [from, to] of tidy(ranges)) {
    if (from > next) out.push([next, from - 1])
    next = to + 1
  }
  if (next <= MAX_CODE_POINT) out.push([next, MAX_CODE_POINT])
  return intersect(out, ANY)
}

export const inRanges = (ranges: Ranges, point: number): boolean => ranges.some(([from, to]) => from <= point && point <= to)
