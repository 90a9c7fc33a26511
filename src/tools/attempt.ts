// The body of a built-in tool as an Effect: what the tool could not do becomes an answer for the model, what is a bug stays
// a defect (run.ts turns it into an error result and logs it), and interruption reaches the body as an AbortSignal.
import { Effect } from "effect"
import { PathRefused, plainWords, systemCode, WorkspaceError } from "../workspace/errors.ts"
import { failure, type ToolOutcome } from "./Tool.ts"

/** Thrown inside a tool: the call ends with this message as its error result. */
export class ToolFailure extends Error {}

const answer = (cause: unknown): Effect.Effect<ToolOutcome> => {
  if (cause instanceof ToolFailure || cause instanceof PathRefused || cause instanceof WorkspaceError) return Effect.succeed(failure(cause.message))
  if (systemCode(cause) !== null) return Effect.succeed(failure(`it did not work: ${plainWords(cause)}`))
  return Effect.die(cause)
}

export const attempt = (body: (signal: AbortSignal) => Promise<ToolOutcome>): Effect.Effect<ToolOutcome> =>
  Effect.catch(Effect.tryPromise({ try: body, catch: (cause) => cause }), answer)

/** For short changes of a file: once begun it is finished, so that nothing is written after a cancelled run has ended. */
export const attemptWhole = (body: () => Promise<ToolOutcome>): Effect.Effect<ToolOutcome> => Effect.uninterruptible(attempt(body))
