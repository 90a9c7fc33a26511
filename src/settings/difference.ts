// What a reload changes (W5): workers by id, and the other keys, which take effect only at the next start. Pure.
import type { Settings } from "./settings.ts"

export interface SettingsDifference {
  /** Worker ids. An untouched worker is in none of the three lists. */
  readonly changed: ReadonlyArray<string>
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  /** Keys whose new value needs a restart, such as `http.port`. */
  readonly restart: ReadonlyArray<string>
}

const same = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}

const isSection = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value)

export const settingsDifference = (before: Settings, after: Settings): SettingsDifference => {
  const old = new Map(before.workers.map((worker) => [worker.id, worker]))
  const kept = new Set(after.workers.map((worker) => worker.id))
  const restart: Array<string> = []
  for (const [section, value] of Object.entries<unknown>({ ...after })) {
    const was: unknown = before[section as keyof Settings]
    if (section === "workers" || same(was, value)) continue
    if (!isSection(value) || !isSection(was)) restart.push(section)
    else restart.push(...Object.keys(value).filter((key) => !same(was[key], value[key])).map((key) => `${section}.${key}`))
  }
  return {
    changed: after.workers.filter((worker) => old.has(worker.id) && !same(old.get(worker.id), worker)).map((worker) => worker.id),
    added: after.workers.filter((worker) => !old.has(worker.id)).map((worker) => worker.id),
    removed: before.workers.filter((worker) => !kept.has(worker.id)).map((worker) => worker.id),
    restart,
  }
}
