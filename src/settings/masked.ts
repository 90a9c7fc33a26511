// Settings as they may be shown to a person (`GET /api/config`, the start's own lines): secrets, credentials inside
// addresses and texts that came from `${…}` become `***`. Pure.
import type { Path } from "./document.ts"
import { isSecret } from "./schema.ts"
import type { LoadedSettings } from "./load.ts"

export const MASK = "***"

const SECRET_PARAMETER = /([?&][^=&#]*(?:token|key|secret|password|auth)[^=&#]*=)[^&#]*/gi

/** An address without the user name, password and key parameters in it. */
export const maskAddress = (text: string): string =>
  text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${MASK}@`).replace(SECRET_PARAMETER, `$1${MASK}`)

/** A copy for showing, of the same shape. A secret that is not set stays null, so that one sees that it is missing. */
export const maskedSettings = ({ settings, expanded }: LoadedSettings): Record<string, unknown> => {
  const outside = new Set(expanded.map((path) => path.join("\0")))
  const walk = (value: unknown, path: Path, hidden: boolean): unknown => {
    const hide = hidden || outside.has(path.join("\0")) || (path.length > 0 && isSecret(path))
    if (Array.isArray(value)) return value.map((item, i) => walk(item, [...path, i], hide))
    if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key], hide)]))
    if (typeof value !== "string") return value
    return hide ? MASK : maskAddress(value)
  }
  return walk(settings, [], false) as Record<string, unknown>
}
