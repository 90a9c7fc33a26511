import { expect, it } from "vitest"
import type { TestModule } from "vitest/node"
import { count } from "../../scripts/reporter.ts"

const test = (state: string, note?: string) => ({ fullName: `a ${state} test`, result: () => ({ state, note }) })
const module_ = (tests: ReadonlyArray<unknown>, options: { readonly errors?: number; readonly suiteErrors?: number } = {}) => ({
  relativeModuleId: "test/x.test.ts", errors: () => Array.from({ length: options.errors ?? 0 }),
  children: { allTests: () => tests, allSuites: () => (options.suiteErrors === undefined ? [] : [{ errors: () => Array.from({ length: options.suiteErrors ?? 0 }) }]) },
}) as unknown as TestModule

it("counts what passed and failed, and keeps the reason of what was skipped", () => {
  expect(count([module_([test("passed"), test("passed"), test("failed"), test("skipped", "no weights"), test("skipped")])], 0)).toEqual({
    passed: 2, failed: 1, skipped: ["test/x.test.ts > a skipped test: no weights", "test/x.test.ts > a skipped test: no reason given"],
  })
})

it("counts as failed what never came to run: files, suites, stray errors, tests left pending", () => {
  expect(count([module_([test("pending")], { errors: 1, suiteErrors: 2 })], 1)).toMatchObject({ passed: 0, failed: 5 })
})
