// One movement: a loop of turns until the movement ends by a transition (P3) or the run stops. The loop looks only at the
// tail of the transcript, so that a fresh run and one resumed from the journal are the same code. Called by piece/play.
import { Effect } from "effect"
import type { DurableEvent } from "../job/event.ts"
import type { Movement } from "../job/piece.ts"
import type { JournalEntry, ToolCall, ToolResult } from "../job/turn.ts"
import type { LlmClient, ToolChoice, ToolSpec } from "../llm/LlmClient.ts"
import { checkArguments } from "../tools/arguments.ts"
import { ReadCache } from "../tools/run.ts"
import { readTransition, TRANSITION, transitionSpec } from "../tools/transition.ts"
import { type CallContext, resultEvent, runCalls, textResult } from "./calls.ts"
import { Repetition } from "./limits.ts"
import { currentSchema, type OfferedTool, OnceTracker, specOf } from "./offered.ts"
import { isForced, nextsOf } from "./prompt.ts"
import { abort, type LoopError, type RunPort, Stop } from "./run.ts"
import type { AnswerItem, Transcript } from "./transcript.ts"
import { askModel, newCalibration } from "./turn.ts"

const MAX_NUDGES = 2
/** One tool result may take this share of the context, within bounds that suit both 4k and 1M contexts. */
const OUTPUT_RATIO = 0.2
const MIN_OUTPUT_CHARS = 1_500
const MAX_OUTPUT_CHARS = 60_000
const ASSUMED_CHARS_PER_TOKEN = 3

export interface MovementEnd {
  readonly next: string
  readonly output: string
  readonly lessons: ReadonlyArray<string>
  readonly by: "model" | "runtime"
  /** Committed together with the transition, so that no crash can fall between them. */
  readonly closing: { readonly entries: ReadonlyArray<JournalEntry>; readonly events: ReadonlyArray<DurableEvent> }
}

const NOTHING = { entries: [], events: [] }
const byRuntime = (next: string, output: string): MovementEnd => ({ next, output, lessons: [], by: "runtime", closing: NOTHING })

export interface MovementOptions {
  readonly run: RunPort
  readonly movement: Movement
  readonly tools: ReadonlyArray<OfferedTool>
  readonly transcript: Transcript
  /** The transcript holds turns of an earlier run. */
  readonly resumed: boolean
}

export const maxOutputChars = (limitTokens: number): number =>
  Math.min(MAX_OUTPUT_CHARS, Math.max(MIN_OUTPUT_CHARS, Math.floor(limitTokens * OUTPUT_RATIO * ASSUMED_CHARS_PER_TOKEN)))

/** Plays the movement to its end; the caller records the transition. A movement's own timeout fails the attempt. */
export const playMovement = (options: MovementOptions): Effect.Effect<MovementEnd, LoopError, LlmClient> =>
  loop(options).pipe(Effect.timeoutOrElse({
    duration: options.movement.timeout_ms,
    orElse: () => Effect.fail(new Stop({ outcome: { _tag: "Failed", abort_reason: "timeout", error: `the movement "${options.movement.name}" did not end within ${options.movement.timeout_ms / 1000} seconds`, retryable: true, resume_movement: options.movement.name } })),
  }))

const loop = (options: MovementOptions) => Effect.gen(function*() {
  const { run, movement, tools, transcript } = options
  const context: CallContext = {
    run, movement: movement.name, tools, once: new OnceTracker(), cache: new ReadCache(), repetition: new Repetition(), max_output_chars: maxOutputChars(run.context_limit_tokens),
  }
  recall(context, transcript)
  const calibration = newCalibration()
  let resumed = options.resumed
  for (;;) {
    const pending = transcript.pending()
    if (pending !== null) {
      const end = yield* settle(context, movement, transcript, pending, resumed)
      if (end !== null) return end
    } else if (nextsOf(movement).length === 1 && (context.once.complete(tools) || (isForced(movement) && tools.length === 0))) {
      return byRuntime(nextsOf(movement)[0]!, successfulOutputs(transcript))
    } else {
      if (transcript.turns >= movement.max_turns) return yield* abort("max_turns", `the movement "${movement.name}" used its ${movement.max_turns} turns without ending`)
      yield* askModel({ run, movement, transcript, calibration, ...offer(context, movement) })
    }
    resumed = false
  }
})

/** What earlier turns did counts on after a resume: repeated calls and calls that were asked for. */
const recall = (context: CallContext, transcript: Transcript): void => {
  for (const item of transcript.items) {
    if (item._tag !== "Answer") continue
    for (const call of item.calls) {
      const result = item.results.get(call.call_id)
      if (result === undefined) continue
      context.repetition.add(call.name, call.arguments)
      const tool = context.tools.find((t) => t.tool.name === call.name)
      const checked = tool === undefined ? null : checkArguments(tool, call.arguments)
      if (tool === undefined || !checked?.ok) continue
      if (result.is_error) context.once.failed(tool, checked.args)
      else context.once.succeeded(tool, checked.args)
    }
  }
}

