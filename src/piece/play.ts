// Plays a piece: walks its movements from the journal's last position to a terminal, and answers the run's outcome. What a
// fresh run, a retry and a resumed run do differs only in the entries that they start from. Called by queue/Runner.
import { Effect, Fiber } from "effect"
import { foldMovement, Transcript } from "../agent/transcript.ts"
import { type EarlierMovement, nextsOf, type PromptContext, resumeNote, systemPrompt, taskPrompt, timeNote } from "../agent/prompt.ts"
import { maxOutputChars, type MovementEnd, playMovement } from "../agent/movement.ts"
import { abort, type LoopError, type RunPort, Stop } from "../agent/run.ts"
import type { OfferedTool } from "../agent/offered.ts"
import type { DurableEvent } from "../job/event.ts"
import type { Outcome } from "../job/outcome.ts"
import { isTerminalNext, type Movement } from "../job/piece.ts"
import type { JournalEntry } from "../job/turn.ts"
import type { LlmClient } from "../llm/LlmClient.ts"
import type { StoreError, LeaseLost } from "../job/errors.ts"
import { fillTemplate } from "./template.ts"

export interface PlayOptions {
  readonly run: RunPort
  /** Entries of this attempt that an earlier run journaled; empty for a first or failed-and-retried attempt. */
  readonly entries: ReadonlyArray<JournalEntry>
  /** Where a retried attempt starts; null: at the piece's first movement. */
  readonly start_movement: string | null
  readonly now: number
  readonly time_zone: string
  /** Read anew at each movement: files come and go. */
  readonly promptContext: Effect.Effect<PromptContext>
  /** The movement's tools, narrowed against the files that are there now. */
  readonly offeredTools: (movement: Movement) => Effect.Effect<ReadonlyArray<OfferedTool>>
  readonly saveLessons: (lessons: ReadonlyArray<unknown>) => Effect.Effect<void>
}

/** What earlier movements gave may fill an instruction by as much as this many tool results may. */
const EARLIER_OUTPUTS = 2

/** Where a piece stands: what its movements gave so far and where it goes on. */
export interface Position {
  readonly earlier: ReadonlyArray<EarlierMovement>
  /** Movements started so far, repeats included. */
  readonly started: number
  readonly next: string
  readonly lastOutput: string
}

/** Folds the journal of an attempt into the piece's position. An open movement is the position's `next`. */
export const positionOf = (entries: ReadonlyArray<JournalEntry>, first: string): Position => {
  const earlier: Array<EarlierMovement> = []
  let started = 0
  let next = first
  for (const entry of entries) {
    if (entry.kind === "movement") {
      started++
      next = entry.movement
    } else if (entry.kind === "transition") {
      earlier.push({ movement: entry.movement, next: entry.next, output: entry.output })
      next = entry.next
    }
  }
  return { earlier, started, next, lastOutput: earlier.at(-1)?.output ?? "" }
}

const terminalOutcome = (options: PlayOptions, position: Position): Outcome => {
  const from = options.run.piece.movements.find((movement) => movement.name === position.earlier.at(-1)?.movement)
  const resume = from?.rules.find((rule) => rule.next === position.next)?.resume ?? from?.name ?? options.run.piece.initial_movement
  switch (position.next) {
    case "COMPLETE":
      return { _tag: "Succeeded", result: position.lastOutput }
    case "ASK":
      return { _tag: "WaitingHuman", wait_reason: "question", question: position.lastOutput || "The work needs your answer to go on.", options: [], call_id: null, resume_movement: resume }
    case "WAIT_SUBTASKS":
      return { _tag: "WaitingSubtasks", resume_movement: resume }
    default:
      return { _tag: "Failed", abort_reason: "abort", error: position.lastOutput || `the movement "${from?.name ?? ""}" chose ABORT`, retryable: false, resume_movement: null, result: position.lastOutput }
  }
}

interface Step {
  readonly entries: ReadonlyArray<JournalEntry>
  readonly events: ReadonlyArray<DurableEvent>
}
const NOTHING: Step = { entries: [], events: [] }

