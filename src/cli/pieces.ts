// `pieces list` and `pieces lint`: the node knows the installed tools and the configured models, so it does the checking.
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { ask } from "./api.ts"
import { CommandFailure, EXIT } from "./failure.ts"
import type { Context } from "./run.ts"
import type { Page } from "./shapes.ts"
import { clean, oneLine } from "./text.ts"

interface Piece {
  readonly name: string
  readonly description: string
  readonly origin: string
}

interface Issue {
  readonly path: string
  readonly message: string
  readonly line?: number
  readonly column?: number
}

interface Lint {
  readonly valid: boolean
  readonly errors: ReadonlyArray<Issue>
  readonly warnings: ReadonlyArray<Issue>
}

const list = async (context: Context): Promise<number> => {
  const { items } = await ask<Page<Piece>>(context.base, "/api/pieces")
  if (context.json(items)) return EXIT.succeeded
  const width = Math.max(0, ...items.map((piece) => oneLine(piece.name, 60).length))
  for (const piece of items) context.out.line(`${oneLine(piece.name, 60).padEnd(width)}  ${context.out.paint("dim", piece.origin.padEnd(7))}  ${oneLine(piece.description, 200)}`)
  return EXIT.succeeded
}

const readPiece = async (said: string, folder: string): Promise<string> => {
  try {
    return await readFile(resolve(folder, said), "utf8")
  } catch (cause) {
    throw new CommandFailure((cause as { code?: unknown }).code === "ENOENT" ? `no such file: ${said}` : `cannot read ${said}: ${(cause as Error).message}`, EXIT.usage)
  }
}

/** `file:line:column: key: message`, the form that editors make clickable. */
const issueLine = (file: string, issue: Issue): string =>
  `${file}:${issue.line ?? 1}:${issue.column ?? 1}: ${issue.path === "" ? "" : `${oneLine(issue.path, 120)}: `}${clean(issue.message)}`

const lint = async (context: Context): Promise<number> => {
  const files = context.args.words.slice(1)
  if (files.length === 0) throw new CommandFailure("no file to check", EXIT.usage, ["pieces lint FILE…"])
  const texts = await Promise.all(files.map((file) => readPiece(file, context.folder)))
  const answers: Array<Lint & { readonly file: string }> = []
  for (const [i, text] of texts.entries()) {
    const answer = await ask<Lint>(context.base, "/api/pieces/validate", { method: "POST", body: text, headers: { "content-type": "text/yaml" } })
    answers.push({ file: files[i] ?? "", ...answer })
  }
  const valid = answers.every((answer) => answer.valid)
  if (context.json(answers)) return valid ? EXIT.succeeded : EXIT.failed
  for (const { file, errors, warnings, valid: fine } of answers) {
    for (const issue of errors) context.out.line(`${context.out.paint("red", "error")} ${issueLine(file, issue)}`)
    for (const issue of warnings) context.out.line(`${context.out.paint("yellow", "warning")} ${issueLine(file, issue)}`)
    if (fine) context.out.line(`${context.out.paint("green", "valid")} ${file}`)
  }
  return valid ? EXIT.succeeded : EXIT.failed
}

export const runPieces = (name: string, context: Context): Promise<number> => {
  if (name === "lint") return lint(context)
  const extra = context.args.words[1]
  if (extra !== undefined) throw new CommandFailure(`pieces list takes nothing, and then "${oneLine(extra, 60)}" came`, EXIT.usage)
  return list(context)
}