/** The tools and the choice for the next question: calls that are asked for come first and are forced (P15). */
const offer = (context: CallContext, movement: Movement): { readonly tools: ReadonlyArray<ToolSpec>; readonly tool_choice: ToolChoice } => {
  const asked = context.once.next(context.tools)
  const specs = context.tools.map((tool) => specOf(tool, currentSchema(tool, context.once.missing(tool))))
  const tools = [...specs, transitionSpec(nextsOf(movement))]
  return { tools, tool_choice: asked === undefined ? "auto" : { type: "function", function: { name: asked.tool.name } } }
}

const successfulOutputs = (transcript: Transcript): string =>
  transcript.items.flatMap((item) => (item._tag === "Answer" ? [...item.results.values()].filter((r) => !r.is_error && r.name !== TRANSITION).map((r) => r.output) : [])).join("\n\n")

/** Deals with an answer: text alone is nudged or ends the movement, calls run, a transition ends it. Null: ask on. */
const settle = (context: CallContext, movement: Movement, transcript: Transcript, item: AnswerItem, resumed: boolean): Effect.Effect<MovementEnd | null, LoopError> => Effect.gen(function*() {
  if (item.calls.length === 0) return yield* settleText(context, movement, transcript, item)
  const transitions = item.calls.filter((call) => call.name === TRANSITION)
  yield* runCalls(context, transcript, item, item.calls.filter((call) => call.name !== TRANSITION), resumed)
  if (transitions.length === 0) return null
  return yield* settleTransition(context, movement, transcript, item, transitions)
})

const settleText = (context: CallContext, movement: Movement, transcript: Transcript, item: AnswerItem): Effect.Effect<MovementEnd | null, LoopError> => Effect.gen(function*() {
  const nexts = nextsOf(movement)
  const text = item.text.trim()
  const asked = context.once.next(context.tools)
  if (nexts.length === 1 && text !== "" && asked === undefined) return byRuntime(nexts[0]!, item.text)
  if (transcript.nudges <= MAX_NUDGES) {
    const how = asked === undefined ? `call \`transition\` with next one of ${nexts.join(", ")}` : `call \`${asked.tool.name}\``
    const note = { kind: "note", movement: movement.name, text: `You stopped without calling a tool. Go on with the work by calling a tool; when it is done, ${how}.`, comment_ids: [] } as const
    yield* context.run.record([note], [])
    transcript.apply(note)
    return null
  }
  const fallback = movement.rules.find((rule) => rule.if === null)
  if (fallback !== undefined && asked === undefined) return byRuntime(fallback.next, item.text)
  return yield* abort("no_transition", `the model stopped with text ${transcript.nudges} times in the movement "${movement.name}" and chose no transition: ${text.slice(0, 300)}`)
})

const settleTransition = (context: CallContext, movement: Movement, transcript: Transcript, item: AnswerItem, calls: ReadonlyArray<ToolCall>): Effect.Effect<MovementEnd | null, LoopError> => Effect.gen(function*() {
  const [call, ...others] = calls as [ToolCall, ...Array<ToolCall>]
  const failed = [...item.results.values()].find((result) => result.is_error && result.name !== TRANSITION)
  const choice = failed === undefined ? choiceOf(call, nextsOf(movement), context) : `The transition was not made because ${failed.name} failed. Deal with that first.`
  const times = context.repetition.add(call.name, call.arguments)
  if (typeof choice === "string" && times >= context.run.limits.loop_abort) return yield* abort("loop", `transition was called ${times} times in a row with the same arguments: ${choice}`)
  const results: ReadonlyArray<ToolResult> = [
    typeof choice === "string" ? textResult(call, choice, true) : textResult(call, `→ ${choice.next}`, false),
    ...others.map((other) => textResult(other, "ignored: only the first transition of an answer counts", true)),
  ]
  const entry = { kind: "results", movement: movement.name, turn: item.turn, results } as const
  if (typeof choice !== "string") return { ...choice, closing: { entries: [entry], events: results.map(resultEvent) } }
  yield* context.run.record([entry], results.map(resultEvent))
  transcript.apply(entry)
  return null
})

/** The model's choice, or a text that tells it what is wrong. */
const choiceOf = (call: ToolCall, nexts: ReadonlyArray<string>, context: CallContext): MovementEnd | string => {
  const read = readTransition(call.arguments, nexts)
  if (!read.ok) return read.error
  const asked = context.once.next(context.tools)
  if (asked !== undefined) return `The movement cannot end before ${asked.tool.name} has succeeded.`
  return { ...read.transition, by: "model", closing: NOTHING }
}
