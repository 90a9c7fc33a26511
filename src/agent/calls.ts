// The tool calls of one answer: prepare → execute → finalize (P10, P11). Read-only calls run at once, others in the order
// in which the model wrote them, each result committed before the next call starts, so that after a crash at most one
// call's outcome is unknown (Q6). Called by `movement.ts`.
import { Effect } from "effect"
import { cutText } from "../job/cut.ts"
import type { DurableEvent } from "../job/event.ts"
import type { ToolCall, ToolResult } from "../job/turn.ts"
import { checkArguments } from "../tools/arguments.ts"
import type { ReadCache } from "../tools/run.ts"
import { TRANSITION } from "../tools/transition.ts"
import { type Repetition, spentBudget } from "./limits.ts"
import { currentSchema, type OfferedTool, type OnceTracker } from "./offered.ts"
import { abort, type LoopError, type RunPort, Stop } from "./run.ts"
import type { AnswerItem, Transcript } from "./transcript.ts"

const EVENT_OUTPUT_BYTES = 2_048
const UNKNOWN_OUTCOME = "The outcome of this call is unknown: the process stopped while it ran. Check the state before you repeat it."

export interface CallContext {
  readonly run: RunPort
  readonly movement: string
  readonly tools: ReadonlyArray<OfferedTool>
  readonly once: OnceTracker
  readonly cache: ReadCache
  readonly repetition: Repetition
  readonly max_output_chars: number
}

interface Done {
  readonly result: ToolResult
  readonly events: ReadonlyArray<DurableEvent>
  readonly ask: { readonly question: string; readonly options: ReadonlyArray<string> } | null
}

export const resultEvent = (result: ToolResult): DurableEvent => ({
  event: "tool_result",
  data: {
    call_id: result.call_id, name: result.name, is_error: result.is_error, duration_ms: result.duration_ms, cache_hit: result.cache_hit,
    output: cutText(result.output, EVENT_OUTPUT_BYTES),
  },
})

export const textResult = (call: ToolCall, output: string, is_error: boolean): ToolResult =>
  ({ call_id: call.call_id, name: call.name, output, is_error, duration_ms: 0, cache_hit: false })

/** Aborts on the fifth equal call in a row; from the third on a remark goes to the model with the result (P4). */
const repeated = (context: CallContext, call: ToolCall): Effect.Effect<string | null, Stop> => {
  const { limits } = context.run
  const times = context.repetition.add(call.name, call.arguments)
  if (times >= limits.loop_abort) return Effect.fail(abort("loop", `${call.name} was called ${times} times in a row with the same arguments: ${call.arguments.slice(0, 200)}`))
  return Effect.succeed(times >= limits.loop_warn ? `[You have made this same call ${times} times in a row. Its result does not change; do something else.]` : null)
}

const execute = Effect.fnUntraced(function*(context: CallContext, call: ToolCall) {
  const { run } = context
  const offered = context.tools.find((tool) => tool.tool.name === call.name)
  const plain = (output: string): Done => ({ result: textResult(call, output, true), events: [], ask: null })
  if (offered === undefined) return plain(`There is no tool "${call.name}". The tools here are: ${[...context.tools.map((tool) => tool.tool.name), TRANSITION].join(", ")}.`)
  const spent = spentBudget({ ...run.piece.budget, turns: null, tokens: null }, { ...run.progress(), tool_calls: run.progress().tool_calls - 1 }, run.elapsed_ms())
  if (spent !== null) return yield* abort("budget", `the piece's budget is spent (${spent})`)
  const checked = checkArguments({ ...offered, schema: currentSchema(offered, context.once.missing(offered)) }, call.arguments)
  if (!checked.ok) return plain(checked.error)
  const { args } = checked
  const events: Array<DurableEvent> = []
  run.toolAtWork(true)
  const done = yield* context.cache.run(offered.tool, args, run.toolContext(context.movement, context.max_output_chars, (event) => events.push(event))).pipe(
    Effect.ensuring(Effect.sync(() => run.toolAtWork(false))),
  )
  if (done.outcome._tag === "Ask") {
    if (run.job.ask_count >= run.limits.max_asks) return { ...plain("No more questions can be asked in this job: decide yourself and say what you assumed."), events }
    return { result: textResult(call, "", false), events, ask: done.outcome }
  }
  if (done.outcome.isError) context.once.failed(offered, args)
  else context.once.succeeded(offered, args)
  return {
    result: { call_id: call.call_id, name: call.name, output: done.outcome.output, is_error: done.outcome.isError, duration_ms: done.duration_ms, cache_hit: done.cache_hit },
    events, ask: null,
  } satisfies Done
})

const withRemark = (done: Done, remark: string | null): Done =>
  remark === null ? done : { ...done, result: { ...done.result, output: `${done.result.output}\n${remark}` } }

const park = (context: CallContext, call: ToolCall, ask: NonNullable<Done["ask"]>): Stop =>
  new Stop({ outcome: { _tag: "WaitingHuman", wait_reason: "question", question: ask.question, options: ask.options, call_id: call.call_id, resume_movement: context.movement } })

const commit = (context: CallContext, transcript: Transcript, turn: number, done: ReadonlyArray<Done>) => Effect.gen(function*() {
  if (done.length === 0) return
  const entry = { kind: "results", movement: context.movement, turn, results: done.map((d) => d.result) } as const
  yield* context.run.record([entry], done.flatMap((d) => [resultEvent(d.result), ...d.events]))
  transcript.apply(entry)
})

/** Calls of a journaled answer that had no result when an earlier run stopped: the first in order may have been started. */
const unknownFirst = (context: CallContext, calls: ReadonlyArray<ToolCall>): Done | null => {
  const first = calls[0]
  const effect = context.tools.find((tool) => tool.tool.name === first?.name)?.tool.effect
  return first !== undefined && effect === "effectful" ? { result: textResult(first, UNKNOWN_OUTCOME, true), events: [], ask: null } : null
}

/**
 * Runs every call of `calls` that has no result yet and commits the results. `resumed`: the answer was journaled by an
 * earlier run. Stops the run where a question parks it, a loop is found or the budget is spent.
 */
export const runCalls = (context: CallContext, transcript: Transcript, item: AnswerItem, calls: ReadonlyArray<ToolCall>, resumed: boolean): Effect.Effect<void, LoopError> => Effect.gen(function*() {
  const open = calls.filter((call) => !item.results.has(call.call_id))
  const remarks = new Map<string, string | null>()
  for (const call of open) remarks.set(call.call_id, yield* repeated(context, call))
  const readOnly = open.every((call) => context.tools.find((tool) => tool.tool.name === call.name)?.tool.effect === "read")
  if (readOnly) {
    const done = yield* Effect.forEach(open, (call) => execute(context, call).pipe(Effect.map((d) => withRemark(d, remarks.get(call.call_id) ?? null))), { concurrency: "unbounded" })
    yield* commit(context, transcript, item.turn, done.filter((d) => d.ask === null))
    const asked = done.findIndex((d) => d.ask !== null)
    const ask = done[asked]?.ask
    const call = open[asked]
    if (ask && call) return yield* park(context, call, ask)
    return
  }
  const unknown = resumed ? unknownFirst(context, open) : null
  if (unknown !== null) yield* commit(context, transcript, item.turn, [unknown])
  for (const call of unknown === null ? open : open.slice(1)) {
    const done = withRemark(yield* execute(context, call), remarks.get(call.call_id) ?? null)
    if (done.ask !== null) return yield* park(context, call, done.ask)
    yield* commit(context, transcript, item.turn, [done])
  }
})
