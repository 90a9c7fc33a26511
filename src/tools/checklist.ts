// Checklists (T3): JSON files under `logs/checklists/`, one a list, read and rewritten whole. A list is found by the name
// it was made with; the newest is meant when none is named. Calls on one workspace take turns.
import { createHash } from "node:crypto"
import { Buffer } from "node:buffer"
import { closeSync, lstatSync } from "node:fs"
import { plainWords, systemCode } from "../workspace/errors.ts"
import { openPlain, readAt, readFolder, replaceFile } from "../workspace/files.ts"
import { resolveInside } from "../workspace/jail.ts"
import { ToolFailure } from "./attempt.ts"
import type { ToolContext } from "./Tool.ts"

export interface Item {
  readonly text: string
  readonly done: boolean
  readonly note?: string
}

export interface Checklist {
  readonly name: string
  readonly items: ReadonlyArray<Item>
}

export const MAX_ITEMS = 100
export const MAX_ITEM_CHARS = 500
export const MAX_NAME_CHARS = 80
const MAX_LISTS = 100
const MAX_FILE_BYTES = 1024 * 1024
const FOLDER = "logs/checklists"

export const summaryOf = (list: Checklist): string => `${list.items.filter((item) => item.done).length} of ${list.items.length} done`

export const rendered = (list: Checklist): string => [
  `${list.name}: ${summaryOf(list)}`,
  ...list.items.map((item, index) => `${index + 1}. [${item.done ? "x" : " "}] ${item.text}${item.note === undefined ? "" : ` (${item.note})`}`),
].join("\n")

/** A file name for a list: its own name where that is safe, else the safe part and a hash, so that no two lists share a file. */
const fileOf = (name: string): string => {
  const safe = name.replace(/[^\p{L}\p{N} ._-]+/gu, "-").replace(/^[-. ]+|[-. ]+$/g, "").slice(0, 60)
  const file = safe === name ? safe : `${safe === "" ? "list" : safe}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`
  return `${FOLDER}/${file}.json`
}

const isChecklist = (value: unknown): value is Checklist =>
  typeof value === "object" && value !== null && "name" in value && typeof value.name === "string" && "items" in value && Array.isArray(value.items) &&
  value.items.every((item: unknown) => typeof item === "object" && item !== null && "text" in item && typeof item.text === "string" && "done" in item && typeof item.done === "boolean")

const readList = (real: string): Checklist | null => {
  let file
  try {
    file = openPlain(real)
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return null
    throw cause
  }
  try {
    const parsed: unknown = JSON.parse(readAt(file.fd, 0, Math.min(file.stat.size, MAX_FILE_BYTES)).toString("utf8"))
    return isChecklist(parsed) ? parsed : null
  } catch (cause) {
    if (cause instanceof SyntaxError) return null // changed by something else; it is made anew
    throw cause
  } finally {
    closeSync(file.fd)
  }
}

const filesIn = (workspace: string): Array<{ readonly real: string; readonly at: number }> => {
  const folder = resolveInside(workspace, FOLDER, "own")
  try {
    return readFolder(folder).filter((entry) => entry.isFile() && entry.name.endsWith(".json")).map((entry) => {
      const real = `${folder}/${entry.name}`
      return { real, at: lstatSync(real, { throwIfNoEntry: false })?.mtimeMs ?? 0 }
    }).sort((a, b) => b.at - a.at).slice(0, MAX_LISTS)
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return []
    throw cause
  }
}

/** Every list of a workspace, the one changed last first. */
export const checklists = (workspace: string): ReadonlyArray<Checklist> => filesIn(workspace).map(({ real }) => readList(real)).filter((list) => list !== null)

export const checklistNamed = (workspace: string, name: string): Checklist | null => {
  const list = readList(resolveInside(workspace, fileOf(name), "own"))
  return list?.name === name ? list : null
}

/** Stores a list and says so as a `checklist` event. */
export const store = async (context: ToolContext, list: Checklist): Promise<void> => {
  try {
    const real = resolveInside(context.workspace, fileOf(list.name), "own")
    await replaceFile(context.workspace, real, [Buffer.from(`${JSON.stringify(list, null, 2)}\n`)], { durable: true })
  } catch (cause) {
    if (systemCode(cause) === null) throw cause
    throw new ToolFailure(`the checklist cannot be stored: ${plainWords(cause)}`)
  }
  context.emit({ event: "checklist", data: { name: list.name, items: list.items, summary: summaryOf(list) } })
}

const turns = new Map<string, Promise<unknown>>()

/** One change at a time for a workspace, in the order of the calls. */
export const inTurn = <A>(workspace: string, change: () => Promise<A>): Promise<A> => {
  const mine = (turns.get(workspace) ?? Promise.resolve()).then(change, change)
  turns.set(workspace, mine)
  const leave = () => {
    if (turns.get(workspace) === mine) turns.delete(workspace)
  }
  mine.then(leave, leave)
  return mine
}

const same = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase()

/** The index of the item that a number (from 1) or a text means. Throws ToolFailure when none or several do. */
export const itemAt = (list: Checklist, item: number | string): number => {
  const exact = typeof item === "string" ? list.items.findIndex((each) => same(each.text, item)) : -1
  if (exact !== -1) return exact
  const number = typeof item === "number" ? item : /^\s*#?\d{1,4}\.?\s*$/.test(item) ? Number.parseInt(item.replace(/\D/g, ""), 10) : null
  if (number !== null) {
    if (Number.isInteger(number) && number >= 1 && number <= list.items.length) return number - 1
    throw new ToolFailure(`there is no item ${item}; the list has ${list.items.length}:\n${rendered(list)}`)
  }
  const wanted = String(item).trim().toLowerCase()
  const near = list.items.flatMap((each, index) => (each.text.toLowerCase().includes(wanted) ? [index] : []))
  if (near.length === 1) return near[0]!
  throw new ToolFailure(`${near.length === 0 ? "no item has" : `${near.length} items have`} the text ${JSON.stringify(item)}; give the item's number:\n${rendered(list)}`)
}
