// How a command ends when it cannot do what was asked: a message for a person and the exit code that scripts rely on.

/** 0 succeeded, 1 failed or cancelled, 2 wrong usage or input, 3 waiting for a person, 4 no node answers. */
export const EXIT = { succeeded: 0, failed: 1, usage: 2, waiting: 3, unreachable: 4 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
/** Left with Ctrl-C while the task goes on; the code that shells use for an interrupted command. */
export const EXIT_LEFT = 130

export class CommandFailure extends Error {
  /** `details` are printed below the message, one a line. */
  constructor(message: string, readonly exit_code: ExitCode, readonly details: ReadonlyArray<string> = []) {
    super(message)
  }
}
