import { describe, expect, it } from "vitest"
import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { checklistNamed, checklists, inTurn, itemAt, rendered, store, summaryOf } from "../../src/tools/checklist.ts"
import { temporaryWorkspace } from "../support/workspace.ts"

const list = (name: string, ...texts: Array<string>) => ({ name, items: texts.map((text, n) => ({ text, done: n === 0 })) })

describe("checklists on disk", () => {
  it("are found by their name, whatever characters it has, and never share a file", async () => {
    const { context, root } = temporaryWorkspace()
    const names = ["plan", "Plan B", "調査", "a/b", "a\\b", "../../x", "..", ".", "con:", "x".repeat(80), "日".repeat(80), "-", "a b."]
    for (const name of names) await store(context, list(name, name))
    expect(readdirSync(join(root, "logs/checklists")).length).toBe(names.length)
    for (const name of names) expect(checklistNamed(root, name)).toEqual(list(name, name))
    expect(checklistNamed(root, "none")).toBeNull()
    expect(readdirSync(root).sort()).toEqual(["input", "logs", "output"])
  })

  it("the one changed last comes first; what is no checklist is passed over", async () => {
    const { context, root } = temporaryWorkspace()
    expect(checklists(root)).toEqual([])
    await store(context, list("old", "a"))
    await store(context, list("new", "b"))
    utimesSync(join(root, "logs/checklists/old.json"), 1, 1)
    writeFileSync(join(root, "logs/checklists/broken.json"), "{")
    writeFileSync(join(root, "logs/checklists/other.json"), '{"name":1}')
    expect(checklists(root).map(({ name }) => name)).toEqual(["new", "old"])
    expect(checklistNamed(root, "broken")).toBeNull()
  })

  it("each change is an event with the items and a summary", async () => {
    const { context, events } = temporaryWorkspace()
    await store(context, list("plan", "a", "b", "c"))
    expect(events).toEqual([{ event: "checklist", data: { name: "plan", items: list("plan", "a", "b", "c").items, summary: "1 of 3 done" } }])
  })

  it("are not written through a link", async () => {
    const { context, root, around, events } = temporaryWorkspace()
    mkdirSync(join(around, "outside"))
    symlinkSync(join(around, "outside"), join(root, "logs/checklists"))
    await expect(store(context, list("plan", "a"))).rejects.toThrow("outside")
    expect(readdirSync(join(around, "outside"))).toEqual([])
    expect(events).toEqual([])
  })
})

describe("reading a checklist", () => {
  const plan = { name: "plan", items: [{ text: "Read the notes", done: true, note: "short" }, { text: "Write the summary", done: false }, { text: "2", done: false }] }

  it("shows numbers, marks and notes", () => {
    expect(summaryOf(plan)).toBe("1 of 3 done")
    expect(rendered(plan)).toBe("plan: 1 of 3 done\n1. [x] Read the notes (short)\n2. [ ] Write the summary\n3. [ ] 2")
  })

  it.each([[1, 0], ["1", 0], ["#1", 0], ["1.", 0], ["2", 2], [2, 1], ["write the SUMMARY", 1], ["notes", 0], [" Read the notes ", 0]])("item %j is number %d", (item, expected) => {
    expect(itemAt(plan, item)).toBe(expected)
  })

  it.each([[0, "there is no item 0; the list has 3"], [4, "there is no item 4"], [1.5, "there is no item"], ["nothing", 'no item has the text "nothing"'], ["the", "2 items have the text"], ["99", "there is no item 99"]])("item %j is refused", (item, why) => {
    expect(() => itemAt(plan, item)).toThrow(why)
    expect(() => itemAt(plan, item)).toThrow("1. [x] Read the notes")
  })
})

it("changes of one workspace take turns, also after one that failed", async () => {
  const steps: Array<string> = []
  const step = (name: string) => inTurn("w", async () => {
    steps.push(`${name} begins`)
    await new Promise((resolve) => setImmediate(resolve))
    steps.push(`${name} ends`)
    if (name === "b") throw new Error("b failed")
  })
  const results = await Promise.allSettled([step("a"), step("b"), step("c")])
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
  expect(steps).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"])
})
