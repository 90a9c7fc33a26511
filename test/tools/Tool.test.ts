import { expect, it } from "vitest"
import { failure, output } from "../../src/tools/Tool.ts"

it("an output is no error, a failure is one", () => {
  expect(output("x")).toEqual({ _tag: "Output", output: "x", isError: false })
  expect(failure("x")).toEqual({ _tag: "Output", output: "x", isError: true })
})
