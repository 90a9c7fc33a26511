// What a movement offers: the tools that its list selects, each narrowed against the files of this moment.
import { expect, it } from "vitest"
import { offeredTools } from "../../src/piece/offer.ts"
import { parsePiece } from "../../src/piece/parse.ts"
import { builtinTools } from "../../src/tools/builtin.ts"

const offered = (tools: string, files: ReadonlyArray<string>) => {
  const parsed = parsePiece(`name: x\nmovements:\n  - { name: a, instruction: i, tools: ${tools}, rules: [{ next: COMPLETE }] }\n`)
  if (parsed._tag === "Invalid") throw new Error(JSON.stringify(parsed.errors))
  return offeredTools(parsed.piece.movements[0]!, builtinTools, { files, task: "to output/a.md" })
}

it("a plain list offers the tools as they are, in the toolbox's order and nothing else", () => {
  const tools = offered("[Write, Read, \"@plan\"]", [])
  expect(tools.map(({ tool }) => tool.name)).toEqual(["Read", "Write", "CreateChecklist", "CheckItem"])
  for (const { tool, schema, fixed, once } of tools) expect([schema, fixed, once]).toEqual([tool.input, {}, null])
})

it("a narrowed tool is offered with the files that are there now", () => {
  const narrowed = "[{ tool: Read, narrow: { path: { enum: [\"{files:input/**}\"] } }, once: true }, { tool: Write, with: { path: \"{files_named:task}\" } }]"
  const [read, write] = offered(narrowed, ["input/a.txt", "input/b.txt"])
  expect(read?.once).toEqual({ arg: "path", values: ["input/a.txt", "input/b.txt"] })
  expect(write?.fixed).toEqual({ path: "output/a.md" })
  expect(write?.schema).toMatchObject({ required: ["content"] })
})

it("a movement without tools is offered none", () => expect(offered("[]", ["input/a.txt"])).toEqual([]))
