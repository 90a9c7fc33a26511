// What lint says of pieces that are well-formed and still wrong.
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { lintPiece } from "../../src/piece/lint.ts"
import type { LintOptions } from "../../src/piece/lint.ts"
import { builtinTools } from "../../src/tools/builtin.ts"

const OPTIONS: LintOptions = { tools: builtinTools, models: null, name: null }
const lint = (text: string, options: Partial<LintOptions> = {}) => lintPiece(text, { ...OPTIONS, ...options })
const lines = (issues: ReadonlyArray<{ readonly line?: number; readonly path: string; readonly message: string }>) => issues.map((i) => `${i.line} ${i.path}: ${i.message}`)

const movement = (name: string, next: string, more = "") => `  - name: ${name}\n    instruction: i\n${more}    rules:\n${next.split(" ").map((n) => `      - if: so\n        next: ${n}\n`).join("")}`
const piece = (...movements: ReadonlyArray<string>) => `name: x\nmovements:\n${movements.join("")}`
const withTools = (...entries: ReadonlyArray<string>) => piece(movement("a", "COMPLETE", `    tools:\n${entries.map((e) => `      - ${e}\n`).join("")}`))

describe("lint", () => {
  it("has nothing to say of a right piece", () => {
    expect(lint(piece(movement("a", "b ABORT"), movement("b", "a COMPLETE")))).toEqual({ valid: true, errors: [], warnings: [] })
  })

  it("passes on what parsing found, and then judges no graph", () => {
    const report = lint(piece(movement("a", "bb"), movement("b", "COMPLETE")))
    expect(report.valid).toBe(false)
    expect(lines(report.errors)).toEqual(["7 movements[0].rules[0].next: there is no movement \"bb\"; did you mean \"b\"?"])
  })

  it("finds movements that nothing leads to", () => {
    expect(lines(lint(piece(movement("a", "COMPLETE"), movement("b", "c"), movement("c", "b COMPLETE"))).errors)).toEqual([
      "8 movements[1].name: no rule leads to the movement \"b\" from \"a\"", "13 movements[2].name: no rule leads to the movement \"c\" from \"a\"",
    ])
  })

  it("takes a resume for a way to get somewhere", () => {
    expect(lint("name: x\nmovements:\n  - name: a\n    instruction: i\n    rules: [{ next: ASK, resume: b }]\n  - name: b\n    instruction: i\n    rules: [{ next: COMPLETE }]\n").valid).toBe(true)
  })

  it("finds movements that can never end", () => {
    expect(lines(lint(piece(movement("a", "b COMPLETE"), movement("b", "c"), movement("c", "b"))).errors)).toEqual([
      "12 movements[1].rules: from the movement \"b\" there is no way to COMPLETE, ABORT, ASK or WAIT_SUBTASKS",
      "17 movements[2].rules: from the movement \"c\" there is no way to COMPLETE, ABORT, ASK or WAIT_SUBTASKS",
    ])
  })

  it("finds rules behind a catch-all", () => {
    const report = lint("name: x\nmovements:\n  - name: a\n    instruction: i\n    rules:\n      - if: so\n        next: ABORT\n      - next: COMPLETE\n      - if: else\n        next: ABORT\n      - next: ASK\n")
    expect(lines(report.errors)).toEqual(["9", "11"].map((line, i) => `${line} movements[0].rules[${i + 2}]: never used: the rule before it has no \`if\` and holds always`))
  })

  it("wants the name under which the piece is kept", () => {
    expect(lines(lint(piece(movement("a", "COMPLETE")), { name: "y" }).errors)).toEqual(["1 name: the piece is called \"x\" here and \"y\" outside; use one name"])
    expect(lint(piece(movement("a", "COMPLETE")), { name: "x" }).valid).toBe(true)
  })

  it("warns of a model that no worker offers, when the models are known", () => {
    const text = `model: qwen3:8\n${piece(movement("a", "COMPLETE"))}`
    expect(lint(text).warnings).toEqual([])
    const report = lint(text, { models: ["qwen3:8b", "other"] })
    expect(report.valid).toBe(true)
    expect(lines(report.warnings)).toEqual(["1 model: no enabled worker offers the model \"qwen3:8\"; did you mean \"qwen3:8b\"?"])
  })
})

