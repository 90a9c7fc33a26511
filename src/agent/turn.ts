// One turn's question to the model: the context manager first, then the call, then the journal. Called by `movement.ts`.
// An answer is committed before anything is done with it (Q6).
import { Effect } from "effect"
import type { Usage } from "../job/event.ts"
import type { Movement } from "../job/piece.ts"
import type { ToolCall } from "../job/turn.ts"
import { type ChatAnswer, type ChatMessage, LlmClient, type LlmError, type ToolChoice, type ToolSpec } from "../llm/LlmClient.ts"
import { calibrate, DEFAULT_CHARS_PER_TOKEN, nextStep, oldTurnsAsText, requestChars } from "./context.ts"
import { spentBudget } from "./limits.ts"
import { abort, type LoopError, type RunPort, Stop } from "./run.ts"
import type { Transcript } from "./transcript.ts"

const SUMMARY_SYSTEM = "You write short working notes for an agent that goes on with the work. Keep facts, numbers, names, file paths, decisions and what is still to do. No preamble."
/** The summary may take this share of the context limit, in tokens. */
const SUMMARY_RATIO = 0.15

/** What the loop remembers of a run's endpoint between turns. */
export interface Calibration {
  chars_per_token: number
}
export const newCalibration = (): Calibration => ({ chars_per_token: DEFAULT_CHARS_PER_TOKEN })

/** LLM failures as outcomes: the worker's fault gives the job back, a 4xx is final, the rest may pass with another attempt. */
export const llmStop = (error: LlmError): Stop => {
  switch (error.reason) {
    case "connect":
      return new Stop({ outcome: { _tag: "GivenBack", cause: "connection", reason: error.message } })
    case "model":
      return new Stop({ outcome: { _tag: "GivenBack", cause: "model", reason: error.message } })
    case "context":
      return abort("context", error.message)
    case "status":
      return abort("llm_error", error.message)
    case "timeout":
      return new Stop({ outcome: { _tag: "Failed", abort_reason: "timeout", error: error.message, retryable: true, resume_movement: null } })
    case "overloaded":
    case "cut":
    case "silent":
      return new Stop({ outcome: { _tag: "Failed", abort_reason: "llm_error", error: error.message, retryable: true, resume_movement: null } })
  }
}

const guardBudget = (run: RunPort): Effect.Effect<void, Stop> => {
  const spent = spentBudget(run.piece.budget, run.progress(), run.elapsed_ms())
  return spent === null ? Effect.void : Effect.fail(abort("budget", `the piece's budget is spent (${spent})`))
}

const charge = (run: RunPort, usage: Usage) => {
  const p = run.progress()
  return {
    prompt_tokens: p.prompt_tokens + usage.prompt_tokens,
    completion_tokens: p.completion_tokens + usage.completion_tokens,
    cached_tokens: p.cached_tokens + usage.cached_tokens,
    llm_calls: p.llm_calls + 1,
  }
}

const estimated = (answer: ChatAnswer, chars: number, calibration: Calibration): Usage => ({
  prompt_tokens: Math.ceil(chars / calibration.chars_per_token),
  completion_tokens: Math.ceil((answer.text.length + answer.calls.reduce((n, c) => n + c.arguments.length, 0)) / calibration.chars_per_token),
  cached_tokens: 0,
})

const callModel = Effect.fnUntraced(function*(run: RunPort, messages: ReadonlyArray<ChatMessage>, tools: ReadonlyArray<ToolSpec>, tool_choice: ToolChoice, max_tokens: number | null) {
  const llm = yield* LlmClient
  return yield* llm.chat({
    endpoint: run.endpoint, messages, tools, tool_choice, max_tokens,
    timeout_ms: run.limits.llm_timeout_ms, idle_timeout_ms: run.limits.llm_idle_timeout_ms,
  }, run.emit, (why) => run.warn(`the stream was cut and is asked again: ${why}`))
})

const summarise = Effect.fnUntraced(function*(run: RunPort, movement: Movement, transcript: Transcript, keep_from: number, calibration: Calibration) {
  yield* guardBudget(run)
  const limit = run.context_limit_tokens
  const text = oldTurnsAsText(transcript, keep_from, Math.floor(limit * 0.5 * calibration.chars_per_token))
  const messages: ReadonlyArray<ChatMessage> = [
    { role: "system", content: SUMMARY_SYSTEM },
    { role: "user", content: `The task:\n${run.job.task.instruction.slice(0, 2000)}\n\nThe turns so far:\n${text}\n\nWrite the working notes.` },
  ]
  const max_tokens = Math.max(64, Math.floor(limit * SUMMARY_RATIO))
  const chars = requestChars(messages, [])
  const answer = yield* callModel(run, messages, [], "none", max_tokens).pipe(Effect.mapError(llmStop))
  const usage = answer.usage ?? estimated(answer, chars, calibration)
  const notes = answer.text.trim().slice(0, Math.floor(limit * SUMMARY_RATIO * calibration.chars_per_token))
  const entry = { kind: "context", movement: movement.name, action: "summarise", detail: `${keep_from} earlier messages summarised`, dropped_call_ids: [], summary: notes === "" ? "(the notes came out empty; check the files in the workspace)" : notes, keep_from } as const
  yield* run.record([entry], [
    { event: "llm_call", data: { duration_ms: answer.duration_ms, ttft_ms: answer.ttft_ms, usage, model: answer.model, backend_id: answer.backend_id, text: "" } },
    { event: "context", data: { used_tokens: run.progress().context_used_tokens, limit_tokens: limit, action: entry.detail } },
  ], charge(run, usage))
  transcript.apply(entry)
})

