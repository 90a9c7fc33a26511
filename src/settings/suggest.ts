// "Did you mean": the known word nearest to a mistyped one. Used for keys of attacca.yaml and of pieces, environment
// variables, names of movements, tools and pieces. Pure; words longer than 80 characters are never matched.

const MAX_WORD_CHARS = 80

/** Edits between two words: insert, delete, replace, or swap of two neighbours (optimal string alignment). */
export const distance = (a: string, b: string): number => {
  let before: Array<number> = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(last[j - 1]! + (same ? 0 : 1), last[j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length]!
}

const folded = (word: string) => word.toLowerCase().replace(/[-\s.]+/g, "_")

/** The candidate that was most likely meant, or null when none is near. About one edit in three characters is forgiven. */
export const closest = (word: string, candidates: Iterable<string>): string | null => {
  if (word.length === 0 || word.length > MAX_WORD_CHARS) return null
  const wanted = folded(word)
  let best: string | null = null
  let fewest = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    if (candidate.length > MAX_WORD_CHARS || Math.abs(candidate.length - word.length) >= fewest) continue
    const edits = distance(wanted, folded(candidate))
    if (edits < fewest) {
      fewest = edits
      best = candidate
    }
  }
  return best
}

/** `; did you mean "x"?`, or an empty text when nothing is near. */
export const didYouMean = (word: string, candidates: Iterable<string>): string => {
  const near = closest(word, candidates)
  return near === null || near === word ? "" : `; did you mean "${near}"?`
}
