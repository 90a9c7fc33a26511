import { expect, it } from "vitest"
import { ASK_POLICIES, COMMENT_KINDS, OUTPUT_FORMATS, PRIORITIES, VISIBILITIES } from "../../src/job/record.ts"

it("the closed lists are those of the HTTP contract", () => {
  expect(PRIORITIES).toEqual(["low", "medium", "high"])
  expect(OUTPUT_FORMATS).toEqual(["text", "markdown", "json"])
  expect(ASK_POLICIES).toEqual(["low", "high"])
  expect(VISIBILITIES).toEqual(["private", "org", "public"])
  expect(COMMENT_KINDS).toEqual(["message", "ask", "result", "progress", "event"])
})
