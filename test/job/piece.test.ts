import { expect, it } from "vitest"
import { isTerminalNext, TERMINALS } from "../../src/job/piece.ts"

it("the four terminals end a piece or park it; every other next is a movement's name", () => {
  expect(TERMINALS.every(isTerminalNext)).toBe(true)
  expect(["complete", "write", "", "constructor"].some(isTerminalNext)).toBe(false)
})
