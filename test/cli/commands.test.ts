import { expect, it } from "vitest"
import { commandHelp, generalHelp, PIECES_COMMANDS, TASK_COMMANDS, TASK_WORDS } from "../../src/cli/commands.ts"
import { STATUSES } from "../../src/job/state.ts"

it("the words of the contract are commands, and no others", () => {
  expect([...TASK_WORDS].sort()).toEqual(["answer", "cancel", "list", "resume", "retry", "say", "show"])
})

it("every command helps with its usage, its options and fits a terminal", () => {
  for (const command of [...TASK_COMMANDS, ...PIECES_COMMANDS]) {
    const help = commandHelp(command)
    expect(help.startsWith(command.usage)).toBe(true)
    expect(Math.max(...help.split("\n").map((line) => line.length))).toBeLessThanOrEqual(125)
  }
  expect(Math.max(...generalHelp().split("\n").map((line) => line.length))).toBeLessThanOrEqual(125)
})

it("list knows every status", () => {
  expect(TASK_COMMANDS.find((command) => command.name === "list")?.flags.find((flag) => flag.name === "--status")?.oneOf).toEqual([...STATUSES])
})
