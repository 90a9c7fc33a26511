import { expect, it } from "vitest"
import type { Job, Worker } from "../../src/cli/shapes.ts"
import { waitingText } from "../../src/cli/waiting.ts"
import { WAIT_REASONS } from "../../src/job/outcome.ts"
import { fakeJob } from "../support/fakeApi.ts"

const job = (fields: Record<string, unknown>): Job => fakeJob({ status: "queued", ...fields }) as Job
const worker = (fields: Partial<Worker> = {}): Worker => ({ id: "gpu", enabled: true, healthy: true, claims: true, roles: ["auto"], inflight: 0, max_concurrency: 2, last_error: null, ...fields })

it("says nothing of a job that is about to start", () => {
  expect(waitingText(job({}), [worker()], 0)).toBe("")
})

it("names the worker that does not answer, and why", () => {
  expect(waitingText(job({}), [worker({ healthy: false, last_error: "connection refused" })], 0)).toBe("waiting: no healthy worker (gpu: connection refused)")
})

it("names the role that nobody serves", () => {
  expect(waitingText(job({ required_role: "vision" }), [worker()], 0)).toContain('no enabled worker serves the role "vision"')
  expect(waitingText(job({ wait_reason: "role" }), [worker({ enabled: false })], 0)).toContain('role "auto"')
})

it("says that all workers are busy", () => {
  expect(waitingText(job({}), [worker({ inflight: 2 }), worker({ healthy: false })], 0)).toBe("waiting: all workers are busy")
})

it("gives the failure and the time of the next try", () => {
  const retry = job({ status: "retry", attempt: 1, error_summary: "LLM overloaded 500", next_retry_at: "1970-01-01T00:01:00.000Z" })
  expect(waitingText(retry, [], 500)).toBe("attempt 1 of 3 failed: LLM overloaded 500; next try in 1 m 00 s")
})

it("has words for every published reason", () => {
  for (const wait_reason of WAIT_REASONS) {
    const text = waitingText(job({ wait_reason, status: "waiting_human" }), [], 0)
    expect(text.length).toBeGreaterThan("waiting: ".length + 10)
    expect(text).not.toContain("_")
  }
})
