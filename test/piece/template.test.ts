// Placeholders are filled once, from one place, and everything else stays as it is.
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fillTemplate, shortened } from "../../src/piece/template.ts"
import type { TemplateValues } from "../../src/piece/template.ts"

const VALUES: TemplateValues = { task: "Sum up.", previous_output: "before", outputs: { plan: "the plan", "a-b": "two" }, workspace: "/w", iteration: 2 }

describe("filling in", () => {
  it.each([
    ["{task}", "Sum up."], ["{previous_output}|{output:plan}|{output:a-b}", "before|the plan|two"], ["{workspace} {iteration}", "/w 2"], ["{output:not_played}", ""], ["{output:constructor}", ""],
    ["{unknown} {var:x} {report:y} {output:} {} {Task} {task } {task:x}", "{unknown} {var:x} {report:y} {output:} {} {Task} {task } {task:x}"], ["{{task}}", "{Sum up.}"], ["", ""],
  ])("%j becomes %j", (text, filled) => expect(fillTemplate(text, VALUES)).toBe(filled))

  it("never fills in what was filled in, and takes no `$` for a pattern", () => {
    expect(fillTemplate("{task}{previous_output}", { ...VALUES, task: "{previous_output} $& $1", previous_output: "{task}" })).toBe("{previous_output} $& $1{task}")
  })

  it("shortens long outputs in the middle, when a bound is given", () => {
    const long = `start${"x".repeat(5_000)}end`
    const filled = fillTemplate("{previous_output}|{output:plan}|{task}", { ...VALUES, previous_output: long, outputs: { plan: long }, task: long, max_output_chars: 100 })
    const [previous = "", plan = "", task = ""] = filled.split("|")
    expect(previous).toBe(plan)
    expect(previous).toMatch(/^startx+\n… \(4908 characters left out\)\nx+end$/)
    expect(task).toBe(long)
  })
})

it("text without placeholders stays as it is, whatever the values", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }).filter((s) => !s.includes("{")), fc.string(), (text, task) => { expect(fillTemplate(text, { ...VALUES, task })).toBe(text) }))
})

it("a value arrives unchanged, whatever it holds", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (task) => { expect(fillTemplate("a{task}b", { ...VALUES, task })).toBe(`a${task}b`) }))
})

it("a shortened text holds the beginning and the end, and nothing is longer than its bound but for the note", () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), fc.integer({ min: 1, max: 200 }), (text, max) => {
    const short = shortened(text, max)
    if (text.length <= max) expect(short).toBe(text)
    else {
      expect(short.startsWith(text.slice(0, Math.ceil(max * 0.7)))).toBe(true)
      expect(short.length).toBeLessThanOrEqual(max + 60)
    }
  }))
})
