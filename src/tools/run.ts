// Runs one checked call: the tool's time limit, defects turned into an error result, the output cut to what the context
// takes, and the read cache of a movement (P10). Interruption passes through and stops the tool.
import { Cause, Effect, Option } from "effect"
import { lstatSync } from "node:fs"
import { systemCode } from "../workspace/errors.ts"
import type { Arguments } from "./arguments.ts"
import { cut } from "./text.ts"
import { failure, type Tool, type ToolContext, type ToolOutcome } from "./Tool.ts"

export interface Ran {
  readonly outcome: ToolOutcome
  /** Whole milliseconds. */
  readonly duration_ms: number
  readonly cache_hit: boolean
}

const seconds = (ms: number): string => `${(ms / 1000).toLocaleString("en-US")} s`

const bounded = (outcome: ToolOutcome, context: ToolContext): ToolOutcome =>
  outcome._tag === "Output" && outcome.output.length > context.max_output_chars ? { ...outcome, output: cut(outcome.output, context.max_output_chars) } : outcome

const crashed = (tool: Tool, cause: Cause.Cause<never>): Effect.Effect<ToolOutcome> =>
  Cause.hasInterruptsOnly(cause)
    ? Effect.failCause(cause)
    : Effect.as(Effect.logError(`tool ${tool.name} broke`, cause), failure(`${tool.name} broke: this is a fault of the tool, not of the call; go on without it if you can`))

/** Runs a tool with arguments that `checkArguments` gave. Never fails; only interruption comes through. */
export const runTool = (tool: Tool, args: Arguments, context: ToolContext): Effect.Effect<Ran> => Effect.suspend(() => {
  const started = performance.now()
  return Effect.suspend(() => tool.run(args, context)).pipe(
    Effect.timeoutOption(tool.timeout_ms),
    Effect.map(Option.getOrElse(() => failure(`${tool.name} was stopped: it took longer than ${seconds(tool.timeout_ms)}`))),
    Effect.catchCause((cause) => crashed(tool, cause)),
    Effect.map((outcome) => ({ outcome: bounded(outcome, context), duration_ms: Math.round(performance.now() - started), cache_hit: false })),
  )
})

/** Keys sorted at every level, so that equal arguments have equal text. */
export const canonical = (value: unknown): string => JSON.stringify(value, (_key, each: unknown) =>
  typeof each === "object" && each !== null && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each)

const stateOf = (paths: ReadonlyArray<string>): string => paths.map((path) => {
  try {
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? `${path} -` : `${path} ${stat.dev} ${stat.ino} ${stat.mode} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
  } catch (cause) {
    return `${path} ${systemCode(cause) ?? "?"}`
  }
}).join("\n")

/**
 * Results of read-only tools, for one movement: by tool, arguments and the state (inode, size, times) of the files that
 * the result depends on. Errors and results of files that changed meanwhile are not kept. Bounded in characters.
 */
export class ReadCache {
  private readonly kept = new Map<string, { readonly state: string; readonly outcome: ToolOutcome }>()
  private chars = 0

  constructor(private readonly max_chars = 8 * 1024 * 1024) {}

  /** Like runTool, but answers from the cache when nothing changed. */
  readonly run = (tool: Tool, args: Arguments, context: ToolContext): Effect.Effect<Ran> => {
    const { dependsOn } = tool
    if (tool.effect !== "read" || dependsOn === undefined) return runTool(tool, args, context)
    // A path that cannot be resolved has no state; the tool itself says what is wrong with it.
    const state = Effect.promise(() => dependsOn(args, context).then((paths) => (paths === null ? null : stateOf(paths)), () => null))
    const key = `${tool.name} ${canonical(args)}`
    return Effect.suspend(() => {
      const started = performance.now()
      return Effect.flatMap(state, (before) => {
        if (before === null) return runTool(tool, args, context)
        const hit = this.kept.get(key)
        if (hit !== undefined && hit.state === before) return Effect.succeed({ outcome: bounded(hit.outcome, context), duration_ms: Math.round(performance.now() - started), cache_hit: true })
        return Effect.tap(runTool(tool, args, context), ({ outcome }) =>
          outcome._tag === "Output" && !outcome.isError ? Effect.map(state, (after) => this.keep(key, before, after, outcome)) : Effect.void)
      })
    })
  }

  private keep(key: string, before: string, after: string | null, outcome: Extract<ToolOutcome, { _tag: "Output" }>): void {
    const size = key.length + before.length + outcome.output.length
    const old = this.kept.get(key)
    if (old !== undefined && old.outcome._tag === "Output") this.chars -= key.length + old.state.length + old.outcome.output.length
    this.kept.delete(key)
    if (before !== after || this.chars + size > this.max_chars) return
    this.chars += size
    this.kept.set(key, { state: before, outcome })
  }
}
