import { describe, expect, it } from "vitest"
import { PathRefused, plainWords, quoted, systemCode, WorkspaceError, workspaceError } from "../../src/workspace/errors.ts"

const systemError = (code: string) => Object.assign(new Error(`${code}: some text, open '/srv/data/workspaces/x/output/a.md'`), { code })

describe("errors of the file system", () => {
  it.each([
    ["ENOSPC", "no space is left on the disk"], ["EROFS", "the file system is read-only"], ["EACCES", "permission denied"], ["EMFILE", "too many files are open"],
    ["EDQUOT", "the disk quota is used up"], ["EXYZ", "the system answered EXYZ"],
  ])("%s is said in words, without the server's paths", (code, words) => {
    const error = workspaceError("output/a.md cannot be written")(systemError(code))
    expect(error).toBeInstanceOf(WorkspaceError)
    expect(error.message).toBe(`output/a.md cannot be written: ${words}`)
  })

  it("a WorkspaceError is not wrapped again", () => {
    const error = new WorkspaceError({ detail: "full" })
    expect(workspaceError("x")(error)).toBe(error)
  })

  it("only system errors have a code", () => {
    expect(systemCode(systemError("ENOENT"))).toBe("ENOENT")
    expect(systemCode(Object.assign(new Error("x"), { code: "lower" }))).toBeNull()
    expect(systemCode(new Error("x"))).toBeNull()
    expect(systemCode({ code: "ENOENT" })).toBeNull()
    expect(plainWords("text")).toBe("text")
  })

  it("a quoted path cannot forge a line and is cut", () => {
    expect(quoted("a\nb")).toBe('"a\\nb"')
    expect(quoted("x".repeat(1000)).length).toBeLessThan(210)
    expect(new PathRefused({ path: "p", detail: "no" }).message).toBe("no")
  })
})
