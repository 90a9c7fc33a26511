// All tools of this node, and which of them a movement offers: its `tools` list names tools, globs and groups. Narrowing
// (P15) is made by the piece folder as a NarrowedTool and enforced here and in arguments.ts for every model.
import { Context, Layer } from "effect"
import type { JsonSchema, ToolEntry } from "../job/piece.ts"
import { didYouMean } from "../settings/suggest.ts"
import { builtinTools } from "./builtin.ts"
import type { Tool } from "./Tool.ts"

/** A tool as a movement offers it. */
export interface NarrowedTool {
  readonly tool: Tool
  /** The schema shown to the model: fixed arguments left out, narrowed ones narrowed. */
  readonly schema: JsonSchema
  /** What arguments are judged by, where that is not `schema`. */
  readonly validateSchema?: JsonSchema
  /** Put over the model's arguments by the runtime and hidden from the model. */
  readonly fixed: Readonly<Record<string, unknown>>
}

export const GROUPS: Readonly<Record<string, ReadonlyArray<string>>> = {
  "@files": ["Read", "Ls", "Glob", "Grep", "Write", "Edit"],
  "@browser": [
    "BrowserOpen", "BrowserSnapshot", "BrowserClick", "BrowserType", "BrowserSelect", "BrowserPress", "BrowserScroll", "BrowserWait", "BrowserBack",
    "BrowserTabs", "BrowserScreenshot", "BrowserDownload", "BrowserUpload", "BrowserRead", "InteractiveBrowse",
  ],
  "@web": ["WebFetch", "WebSearch"],
  "@plan": ["CreateChecklist", "CheckItem", "MissionUpdate"],
  "@subtasks": ["SpawnSubTask", "ListSubTasks"],
}

/** The names that prompts and pieces may rely on, built yet or not; also the allow-list of metric labels (T8). */
export const PUBLISHED_TOOLS: ReadonlySet<string> = new Set([
  ...Object.values(GROUPS).flat(), "Bash", "ReadImage", "AskUser", "Skill", "Remember", "Recall", "transition",
])

/** The label of a tool in metrics: a published name, else `plugin`, `mcp` or `unknown` (T8). */
export const metricLabel = (name: string): string =>
  PUBLISHED_TOOLS.has(name) ? name : name.startsWith("plugin__") ? "plugin" : name.startsWith("mcp__") ? "mcp" : "unknown"

export interface Selection {
  /** In the toolbox's order, so that the tool list of a prompt is stable; each with the entry that narrows it, if one does. */
  readonly offered: ReadonlyArray<{ readonly tool: Tool; readonly entry: ToolEntry | null }>
  readonly warnings: ReadonlyArray<string>
}

/** `*` stands for any characters, `?` for one. Steps back to the last star only, so no pattern is slow. */
const globMatches = (glob: string, name: string): boolean => {
  let g = 0
  let star = -1
  let resume = 0
  for (let n = 0; n < name.length;) {
    if (glob[g] === "*") {
      star = g++
      resume = n
    } else if (glob[g] === "?" || glob[g] === name[n]) {
      g++
      n++
    } else if (star !== -1) {
      g = star + 1
      n = ++resume
    } else return false
  }
  while (glob[g] === "*") g++
  return g === glob.length
}

const isNarrowing = (entry: ToolEntry) => Object.keys(entry.with).length > 0 || Object.keys(entry.narrow).length > 0 || entry.once

/**
 * The tools that `entries` allow. An entry that names one tool and narrows it holds, whatever wider entry matches too;
 * a second narrowing of one tool is left out with a warning. `transition` is the loop's own and never listed.
 */
export const selectTools = (tools: ReadonlyArray<Tool>, entries: ReadonlyArray<ToolEntry>): Selection => {
  const names = new Set(tools.map((tool) => tool.name))
  const chosen = new Map<string, ToolEntry>()
  const warnings: Array<string> = []
  const choose = (name: string, entry: ToolEntry): void => {
    const before = chosen.get(name)
    if (before === undefined || (!isNarrowing(before) && isNarrowing(entry))) chosen.set(name, entry)
    else if (isNarrowing(before) && isNarrowing(entry)) warnings.push(`${name} is narrowed twice; the first entry holds`)
  }
  for (const entry of entries) {
    const group = GROUPS[entry.tool]
    if (group !== undefined) {
      const there = group.filter((name) => names.has(name))
      if (there.length === 0) warnings.push(`no tool of ${entry.tool} is installed`)
      for (const name of there) choose(name, entry)
    } else if (entry.tool.startsWith("@")) {
      warnings.push(`there is no group ${entry.tool}${didYouMean(entry.tool, Object.keys(GROUPS))}`)
    } else if (/[*?]/.test(entry.tool)) {
      const there = [...names].filter((name) => globMatches(entry.tool, name))
      if (there.length === 0) warnings.push(`${entry.tool} matches no installed tool`)
      for (const name of there) choose(name, entry)
    } else if (names.has(entry.tool)) {
      choose(entry.tool, entry)
    } else if (entry.tool !== "transition") {
      warnings.push(PUBLISHED_TOOLS.has(entry.tool) ? `${entry.tool} is not installed here` : `there is no tool ${entry.tool}${didYouMean(entry.tool, names)}`)
    }
  }
  const offered = tools.flatMap((tool) => {
    const entry = chosen.get(tool.name)
    return entry === undefined ? [] : [{ tool, entry: isNarrowing(entry) ? entry : null }]
  })
  return { offered, warnings }
}

/** A tool offered as it is. */
export const unnarrowed = (tool: Tool): NarrowedTool => ({ tool, schema: tool.input, fixed: {} })

export interface ToolboxShape {
  /** Every installed tool, in the order in which they are offered. */
  readonly tools: ReadonlyArray<Tool>
  readonly select: (entries: ReadonlyArray<ToolEntry>) => Selection
}

export class Toolbox extends Context.Service<Toolbox, ToolboxShape>()("attacca/tools/Toolbox") {
  static readonly layerOf = (tools: ReadonlyArray<Tool>): Layer.Layer<Toolbox> =>
    Layer.succeed(Toolbox, Toolbox.of({ tools, select: (entries) => selectTools(tools, entries) }))
  static readonly layer: Layer.Layer<Toolbox> = Layer.suspend(() => Toolbox.layerOf(builtinTools))
}
