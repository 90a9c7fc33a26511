// What a piece's YAML becomes, and what is said of a broken one: path, line and column of every wrong place.
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parsePiece } from "../../src/piece/parse.ts"

const errorsOf = (text: string) => {
  const parsed = parsePiece(text)
  return parsed._tag === "Invalid" ? parsed.errors : []
}
const pieceOf = (text: string) => {
  const parsed = parsePiece(text)
  if (parsed._tag === "Invalid") throw new Error(parsed.errors.map((e) => `${e.line}: ${e.path}: ${e.message}`).join("\n"))
  return parsed.piece
}

const FULL = `name: research
description: Answers a question
initial_movement: plan
max_movements: 12
model: qwen3:32b
budget: { turns: 200, tokens: 2_000_000, wall_time: 2h, tool_calls: "500" }
movements:
  - name: plan
    persona: You are careful.
    instruction: |
      Read {task}.
    tools: [Read, "mcp__github__*", "@files", { tool: Write, with: { path: output/a.md }, narrow: { content: { type: array, maxItems: 3 } }, once: true }]
    rules:
      - if: clear
        next: COMPLETE
      - if: unclear
        next: ASK
        resume: plan
      - next: ABORT
    max_turns: 7
    timeout: 1h30m
`

describe("a right piece", () => {
  it("becomes what the player walks", () => {
    expect(pieceOf(FULL)).toEqual({
      name: "research", description: "Answers a question", initial_movement: "plan", max_movements: 12, model: "qwen3:32b",
      budget: { turns: 200, tokens: 2_000_000, wall_time_ms: 7_200_000, tool_calls: 500 },
      movements: [{
        name: "plan", persona: "You are careful.", instruction: "Read {task}.\n", max_turns: 7, timeout_ms: 5_400_000,
        tools: [
          { tool: "Read", with: {}, narrow: {}, once: false }, { tool: "mcp__github__*", with: {}, narrow: {}, once: false }, { tool: "@files", with: {}, narrow: {}, once: false },
          { tool: "Write", with: { path: "output/a.md" }, narrow: { content: { type: "array", maxItems: 3 } }, once: true },
        ],
        rules: [{ if: "clear", next: "COMPLETE", resume: null }, { if: "unclear", next: "ASK", resume: "plan" }, { if: null, next: "ABORT", resume: null }],
      }],
    })
  })

  it("needs little: the rest has defaults", () => {
    expect(pieceOf("name: x\nmovements: [{ name: a, instruction: Do it., rules: [{ next: COMPLETE }] }]")).toEqual({
      name: "x", description: "", initial_movement: "a", max_movements: 20, model: null, budget: { turns: null, tokens: null, tool_calls: null, wall_time_ms: null },
      movements: [{ name: "a", persona: null, instruction: "Do it.", tools: [], rules: [{ if: null, next: "COMPLETE", resume: null }], max_turns: 30, timeout_ms: 1_200_000 }],
    })
  })

  it("may be JSON", () => {
    const json = JSON.stringify({ name: "x", movements: [{ name: "a", instruction: "i", rules: [{ next: "COMPLETE" }] }] })
    expect(pieceOf(json).name).toBe("x")
  })
})

