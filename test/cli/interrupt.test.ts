import { expect, it } from "vitest"
import { askChoice, leftText } from "../../src/cli/interrupt.ts"
import { outputTo } from "../../src/cli/output.ts"
import { Keyboard } from "../support/commandLine.ts"
import { memorySink } from "../support/fakeApi.ts"

const asking = (keyboard: Keyboard, stop = new AbortController()) => askChoice(7, keyboard, outputTo(memorySink(), { env: {} }), stop.signal)

it("without a terminal nobody is asked", async () => {
  expect(await asking(new Keyboard(false))).toBe("leave")
})

it.each([["c", "cancel"], ["C", "cancel"], ["f", "follow"], ["\n", "leave"], ["q", "leave"], ["\u0004", "leave"]])("%j means %s", async (key, choice) => {
  const keyboard = new Keyboard(true)
  const asked = asking(keyboard)
  expect(keyboard.raw).toBe(true)
  keyboard.press("x")
  keyboard.press(key)
  expect(await asked).toBe(choice)
  expect(keyboard.raw).toBe(false)
  expect(keyboard.listenerCount("data")).toBe(0)
})

it("the end of the input leaves", async () => {
  const keyboard = new Keyboard(true)
  const asked = asking(keyboard)
  keyboard.emit("end")
  expect(await asked).toBe("leave")
})

it("says how to see and stop what was left", () => {
  expect(leftText(7)).toContain("show 7")
  expect(leftText(7)).toContain("cancel 7")
})
