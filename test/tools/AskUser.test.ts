import { describe, expect, it } from "vitest"
import { AskUser } from "../../src/tools/AskUser.ts"
import { call, refused, temporaryWorkspace } from "../support/workspace.ts"

describe("AskUser", () => {
  it("says what is asked, so that the job can park", async () => {
    expect(await call(AskUser, { question: "Which colour?", options: ["red", "blue"] }, temporaryWorkspace())).toEqual({ _tag: "Ask", question: "Which colour?", options: ["red", "blue"] })
    expect(await call(AskUser, { question: "Which colour?" }, temporaryWorkspace())).toEqual({ _tag: "Ask", question: "Which colour?", options: [] })
  })

  it("shows the person what would be done without an answer", async () => {
    expect(await call(AskUser, { question: "Which?", default: "red", deadline_seconds: 60 }, temporaryWorkspace())).toEqual({ _tag: "Ask", question: "Which?\n(Without an answer I would take: red)", options: [] })
  })

  it("needs a question", async () => {
    expect(await refused(AskUser, { options: ["a"] }, temporaryWorkspace())).toContain("question: is missing")
    expect(await refused(AskUser, { question: "?", deadline_seconds: 0 }, temporaryWorkspace())).toContain("deadline_seconds")
  })
})
