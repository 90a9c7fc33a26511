// How tools speak of places in the workspace: relative paths, and for a file that is not there what is. Small models
// mistype names; naming the nearest one saves them a turn.
import { lstatSync } from "node:fs"
import { distance } from "../settings/suggest.ts"
import { plainWords, PathRefused, quoted, systemCode } from "../workspace/errors.ts"
import { openPlain, readFolder, type OpenFile } from "../workspace/files.ts"
import { TEMP_PREFIX } from "../workspace/jail.ts"
import { ToolFailure } from "./attempt.ts"
import type { ToolContext } from "./Tool.ts"

const MAX_NAMES = 20
const MAX_NAME_CHARS = 80

/** A real path as the model knows it: relative to the workspace, `.` for the workspace itself. */
export const shown = (context: ToolContext, real: string): string => real.slice(context.workspace.length + 1) || "."

/** Names in a folder, folders with `/`, sorted; null when it is not a readable folder. */
const namesIn = (real: string): Array<string> | null => {
  try {
    return readFolder(real)
      .filter((entry) => !entry.name.startsWith(TEMP_PREFIX))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort()
  } catch {
    return null // only asked for to make a message more helpful
  }
}

const listed = (names: ReadonlyArray<string>): string =>
  names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? `, … ${names.length - MAX_NAMES} more` : "")

/** The names nearest to `wanted` first, so that the cut list still holds them. */
const nearestFirst = (names: ReadonlyArray<string>, wanted: string): Array<string> => {
  const near = (name: string) => distance(name.toLowerCase().slice(0, MAX_NAME_CHARS), wanted.toLowerCase().slice(0, MAX_NAME_CHARS))
  return names.length > 1000 ? [...names] : names.map((name) => ({ name, edits: near(name) })).sort((a, b) => a.edits - b.edits).map(({ name }) => name)
}

/** What to say about a path that does not exist: the same name elsewhere, or what its folder holds. */
export const missing = (context: ToolContext, real: string, what: "file" | "folder" | "file or folder"): ToolFailure => {
  const path = shown(context, real)
  const name = path.slice(path.lastIndexOf("/") + 1)
  const elsewhere = ["input", "output"].map((folder) => `${folder}/${name}`)
    .filter((candidate) => candidate !== path && lstatSync(`${context.workspace}/${candidate}`, { throwIfNoEntry: false }) !== undefined)
  if (elsewhere.length > 0) return new ToolFailure(`no such ${what}: ${path}; did you mean ${elsewhere.join(" or ")}?`)
  let parent = real
  let names: Array<string> | null = null
  while (names === null && parent.length > context.workspace.length) {
    parent = parent.slice(0, parent.lastIndexOf("/"))
    names = namesIn(parent)
  }
  const folder = shown(context, parent)
  if (names === null || names.length === 0) return new ToolFailure(`no such ${what}: ${path}; ${folder === "." ? "the workspace" : `${folder}/`} is empty`)
  const there = nearestFirst(names, name).map((each) => (folder === "." ? each : `${folder}/${each}`))
  return new ToolFailure(`no such ${what}: ${path}; there are: ${listed(there)}`)
}

/** Resolves and opens a plain file for reading; every way it can fail is a message for the model. The caller closes `fd`. */
export const openForReading = async (context: ToolContext, path: string): Promise<OpenFile & { readonly real: string }> => {
  const real = await context.resolve(path, "read")
  try {
    return { ...openPlain(real), real }
  } catch (cause) {
    if (cause instanceof PathRefused) throw new ToolFailure(`${quoted(path)}: ${cause.detail}`)
    const code = systemCode(cause)
    if (code === "ENOENT") throw missing(context, real, "file")
    if (code === "EISDIR") {
      const names = namesIn(real) ?? []
      const prefix = shown(context, real) === "." ? "" : `${shown(context, real)}/`
      throw new ToolFailure(`${shown(context, real)} is a folder, not a file; it ${names.length === 0 ? "is empty" : `holds: ${listed(names.map((name) => prefix + name))}`}`)
    }
    if (code === null) throw cause
    throw new ToolFailure(`${shown(context, real)} cannot be read: ${plainWords(cause)}`)
  }
}
