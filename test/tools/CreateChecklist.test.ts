import { describe, expect, it } from "vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { CheckItem } from "../../src/tools/CheckItem.ts"
import { CreateChecklist } from "../../src/tools/CreateChecklist.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

describe("CreateChecklist", () => {
  it("stores the list as JSON, shows it and says so as an event", async () => {
    const workspace = temporaryWorkspace()
    expect(await told(CreateChecklist, { name: "plan", items: ["Read", "Write"] }, workspace)).toBe("plan: 0 of 2 done\n1. [ ] Read\n2. [ ] Write")
    expect(JSON.parse(readFileSync(join(workspace.root, "logs/checklists/plan.json"), "utf8"))).toEqual({ name: "plan", items: [{ text: "Read", done: false }, { text: "Write", done: false }] })
    expect(workspace.events.map(({ data }) => data)).toMatchObject([{ name: "plan", summary: "0 of 2 done" }])
  })

  it("repeated, keeps the marks of items that stay", async () => {
    const workspace = temporaryWorkspace()
    await told(CreateChecklist, { name: "plan", items: ["Read", "Write"] }, workspace)
    await told(CheckItem, { item: 1, done: true, note: "all of it" }, workspace)
    expect(await told(CreateChecklist, { name: "plan", items: ["Read", "Check"] }, workspace)).toBe("plan: 1 of 2 done\n1. [x] Read (all of it)\n2. [ ] Check")
  })

  it("takes a list that came as one text", async () => {
    expect(await told(CreateChecklist, { name: "plan", items: '["a", "b"]' }, temporaryWorkspace())).toContain("0 of 2")
    expect(await told(CreateChecklist, { name: "plan", items: "a\nb\nc" }, temporaryWorkspace())).toContain("0 of 3")
  })

  it("refuses an empty list and too many items", async () => {
    expect(await refused(CreateChecklist, { name: "plan", items: [] }, temporaryWorkspace())).toContain("items: must NOT have fewer than 1 items, has 0")
    expect(await refused(CreateChecklist, { name: "plan", items: Array.from({ length: 101 }, () => "x") }, temporaryWorkspace())).toContain("items")
  })
})
