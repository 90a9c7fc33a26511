// The pieces that come with the runtime.
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { lintPiece } from "../../src/piece/lint.ts"
import { narrowTool } from "../../src/piece/narrow.ts"
import { parsePiece } from "../../src/piece/parse.ts"
import { builtinTools } from "../../src/tools/builtin.ts"

const directory = fileURLToPath(new URL("../../pieces/", import.meta.url))
const names = readdirSync(directory).map((file) => file.replace(/\.yaml$/, ""))
const textOf = (name: string) => readFileSync(`${directory}${name}.yaml`, "utf8")

describe.each(names)("the piece %s", (name) => {
  it("is free of errors and warnings", () => expect(lintPiece(textOf(name), { tools: builtinTools, models: [], name })).toEqual({ valid: true, errors: [], warnings: [] }))
  it("says what it is for", () => {
    const parsed = parsePiece(textOf(name))
    expect(parsed._tag === "Valid" && parsed.piece.description.length).toBeGreaterThan(20)
  })
})

it("are these", () => expect(names.toSorted()).toEqual(["digest", "general", "minutes"]))

it("digest leaves a small model one call a movement with little to choose", () => {
  const parsed = parsePiece(textOf("digest"))
  if (parsed._tag === "Invalid") throw new Error("not valid")
  const context = { files: ["input/notes.txt", "output/x.md"], task: "Read input/notes.txt and write a three-line summary to output/summary.md" }
  for (const movement of parsed.piece.movements) {
    expect(movement.rules).toHaveLength(1)
    expect(movement.tools.map((entry) => entry.once)).toEqual([true])
    const entry = movement.tools[0]!
    const narrowed = narrowTool(builtinTools.find((tool) => tool.name === entry.tool)!, entry, context)
    expect(narrowed.once).toEqual({ arg: "path", values: [movement.name === "read" ? "input/notes.txt" : "output/summary.md"] })
    // A turn for each value that the enum can hold, twice.
    expect(movement.max_turns).toBeGreaterThanOrEqual(2 * 64)
  }
})
