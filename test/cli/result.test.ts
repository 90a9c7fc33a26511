import { expect, it } from "vitest"
import { outputTo } from "../../src/cli/output.ts"
import { endText, fileLines } from "../../src/cli/result.ts"
import type { Task } from "../../src/cli/shapes.ts"
import { fakeTask, memorySink } from "../support/fakeApi.ts"

const end = (fields: Record<string, unknown>, job: Record<string, unknown>): string => {
  const sink = memorySink()
  endText("http://n", fakeTask(fields, job) as Task, outputTo(sink, { env: {} }))
  return sink.text()
}

it("a result stands alone below its heading, without control characters", () => {
  expect(end({ status: "succeeded", result: "a\u001b[1mb\n\n" }, { status: "succeeded", finished_at: "2026-01-01T00:00:02.500Z" })).toBe("task 1 succeeded (1.5 s, 2 model calls, 1 tool calls, 120 tokens)\nresult:\na␛[1mb\n")
})

it("a failure names its reason and how to go on", () => {
  const text = end({ status: "failed" }, { status: "failed", attempt: 3, abort_reason: "llm_error", error_summary: "LLM 500", finished_at: "2026-01-01T00:00:02.000Z" })
  expect(text).toContain("task 1 failed (llm_error) (1.0 s, 2 model calls, 1 tool calls, 120 tokens, attempt 3)\nLLM 500\n")
  expect(text).toContain("retry 1")
})

it("a quarantined job is resumed, a question is answered", () => {
  expect(end({ status: "waiting_human" }, { wait_reason: "quarantined" })).toContain("resume 1")
  expect(end({ status: "waiting_human" }, { wait_reason: "question" })).toContain("answer 1")
})

it("many files are cut with their number", () => {
  const output = Array.from({ length: 60 }, (_, i) => ({ path: `output/${i}`, bytes: i }))
  const lines = fileLines("http://n", fakeTask({ files: { input: [], output } }) as Task)
  expect(lines).toHaveLength(51)
  expect(lines.at(-1)).toBe("  … and 10 more")
})
