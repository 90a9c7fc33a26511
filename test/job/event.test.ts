import { expect, it } from "vitest"
import { DURABLE_EVENTS, EPHEMERAL_EVENTS, isDurable } from "../../src/job/event.ts"

it("an event is durable or ephemeral, never both", () => {
  expect(DURABLE_EVENTS.filter((name) => (EPHEMERAL_EVENTS as ReadonlyArray<string>).includes(name))).toEqual([])
  expect(isDurable({ event: "text", data: { text: "" } })).toBe(false)
  expect(isDurable({ event: "movement_start", data: { movement: "a" } })).toBe(true)
})
