// `bun run bench [name …]`: runs the benches and prints each figure beside its limit or rival. Exit code 1 when a figure
// misses its limit. Names: see BENCHES; without one, all run.
import { type BenchRow, printRows, skipped } from "./report.ts"

const BENCHES: Readonly<Record<string, () => Promise<ReadonlyArray<BenchRow>>>> = {
  ready: async () => (await import("./jobs.ts")).ready(),
  latency: async () => (await import("./jobs.ts")).latency(),
  turns: async () => (await import("./jobs.ts")).turns(),
  many: async () => (await import("./jobs.ts")).many(),
  calls: async () => (await import("./client.ts")).calls(),
  streams: async () => (await import("./client.ts")).streams(),
  digest: async () => (await import("./digest.ts")).digest(),
  lifecycle: async () => (await import("./lifecycle.ts")).lifecycle(),
}

const usage = `usage: bun run bench [${Object.keys(BENCHES).join(" | ")} …]`
const names = process.argv.slice(2)
if (names.includes("--help") || names.includes("-h")) {
  console.log(usage)
  process.exit(0)
}
const unknown = names.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`there is no bench ${unknown.join(", ")}; ${usage}`)
  process.exit(2)
}
let missed = 0
for (const name of names.length > 0 ? names : Object.keys(BENCHES)) {
  console.log(`\n# ${name}`)
  const rows = await BENCHES[name]!().catch((error: unknown) => [{ ...skipped(name, error instanceof Error ? error.message : String(error)), ok: false }])
  printRows(rows)
  missed += rows.filter((row) => row.ok === false).length
}
process.exit(missed > 0 ? 1 : 0)
