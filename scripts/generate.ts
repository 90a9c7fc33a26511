// Writes the migration that leads from the last snapshot in `drizzle/` to `src/store/tables.ts`:
//   bun run generate <name>            a generated migration, or "nothing to migrate"
//   bun run generate <name> --custom   an empty one to be filled by hand (triggers)
// Migrations that have landed are never edited; commit the whole of `drizzle/`. `--out DIR` serves the test.
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { out: { type: "string", default: "drizzle" }, custom: { type: "boolean", default: false } },
})

const root = fileURLToPath(new URL("..", import.meta.url))
const name = positionals[0] === undefined ? [] : ["--name", positionals[0]]
const custom = values.custom ? ["--custom"] : []
const child = Bun.spawn(
  [process.execPath, "--bun", "node_modules/drizzle-kit/bin.cjs", "generate", "--dialect", "sqlite", "--schema", "src/store/tables.ts", "--out", values.out, ...name, ...custom],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
)
process.exit(await child.exited)
