// Regular expressions that come from a model or a schema. They run on re2js, which takes time linear in the text whatever
// the pattern is: `(a+)+$` on 10,000 letters takes 1 ms, where a backtracking engine would hold the event loop for ever.
// It searches about 100 MB a second, slower for large patterns, so each says how much text it may be given at once.
// Look-around and back-references do not exist in it and are named as such.
import { createRequire } from "node:module"
import type { RE2JS } from "re2js"

export interface Regex {
  readonly test: (text: string) => boolean
  /** Start and end of the first match in characters, or null. */
  readonly find: (text: string) => readonly [number, number] | null
  /** Characters that it searches without holding the event loop noticeably: about 15 ms at most. */
  readonly max_chars: number
}

const MAX_PATTERN_CHARS = 1000
/** Measured worst case: 30 ns for each character and instruction of the pattern. */
const MAX_STEPS = 500_000
const MAX_CHARS = 64 * 1024
const MIN_CHARS = 500

let engine: typeof RE2JS | null = null
const re2 = (): typeof RE2JS => engine ??= (createRequire(import.meta.url)("re2js") as { readonly RE2JS: typeof RE2JS }).RE2JS

/** Compiles a pattern in JavaScript's or RE2's notation; throws an Error whose message says what is wrong with it. */
export const linear = (source: string, options: { readonly case_insensitive?: boolean } = {}): Regex => {
  if (source.length > MAX_PATTERN_CHARS) throw new Error(`the pattern is longer than ${MAX_PATTERN_CHARS} characters`)
  try {
    const compiled = re2().compile(re2().translateRegExp(source), options.case_insensitive === true ? re2().CASE_INSENSITIVE : 0)
    return {
      max_chars: Math.min(MAX_CHARS, Math.max(MIN_CHARS, Math.floor(MAX_STEPS / compiled.programSize()))),
      test: (text) => compiled.test(text),
      find: (text) => {
        const matcher = compiled.matcher(text)
        return matcher.find() ? [matcher.start(), matcher.end()] : null
      },
    }
  } catch (cause) {
    const why = (cause instanceof Error ? cause.message : String(cause)).replace(/^error parsing regexp: /, "")
    const hint = /\(\?<?[=!]/.test(source) ? "; look-ahead and look-behind are not supported" : /\\[1-9]/.test(source) ? "; back-references are not supported" : ""
    throw new Error(`not a usable regular expression: ${why}${hint}`, { cause })
  }
}
