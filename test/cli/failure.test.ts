import { expect, it } from "vitest"
import { CommandFailure, EXIT, EXIT_LEFT } from "../../src/cli/failure.ts"

it("the exit codes are those that scripts rely on", () => {
  expect(EXIT).toEqual({ succeeded: 0, failed: 1, usage: 2, waiting: 3, unreachable: 4 })
  expect(EXIT_LEFT).toBe(130)
  expect(new CommandFailure("m", EXIT.usage, ["d"])).toMatchObject({ message: "m", exit_code: 2, details: ["d"] })
})