const movement = (more = "", rules = "    rules:\n      - next: COMPLETE\n") => `name: x\nmovements:\n  - name: a\n    instruction: i\n${more}${rules}`
/** Broken pieces: text, line, path, part of the message. */
const BROKEN: ReadonlyArray<readonly [string, number, string, string]> = [
  ["name: x\ninitial_movement: a\nmovements:\n  - name: a\n    instrction: typo\n    rules:\n      - next: COMPLETE\n", 5, "movements[0].instrction", "unknown key \"instrction\"; did you mean \"instruction\"?"],
  ["nam: x\nmovements: []\n", 1, "nam", "did you mean \"name\"?"],
  ["name: x\n", 1, "movements", "\"movements\" is missing"],
  ["name: x\nmovements: []\n", 2, "movements", "expected at least one movement, got an empty list"],
  ["name: x\nmovements: {}\n", 2, "movements", "expected a list, got a mapping"],
  ["name: a b\nmovements: [{ name: a, instruction: i, rules: [{ next: COMPLETE }] }]\n", 1, "name", "expected a name of letters"],
  ["just text\n", 1, "", "expected a mapping, got \"just text\""],
  ["", 1, "", "expected a mapping, got nothing"],
  ["- a\n", 1, "", "expected a mapping, got a list"],
  ["name: x\nmovements:\n  - name: a\n    rules:\n      - next: COMPLETE\n", 3, "movements[0].instruction", "\"instruction\" is missing"],
  ["name: x\nmovements:\n  - name: a\n    instruction: i\n", 3, "movements[0].rules", "\"rules\" is missing"],
  [movement("", "    rules: []\n"), 5, "movements[0].rules", "expected at least one rule"],
  [movement("", "    rules:\n      - if: done\n"), 6, "movements[0].rules[0].next", "\"next\" is missing"],
  [movement("", "    rules:\n      - next: b\n"), 6, "movements[0].rules[0].next", "there is no movement \"b\""],
  [movement("", "    rules:\n      - next: COMPLTE\n"), 6, "movements[0].rules[0].next", "did you mean \"COMPLETE\"?"],
  [movement("", "    rules:\n      - next: COMPLETE\n        resume: a\n"), 7, "movements[0].rules[0].resume", "only a rule with next: ASK or WAIT_SUBTASKS"],
  [movement("", "    rules:\n      - next: ASK\n        resume: aa\n"), 7, "movements[0].rules[0].resume", "did you mean \"a\"?"],
  [movement("", "    rules:\n      - nxt: COMPLETE\n"), 6, "movements[0].rules[0].nxt", "did you mean \"next\"?"],
  [movement("", "    rules:\n      - when: output.ok\n        next: COMPLETE\n"), 6, "movements[0].rules[0].when", "\"when\" is not supported yet"],
  [movement("    tools: Read\n"), 5, "movements[0].tools", "expected a list, got \"Read\""],
  [movement("    tools:\n      - 5\n"), 6, "movements[0].tools[0]", "expected text or a mapping, got 5"],
  [movement("    tools:\n      - { tool: Read, narow: {} }\n"), 6, "movements[0].tools[0].narow", "did you mean \"narrow\"?"],
  [movement("    tools:\n      - { with: {} }\n"), 6, "movements[0].tools[0].tool", "\"tool\" is missing"],
  [movement("    tools:\n      - { tool: Read, once: maybe }\n"), 6, "movements[0].tools[0].once", "expected true or false"],
  [movement("    tools:\n      - { tool: Read, narrow: { path: x } }\n"), 6, "movements[0].tools[0].narrow.path", "expected a mapping, got \"x\""],
  [movement("    max_turns: 0\n"), 5, "movements[0].max_turns", "expected a whole number from 1 to 10_000, got 0"],
  [movement("    max_turns: many\n"), 5, "movements[0].max_turns", "got \"many\""],
  [movement("    timeout: 20\n"), 5, "movements[0].timeout", "expected a duration such as 90s, 20m or 1h30m, got 20"],
  [movement("    timeout: soon\n"), 5, "movements[0].timeout", "got \"soon\""],
  [movement("    timeout: 90d\n"), 5, "movements[0].timeout", "from 1ms to 30d"],
  [movement("    persona: \"\"\n"), 5, "movements[0].persona", "expected text, got an empty text"],
  [movement("    gates: [{ run: x }]\n"), 5, "movements[0].gates", "\"gates\" is not supported yet"],
  [movement("    parallel: []\n"), 5, "movements[0].parallel", "not supported yet"],
  [movement("    output_schema: {}\n"), 5, "movements[0].output_schema", "not supported yet"],
  [movement("    permissions: {}\n"), 5, "movements[0].permissions", "not supported yet"],
  [movement("    report: {}\n"), 5, "movements[0].report", "not supported yet"],
  [movement("    pass: {}\n"), 5, "movements[0].pass", "not supported yet"],
  [movement("    call: other\n"), 5, "movements[0].call", "not supported yet"],
  [`loop_monitors: []\n${movement()}`, 1, "loop_monitors", "not supported yet"],
  [`required_mcp: [x]\n${movement()}`, 1, "required_mcp", "not supported yet"],
  [`vars: {}\n${movement()}`, 1, "vars", "not supported yet"],
  [`when: x\n${movement()}`, 1, "when", "unknown key \"when\""],
  [`budget:\n  token: 5\n${movement()}`, 2, "budget.token", "did you mean \"tokens\"?"],
  [`budget:\n  wall_time: 5\n${movement()}`, 2, "budget.wall_time", "expected a duration"],
  [`initial_movement: b\n${movement()}`, 1, "initial_movement", "there is no movement \"b\"; did you mean \"a\"?"],
  [`${movement()}  - name: a\n    instruction: j\n    rules: [{ next: COMPLETE }]\n`, 7, "movements[1].name", "two movements are called \"a\""],
  ["name: x\nmovements: [{ name: complete, instruction: i, rules: [{ next: COMPLETE }] }]\n", 2, "movements[0].name", "is the name of an ending"],
  [`${movement()}name: y\n`, 7, "name", "stands here twice"],
  [`${movement()}---\nname: y\n`, 7, "", "more than one YAML document"],
  ["name: [x\nmovements: []\n", 2, "", "Flow sequence"],
  ["name: 'x\n", 2, "", "quote"],
  ["name: *x\n", 1, "name", "has no anchor before it"],
]