/** `first`: what is committed together with the movement's start, so that a fresh run begins with one commit. */
const openMovement = (options: PlayOptions, movement: Movement, position: Position, first: Step) => Effect.gen(function*() {
  const { run } = options
  const context = yield* options.promptContext
  const iteration = position.earlier.filter((e) => e.movement === movement.name).length + 1
  const outputs = Object.fromEntries(position.earlier.map((e) => [e.movement, e.output]))
  const instruction = fillTemplate(movement.instruction, {
    task: context.task.instruction, previous_output: position.lastOutput, outputs, workspace: ".", iteration,
    max_output_chars: EARLIER_OUTPUTS * maxOutputChars(run.context_limit_tokens),
  })
  const prompt = {
    system: systemPrompt(run.piece, movement, context.task.ask_policy),
    task: taskPrompt({ context, movement, instruction, earlier: position.earlier, time: timeNote(options.now, options.time_zone) }),
  }
  // The first question leaves while the movement's start is being committed; its answer is journaled after that commit.
  const opening = yield* run.record([...first.entries, { kind: "movement", movement: movement.name, iteration, at: options.now, prompt }], [...first.events, { event: "movement_start", data: { movement: movement.name } }], { current_movement: movement.name, current_activity: null }).pipe(Effect.forkChild({ startImmediately: true }))
  const opened = Fiber.join(opening)
  return { transcript: new Transcript(prompt), opened, run: { ...run, record: (...step: Parameters<RunPort["record"]>) => Effect.andThen(opened, run.record(...step)) } }
})

const recordTransition = (run: RunPort, options: PlayOptions, movement: Movement, end: MovementEnd, startedAt: number): Effect.Effect<void, LeaseLost | StoreError> => Effect.gen(function*() {
  const duration_ms = Math.round(performance.now() - startedAt)
  const entry = { kind: "transition", movement: movement.name, next: end.next, output: end.output, lessons: end.lessons, by: end.by, duration_ms } as const
  yield* run.record([...end.closing.entries, entry], [...end.closing.events, { event: "movement_complete", data: { movement: movement.name, next: end.next, output: end.output, duration_ms } }], { current_activity: null })
  if (end.lessons.length > 0) yield* options.saveLessons(end.lessons.map((lesson) => ({ movement: movement.name, lesson })))
})

/** How a run ended, and the last step of its journal, which is to be committed together with the outcome. */
export interface Played {
  readonly outcome: Outcome
  readonly closing: Effect.Effect<void, LeaseLost | StoreError>
}

/** Plays to the end. Lost leases and store failures pass through; every other way out is an Outcome. */
export const play = (options: PlayOptions): Effect.Effect<Played, LeaseLost | StoreError, LlmClient> =>
  walk(options).pipe(Effect.catchTag("Stop", (stop) => Effect.succeed({ outcome: stop.outcome, closing: Effect.void })))

const walk = (options: PlayOptions): Effect.Effect<Played, LoopError, LlmClient> => Effect.gen(function*() {
  const { run, entries } = options
  const { piece } = run
  const resuming = entries.some((entry) => entry.kind === "movement")
  const note = resuming ? resumeNote(timeNote(options.now, options.time_zone)) : timeNote(options.now, options.time_zone)
  let position = positionOf(entries, options.start_movement ?? piece.initial_movement)
  let transcript = resuming ? foldMovement(entries) : null
  const runEntry = { kind: "run", attempt: run.job.attempt, note } as const
  const running = { event: "status", data: { status: "running", worker_id: run.job.worker_id, attempt: run.job.attempt } } as const
  let first: Step = { entries: [runEntry], events: [running] }
  if (transcript !== null || isTerminalNext(position.next)) {
    yield* run.record(first.entries, first.events)
    transcript?.apply(runEntry)
    first = NOTHING
  }
  for (;;) {
    if (isTerminalNext(position.next)) return { outcome: terminalOutcome(options, position), closing: Effect.void }
    const movement = piece.movements.find((m) => m.name === position.next)
    if (movement === undefined) return yield* abort("rule_error", `there is no movement "${position.next}" in the piece "${piece.name}"`)
    const resumed = transcript !== null
    if (!resumed && position.started >= piece.max_movements) return yield* abort("max_movements", `the piece started ${position.started} movements, its limit`)
    const startedAt = performance.now()
    const open = transcript === null ? yield* openMovement(options, movement, position, first) : { transcript, run, opened: Effect.void }
    first = NOTHING
    const tools = yield* options.offeredTools(movement)
    // A movement that ends at once may outrun the commit of its start, which whatever follows must come after.
    const end = yield* playMovement({ run: open.run, movement, tools, transcript: open.transcript, resumed }).pipe(
      Effect.tap(open.opened), Effect.catchTag("Stop", (stop) => Effect.andThen(open.opened, stop)),
    )
    if (!nextsOf(movement).includes(end.next)) return yield* new Stop({ outcome: { _tag: "Failed", abort_reason: "rule_no_match", error: `no rule of the movement "${movement.name}" leads to ${end.next}`, retryable: false, resume_movement: null } })
    const transition = recordTransition(open.run, options, movement, end, startedAt)
    position = {
      earlier: [...position.earlier, { movement: movement.name, next: end.next, output: end.output }],
      started: position.started + (resumed ? 0 : 1), next: end.next, lastOutput: end.output,
    }
    if (isTerminalNext(position.next)) return { outcome: terminalOutcome(options, position), closing: transition }
    yield* transition
    transcript = null
  }
})
