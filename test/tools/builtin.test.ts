import { describe, expect, it } from "vitest"
import { builtinTools } from "../../src/tools/builtin.ts"
import { schemaProblem, shortSchema } from "../../src/tools/schema.ts"
import { PUBLISHED_TOOLS } from "../../src/tools/Toolbox.ts"

const published: Record<string, readonly [string, string]> = {
  Read: ['{"path": string, "offset"?: integer, "limit"?: integer}', "read"],
  Ls: ['{"path"?: string}', "read"],
  Glob: ['{"pattern": string, "path"?: string}', "read"],
  Grep: ['{"pattern": string, "path"?: string, "glob"?: string, "case_insensitive"?: boolean, "context"?: integer, "max_results"?: integer}', "read"],
  Write: ['{"path": string, "content": string | string[]}', "idempotent"],
  Edit: ['{"path": string, "old_string": string, "new_string": string, "replace_all"?: boolean}', "effectful"],
  CreateChecklist: ['{"name": string, "items": string[]}', "idempotent"],
  CheckItem: ['{"item": integer | string, "done": boolean, "checklist"?: string, "note"?: string}', "idempotent"],
  AskUser: ['{"question": string, "options"?: string[], "default"?: string, "deadline_seconds"?: integer}', "idempotent"],
}

describe("the built-in tools", () => {
  it("have the published names, arguments and effects", () => {
    expect(Object.fromEntries(builtinTools.map((tool) => [tool.name, [shortSchema(tool.input), tool.effect]]))).toEqual(published)
    expect(builtinTools.filter((tool) => !PUBLISHED_TOOLS.has(tool.name))).toEqual([])
  })

  it("have schemas that compile, allow nothing unnamed, and describe themselves", () => {
    for (const tool of builtinTools) {
      expect(schemaProblem(tool.input)).toBeNull()
      expect(tool.input["additionalProperties"]).toBe(false)
      expect(tool.description.length).toBeGreaterThan(20)
      expect(tool.timeout_ms).toBeGreaterThan(0)
    }
  })
})
