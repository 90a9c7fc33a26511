// A vitest reporter that ends the run in words: every skipped test with its reason, then what was counted. test.sh reads
// the counts from the file that ATTACCA_TEST_COUNTS names; without it this only prints.
import { writeFileSync } from "node:fs"
import type { Reporter, TestCase, TestModule } from "vitest/node"

/** Passed and failed tests; a file that could not be loaded and an error outside any test count as failed. */
export interface Counts {
  passed: number
  failed: number
  skipped: Array<string>
}

export const count = (modules: ReadonlyArray<TestModule>, strayErrors: number): Counts => {
  const counts: Counts = { passed: 0, failed: strayErrors, skipped: [] }
  for (const module of modules) {
    counts.failed += module.errors().length
    for (const suite of module.children.allSuites()) counts.failed += suite.errors().length
    for (const test of module.children.allTests()) tally(test, module, counts)
  }
  return counts
}

const tally = (test: TestCase, module: TestModule, counts: Counts): void => {
  const result = test.result()
  if (result.state === "passed") counts.passed += 1
  else if (result.state === "skipped") counts.skipped.push(`${module.relativeModuleId} > ${test.fullName}: ${result.note ?? "no reason given"}`)
  else counts.failed += 1
}

export default class CountingReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const counts = count(modules, errors.length)
    if (counts.skipped.length > 0) console.log(`\nskipped:\n${counts.skipped.map((line) => `  ${line}`).join("\n")}`)
    const file = process.env["ATTACCA_TEST_COUNTS"]
    if (file !== undefined) writeFileSync(file, `${counts.passed} ${counts.failed} ${counts.skipped.length}\n`)
  }
}