describe("tools", () => {
  it.each([["Read"], ["\"@files\""], ["\"@plan\""], ["\"C*\""], ["transition"], ["{ tool: Read, with: { path: input/a.txt } }"], ["{ tool: Write, narrow: { path: { enum: [\"{files_named:task}\"] } }, once: true }"]])("%s is right", (entry) => {
    expect(lint(withTools(entry))).toEqual({ valid: true, errors: [], warnings: [] })
  })

  it.each([
    ["Raed", "there is no tool Raed; did you mean \"Read\"?"], ["WebSerch", "there is no tool WebSerch; did you mean \"WebSearch\"?"], ["\"@file\"", "there is no group @file; did you mean \"@files\"?"],
    ["{ tool: Raed, once: true }", "there is no tool Raed"], ["{ tool: \"@files\", once: true }", "need the name of one tool, not @files"], ["{ tool: \"R*\", with: { path: x } }", "need the name of one tool"],
    ["{ tool: Read, with: { pat: x } }", "Read has no argument \"pat\"; did you mean \"path\"?"], ["{ tool: Read, narrow: { file: { enum: [a] } } }", "Read has no argument \"file\""],
    ["{ tool: Read, with: { path: x }, narrow: { path: { enum: [x] } } }", "\"path\" is filled in by `with` already"], ["{ tool: Read, narrow: { path: { type: strng } } }", "not a JSON Schema"],
    ["{ tool: Read, narrow: { path: { enum: input/a.txt } } }", "expected a list of values that is not empty"], ["{ tool: Read, narrow: { path: { enum: [] } } }", "expected a list of values that is not empty"],
  ])("%s is refused on its line", (entry, message) => {
    const report = lint(withTools(entry))
    expect(report.valid).toBe(false)
    expect(report.errors[0]).toMatchObject({ line: 6 })
    expect(report.errors[0]?.message).toContain(message)
  })

  it.each([
    ["\"mcp__github__*\"", "matches no installed tool"], ["mcp__github__search", "is not installed here"], ["plugin__a__b", "is not installed here"], ["\"X*\"", "matches no installed tool"],
    ["WebFetch", "WebFetch is not installed here"], ["\"@browser\"", "no tool of @browser is installed"],
  ])("%s may come later: a warning", (entry, message) => {
    const report = lint(withTools(entry))
    expect(report).toMatchObject({ valid: true, errors: [], warnings: [{ line: 6, path: "movements[0].tools[0]" }] })
    expect(report.warnings[0]?.message).toContain(message)
  })

  it("that are narrowed twice are pointed out", () => {
    expect(lint(withTools("{ tool: Read, with: { path: a } }", "{ tool: Read, with: { path: b } }")).warnings[0]?.message).toContain("narrowed twice")
  })
})

describe("placeholders", () => {
  const report = (instruction: string) => lint(`name: x\nmovements:\n  - name: plan\n    instruction: ${JSON.stringify(instruction)}\n    rules: [{ next: COMPLETE }]\n`)

  it("that exist pass", () => expect(report("{task} {previous_output} {output:plan} {workspace} {iteration} { x } {\"a\":1} {}")).toEqual({ valid: true, errors: [], warnings: [] }))
  it.each([["{taks}", "{taks} is no placeholder and stays as it is; did you mean \"task\"?"], ["{output:pln}", "did you mean \"plan\"?"], ["{files:input/**}", "only in the `enum` and `with`"], ["{foo:bar}", "is no placeholder"]])("%s is warned of", (text, message) => {
    expect(report(text)).toMatchObject({ valid: true, warnings: [{ line: 4, path: "movements[0].instruction" }] })
    expect(report(text).warnings[0]?.message).toContain(message)
  })
  it.each(["{var:audience}", "{report:a.md}"])("%s is refused as not supported yet", (text) => expect(report(text).errors[0]?.message).toBe(`${text} is not supported yet`))
})

describe("the pieces that come with the runtime", () => {
  const directory = fileURLToPath(new URL("../../pieces/", import.meta.url))
  const names = readdirSync(directory).map((file) => file.replace(/\.yaml$/, ""))

  it("are these", () => expect(names.toSorted()).toEqual(["digest", "general", "minutes"]))
  it.each(names)("%s is free of errors and warnings, and says what it is for", (name) => {
    const text = readFileSync(`${directory}${name}.yaml`, "utf8")
    expect(lintPiece(text, { tools: builtinTools, models: [], name })).toEqual({ valid: true, errors: [], warnings: [] })
    expect(text).toMatch(/^description: .{20,}$/m)
  })
})