describe("a broken piece", () => {
  it.each(BROKEN)("%j is refused at line %i, path %s", (text, line, path, message) => {
    const errors = errorsOf(text)
    const found = errors.find((e) => e.path === path && e.message.includes(message))
    expect(found, JSON.stringify(errors)).toMatchObject({ line })
    expect(found?.column).toBeGreaterThanOrEqual(1)
  })

  it("has all of its wrong places listed, a mistyped key once", () => {
    const errors = errorsOf("name: x\nbugdet: {}\nmovements:\n  - nme: a\n    instruction: 5\n    rules: [{ next: COMPLETE }]\n    max_turns: -1\n")
    expect(errors.map((e) => `${e.line} ${e.path}`).toSorted()).toEqual(["2 bugdet", "4 movements[0].nme", "5 movements[0].instruction", "7 movements[0].max_turns"])
  })

  it("is one whose aliases grow past 1 MB", () => {
    const lines = Array.from({ length: 10 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(",")}]`)
    expect(errorsOf(["l0: &l0 [a,b,c,d,e,f,g,h,i]", ...lines].join("\n")).map((e) => e.message).join()).toContain("grow past 1 MB")
  })
})

it("any text gives a piece or errors with a line, and never throws", () => {
  const part = fc.constantFrom("name: ", "x", "\n", "  ", "- ", "movements:\n", "  - name: a\n", "    instruction: i\n", "    rules:\n", "      - next: COMPLETE\n", "    tools: [", "]", "{ tool: Read, once: true }", ", ", "~", "5", "&a ", "*a", "budget: ", "timeout: 5m\n", "'", "constructor: 1\n", "__proto__: {}\n", "? ", "|", "\u0000")
  fc.assert(fc.property(fc.oneof(fc.array(part, { maxLength: 30 }).map((parts) => parts.join("")), fc.json(), fc.string({ unit: "binary" })), (text) => {
    const parsed = parsePiece(text)
    if (parsed._tag === "Valid") expect(parsed.piece.movements.length).toBeGreaterThan(0)
    else for (const error of parsed.errors) expect(error.line).toBeGreaterThanOrEqual(1)
    if (parsed._tag === "Invalid") expect(parsed.errors.length).toBeGreaterThan(0)
  }), { numRuns: 1_500 })
})
