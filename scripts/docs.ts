// Writes the tables of the README that the code is the authority for: settings, routes, metrics, commands. Each stands
// between `<!-- name -->` and `<!-- /name -->`. `bun scripts/docs.ts` fills them in; test/docs.test.ts fails when one is stale.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PIECES_COMMANDS, TASK_COMMANDS } from "../src/cli/commands.ts"
import { metricsReference } from "../src/metrics/Metrics.ts"
import { settingsReference } from "../src/settings/schema.ts"
import { endNodes, startNode } from "../test/support/node.ts"

export const README = join(import.meta.dirname, "..", "README.md")

/** The part of /openapi.json that is read. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly summary: string }>>>>
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n")

const settings = (): string => table(["key", "default", "meaning"], settingsReference().map((row) => [`\`${row.key}\``, row.default === null ? "must be given" : `\`${row.default}\``, row.description]))
const metrics = (): string => table(["metric", "labels", "meaning"], metricsReference().map((row) => [`\`${row.name}\``, row.labels.map((label) => `\`${label}\``).join(" "), row.help]))
const routes = (document: ApiDocument): string => table(["call", "meaning"], Object.entries(document.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => [`\`${method.toUpperCase()} ${path}\``, operation.summary])))
const commands = (): string => table(["command", "meaning"], [...TASK_COMMANDS, ...PIECES_COMMANDS].map((command) => [`\`${command.usage}\``, command.summary]))

/** The text of each block by its name. */
export const blocks = (document: ApiDocument): Readonly<Record<string, string>> => ({ settings: settings(), metrics: metrics(), routes: routes(document), commands: commands() })

/** The document with every block filled in. Throws when a block's marks are missing. */
export const fill = (text: string, filled: Readonly<Record<string, string>>): string =>
  Object.entries(filled).reduce((all, [name, body]) => {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
    const from = all.indexOf(open)
    const to = all.indexOf(close)
    if (from < 0 || to < from) throw new Error(`README.md lacks ${open} … ${close}`)
    return `${all.slice(0, from + open.length)}\n\n${body}\n\n${all.slice(to)}`
  }, text)

if (import.meta.main) {
  const node = await startNode()
  const document = (await node.call("GET", "/openapi.json")).json as ApiDocument
  await endNodes()
  writeFileSync(README, fill(readFileSync(README, "utf8"), blocks(document)))
}
