// Output paths that a task's instruction names: what `{files_named:task}` stands for (P15). Finds `output/…` in running text
// of any language, bare or in quotes, and forgives the punctuation around it. Pure; at most 64 paths.

export const DEFAULT_OUTPUT = "output/result.md"
export const MAX_VALUES = 64
const MAX_PATH_CHARS = 400
const MAX_TEXT_CHARS = 200_000

const QUOTED = /"((?:\.\/)?output\/[^"\n]{1,400})"|'((?:\.\/)?output\/[^'\n]{1,400})'|`((?:\.\/)?output\/[^`\n]{1,400})`|[“„«]((?:\.\/)?output\/[^”“»\n]{1,400})[”“»]|[‘‚‹]((?:\.\/)?output\/[^’‘›\n]{1,400})[’‘›]|[「『]((?:\.\/)?output\/[^」』\n]{1,400})[」』]/gu
/** Not after a character that would make it the end of another path or word. */
const BARE = /(?<![\p{Script=Latin}\p{N}_/.\\~@-])(?:\.\/)?output\/[^\s"'`“”„«»‘’‚‹›「」『』。、，；：！？（）]+/gu
/** Languages without spaces go on right behind the file's ending. */
const GLUED = /^(.*?\.[A-Za-z0-9]{1,8})[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u

const count = (text: string, character: string) => text.split(character).length - 1

/** Without the sentence's punctuation at the end; a bracket stays when the path opened it. */
const trimmed = (path: string): string => {
  let text = GLUED.exec(path)?.[1] ?? path
  for (;;) {
    const last = text.at(-1) ?? ""
    const pair = { ")": "(", "]": "[", "}": "{" }[last]
    if (pair !== undefined ? count(text, last) <= count(text, pair) : !/[.,;:!?…*_~|>]/.test(last)) return text
    text = text.slice(0, -1)
  }
}

/** A plain file path below output/, or null: no folder, no pattern, no way out. */
const cleaned = (path: string): string | null => {
  const parts = path.trim().split("/").filter((part, i, all) => i === all.length - 1 || (part !== "" && part !== "."))
  const name = parts.at(-1) ?? ""
  if (parts.length < 2 || parts[0] !== "output" || name === "" || name === "." || path.length > MAX_PATH_CHARS) return null
  return parts.includes("..") || /[*?<>|\\\p{Cc}]|\$\{/u.test(path) ? null : parts.join("/")
}

/** In the order in which the text names them; `output/result.md` when it names none. */
export const namedOutputs = (task: string): ReadonlyArray<string> => {
  const text = task.slice(0, MAX_TEXT_CHARS)
  const found: Array<{ readonly at: number; readonly path: string }> = []
  const rest = text.replace(QUOTED, (whole: string, ...groups: ReadonlyArray<unknown>) => {
    const quoted = groups.slice(0, 6).find((group) => typeof group === "string") as string
    found.push({ at: groups[6] as number, path: quoted })
    return " ".repeat(whole.length)
  })
  for (const match of rest.matchAll(BARE)) {
    let at = match.index
    for (const part of match[0].split(/[,;|](?=(?:\.\/)?output\/)/)) {
      if (part.length <= MAX_PATH_CHARS) found.push({ at, path: trimmed(part) })
      at += part.length + 1
    }
  }
  const paths = found.toSorted((a, b) => a.at - b.at).map(({ path }) => cleaned(path)).filter((path) => path !== null)
  return paths.length === 0 ? [DEFAULT_OUTPUT] : [...new Set(paths)].slice(0, MAX_VALUES)
}
