import { describe, expect, it } from "vitest"
import { utimesSync } from "node:fs"
import { join } from "node:path"
import { CheckItem } from "../../src/tools/CheckItem.ts"
import { CreateChecklist } from "../../src/tools/CreateChecklist.ts"
import { refused, temporaryWorkspace, told } from "../support/workspace.ts"

const withLists = async () => {
  const workspace = temporaryWorkspace()
  await told(CreateChecklist, { name: "old", items: ["x", "y"] }, workspace)
  await told(CreateChecklist, { name: "plan", items: ["Read", "Write", "Check"] }, workspace)
  utimesSync(join(workspace.root, "logs/checklists/old.json"), 1, 1)
  return workspace
}

describe("CheckItem", () => {
  it("marks by number or text, in the list changed last or the one named", async () => {
    const workspace = await withLists()
    expect(await told(CheckItem, { item: 2, done: true }, workspace)).toBe("plan: 1 of 3 done\n1. [ ] Read\n2. [x] Write\n3. [ ] Check")
    expect(await told(CheckItem, { item: "read", done: true, note: "twice" }, workspace)).toContain("1. [x] Read (twice)")
    expect(await told(CheckItem, { item: "2", done: false }, workspace)).toContain("plan: 1 of 3 done")
    expect(await told(CheckItem, { item: "y", done: true, checklist: "old" }, workspace)).toBe("old: 1 of 2 done\n1. [ ] x\n2. [x] y")
    expect(workspace.events.length).toBe(6)
  })

  it("says which lists there are", async () => {
    expect(await refused(CheckItem, { item: 1, done: true, checklist: "pln" }, await withLists())).toBe('there is no checklist "pln"; there are: "plan", "old"')
    expect(await refused(CheckItem, { item: 1, done: true }, temporaryWorkspace())).toBe("there is no checklist yet; make one with CreateChecklist")
    expect(await refused(CheckItem, { item: 9, done: true }, await withLists())).toContain("there is no item 9; the list has 3")
  })

  it("calls at the same time are all kept", async () => {
    const workspace = temporaryWorkspace()
    const items = Array.from({ length: 30 }, (_, n) => `item ${n}`)
    await told(CreateChecklist, { name: "plan", items }, workspace)
    await Promise.all(items.map((_, n) => told(CheckItem, { item: n + 1, done: true }, workspace)))
    expect(await told(CheckItem, { item: 1, done: true }, workspace)).toContain("plan: 30 of 30 done")
  })
})