const dropResults = Effect.fnUntraced(function*(run: RunPort, movement: Movement, transcript: Transcript, call_ids: ReadonlyArray<string>) {
  const entry = { kind: "context", movement: movement.name, action: "drop_results", detail: `${call_ids.length} older tool results removed`, dropped_call_ids: call_ids, summary: null, keep_from: 0 } as const
  yield* run.record([entry], [{ event: "context", data: { used_tokens: run.progress().context_used_tokens, limit_tokens: run.context_limit_tokens, action: entry.detail } }])
  transcript.apply(entry)
})

/** Brings the prompt under its limits or stops with `context`; answers the messages to send and their size. */
const fit = Effect.fnUntraced(function*(run: RunPort, movement: Movement, transcript: Transcript, tools: ReadonlyArray<ToolSpec>, calibration: Calibration) {
  for (;;) {
    const messages = transcript.messages()
    const chars = requestChars(messages, tools)
    const tokens = Math.ceil(chars / calibration.chars_per_token)
    const step = nextStep(transcript, tokens, run.context_limit_tokens, run.limits)
    switch (step._tag) {
      case "Send":
        return { messages, chars }
      case "DropResults":
        yield* dropResults(run, movement, transcript, step.call_ids)
        break
      case "Summarise":
        yield* summarise(run, movement, transcript, step.keep_from, calibration)
        break
      case "TooLong":
        return yield* abort("context", `the prompt needs about ${tokens} tokens and the model's context holds ${run.context_limit_tokens}; raise the context size of the endpoint or give less input`)
    }
  }
})

/** Fresh ids within the job: some endpoints count from zero in every answer. */
const freshCalls = (calls: ReadonlyArray<ToolCall>, transcript: Transcript, turn: number): ReadonlyArray<ToolCall> =>
  calls.map((call, index) => (transcript.has(call.call_id) ? { ...call, call_id: `${call.call_id}-${turn}-${index}` } : call))

/** Asks the model once, journals its answer with the run's new figures, and applies it to the transcript. */
export const askModel = (options: {
  readonly run: RunPort
  readonly movement: Movement
  readonly transcript: Transcript
  readonly tools: ReadonlyArray<ToolSpec>
  readonly tool_choice: ToolChoice
  readonly calibration: Calibration
}): Effect.Effect<void, LoopError, LlmClient> => Effect.gen(function*() {
  const { run, movement, transcript, tools, calibration } = options
  if (run.draining()) return yield* new Stop({ outcome: { _tag: "GivenBack", cause: "shutdown", reason: "the node is shutting down" } })
  yield* guardBudget(run)
  const { messages, chars } = yield* fit(run, movement, transcript, tools, calibration)
  const answer = yield* callModel(run, messages, tools, options.tool_choice, null).pipe(Effect.mapError(llmStop))
  const usage = answer.usage ?? estimated(answer, chars, calibration)
  if (answer.usage !== null) calibration.chars_per_token = calibrate(chars, answer.usage.prompt_tokens)
  const turn = transcript.turns + 1
  const calls = freshCalls(answer.calls, transcript, turn)
  const entry = {
    kind: "answer", movement: movement.name, turn, text: answer.text, reasoning: answer.reasoning, calls, usage, model: answer.model,
    worker_id: run.endpoint.worker_id, backend_id: answer.backend_id, duration_ms: answer.duration_ms, ttft_ms: answer.ttft_ms, finish_reason: answer.finish_reason,
  } as const
  const used_tokens = usage.prompt_tokens + usage.completion_tokens
  const last = calls.at(-1)
  yield* run.record([entry], [
    { event: "llm_call", data: { duration_ms: answer.duration_ms, ttft_ms: answer.ttft_ms, usage, model: answer.model, backend_id: answer.backend_id, text: answer.text } },
    { event: "context", data: { used_tokens, limit_tokens: run.context_limit_tokens } },
    ...calls.map((call) => ({ event: "tool_use", data: { call_id: call.call_id, name: call.name, input: parsedInput(call.arguments) } }) as const),
  ], {
    ...charge(run, usage), context_used_tokens: used_tokens, last_backend_id: answer.backend_id ?? run.progress().last_backend_id,
    tool_calls: run.progress().tool_calls + calls.length,
    ...(last === undefined ? {} : { current_activity: `${last.name} ${last.arguments}`.slice(0, 200) }),
  })
  transcript.apply(entry)
})

const parsedInput = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
