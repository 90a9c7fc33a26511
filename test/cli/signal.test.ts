import { expect, it } from "vitest"
import { distinctSignals } from "../../src/cli/signal.ts"

it("a signal that arrives twice within a second is one, a later one is another, whoever listens", () => {
  let clock = 0
  const heard: Array<string> = []
  const distinct = distinctSignals(() => clock)
  const at = (ms: number, name: string) => {
    clock = ms
    distinct(() => heard.push(name))
  }
  at(0, "pressed")
  at(3, "forwarded by npm")
  at(1_000, "still the same")
  at(1_001, "pressed again")
  at(1_500, "forwarded again")
  expect(heard).toEqual(["pressed", "pressed again"])
})
