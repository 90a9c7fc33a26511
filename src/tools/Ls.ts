// Lists one folder: folders first by name with `/`, files with their size, links with whether they can be followed.
import { lstatSync } from "node:fs"
import { resolveInside, TEMP_PREFIX } from "../workspace/jail.ts"
import { PathRefused, plainWords, systemCode } from "../workspace/errors.ts"
import { readFolder } from "../workspace/files.ts"
import { kindOfEntry } from "../workspace/walk.ts"
import { attempt, ToolFailure } from "./attempt.ts"
import { missing, shown } from "./place.ts"
import { counted } from "./text.ts"
import { output, type Tool, type ToolContext } from "./Tool.ts"

const MAX_ENTRIES = 1000

const fileLine = (name: string, at: string): string => {
  const stat = lstatSync(at, { throwIfNoEntry: false })
  return stat?.isFile() === true ? `${name} (${counted(stat.size, "byte")})` : `${name} (gone)`
}

const linkLine = (context: ToolContext, name: string, at: string): string => {
  try {
    return `${name} -> ${shown(context, resolveInside(context.workspace, at, "read"))}`
  } catch (cause) {
    if (cause instanceof PathRefused) return `${name} (a link that may not be followed)`
    throw cause
  }
}

const lines = (context: ToolContext, real: string): Array<string> => {
  const entries = readFolder(real).filter((entry) => !entry.name.startsWith(TEMP_PREFIX))
    .map((entry) => ({ name: entry.name, kind: kindOfEntry(entry) }))
    .sort((a, b) => Number(a.kind !== "folder") - Number(b.kind !== "folder") || (a.name < b.name ? -1 : 1))
  const told = entries.slice(0, MAX_ENTRIES).map(({ name, kind }) => {
    const at = `${real}/${name}`
    switch (kind) {
      case "folder": return `${name}/`
      case "file": return fileLine(name, at)
      case "link": return linkLine(context, name, at)
      case "other": return `${name} (a pipe, socket or device)`
    }
  })
  return entries.length > MAX_ENTRIES ? [...told, `… ${counted(entries.length - MAX_ENTRIES, "more entry", "more entries")}; use Glob to find some of them`] : told
}

/** The folder at a real path, listed; a file is described instead. */
const list = (context: ToolContext, real: string): string => {
  const name = shown(context, real)
  const stat = lstatSync(real, { throwIfNoEntry: false })
  if (stat === undefined) throw missing(context, real, "folder")
  if (stat.isFile()) return `${fileLine(name, real)} is a file, not a folder`
  try {
    const there = lines(context, real)
    return there.length === 0 ? `${name} is empty` : there.join("\n")
  } catch (cause) {
    if (cause instanceof PathRefused || systemCode(cause) === null) throw cause
    throw new ToolFailure(`${name} cannot be listed: ${plainWords(cause)}`)
  }
}

export const Ls: Tool = {
  name: "Ls",
  description: "List a folder of the workspace: its folders, and its files with their sizes.",
  input: {
    type: "object",
    properties: { path: { type: "string", minLength: 1, description: "Folder, relative to the workspace; default: the workspace itself" } },
    additionalProperties: false,
  },
  effect: "read",
  timeout_ms: 30_000,
  run: (args, context) => attempt(async () => output(list(context, await context.resolve(String(args["path"] ?? "."), "read")))),
  dependsOn: async (args, context) => {
    const real = await context.resolve(String(args["path"] ?? "."), "read")
    const stat = lstatSync(real, { throwIfNoEntry: false })
    if (stat?.isDirectory() !== true) return [real]
    const entries = readFolder(real)
    return entries.length > MAX_ENTRIES ? null : [real, ...entries.map((entry) => `${real}/${entry.name}`)]
  },
}
