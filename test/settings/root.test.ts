import { existsSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { INSTALLATION } from "../../src/settings/root.ts"

it("finds the folder that holds pieces, migrations and the engine's source", () => {
  for (const part of ["package.json", "pieces/general.yaml", "drizzle/meta/_journal.json", "src/llm/embedded/server.ts"]) expect(existsSync(join(INSTALLATION, part))).toBe(true)
})
