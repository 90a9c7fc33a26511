// Who may call a server without logins (U1): only callers on this machine, only under a known `Host`, and no foreign web
// page. A page of another site can make a browser send requests to loopback; it cannot choose the `Host` (unless it
// rebinds its own name, which is then unknown) and cannot hide its `Origin`. Called by app.ts before any route.
import { Refused } from "./problem.ts"

export interface GuardSettings {
  readonly host: string
  readonly advertise_url: string | null
  readonly allowed_hosts: ReadonlyArray<string>
}

/** What the server knows of the connection; absent where the caller is in this process. */
export interface Peer {
  /** Remote address of the connection. */
  readonly address: string
}

interface HostName {
  readonly name: string
  /** Null: any port. */
  readonly port: string | null
}

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]

/** `host`, `host:port`, `[v6]`, `[v6]:port`; null when it is none of these. */
const parseHost = (text: string): HostName | null => {
  const found = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text.toLowerCase())
  if (found !== null) return { name: found[1]!.replace(/(?<=[^.])\.$/, ""), port: found[2] ?? null }
  return /^[0-9a-f:.]+$/i.test(text) && text.includes("::") ? { name: `[${text.toLowerCase()}]`, port: null } : null
}

const hostOfUrl = (url: string): string | null => {
  try {
    return new URL(url).host
  } catch {
    return null
  }
}

export const isLoopback = (address: string): boolean =>
  address === "::1" || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/i.test(address)

export interface Guard {
  /** Null when the request may go on. */
  readonly check: (request: Request, peer: Peer | null) => Refused | null
}

/** Routes that a supervisor or a scraper on another machine may read; they give nothing away and change nothing. */
const OPEN_PATHS = new Set(["/healthz", "/readyz", "/metrics"])

export const makeGuard = (settings: GuardSettings): Guard => {
  const advertised = settings.advertise_url === null ? null : hostOfUrl(settings.advertise_url)
  const known = [...LOOPBACK_NAMES, settings.host, advertised, ...settings.allowed_hosts].flatMap((text) => {
    const host = text === null ? null : parseHost(text)
    return host === null ? [] : [host]
  })
  const isKnown = (text: string): boolean => {
    const host = parseHost(text)
    return host !== null && known.some((k) => k.name === host.name && (k.port === null || k.port === host.port))
  }
  /** The page's own origin: the very host and port that the request was sent to, or the advertised address. */
  const sameOrigin = (origin: string, host: string): boolean => {
    const from = /^https?:\/\//i.test(origin) ? hostOfUrl(origin) : null
    if (from === null) return false
    return from === hostOfUrl(`${origin.split("://", 1)[0]}://${host}`) || from === advertised
  }
  return {
    check: (request, peer) => {
      const { headers } = request
      const url = new URL(request.url)
      const host = headers.get("host") ?? url.host
      if (!isKnown(host)) return new Refused({ reason: "host", detail: `the host "${host.slice(0, 200)}" is not known here; add it to http.allowed_hosts if it is yours` })
      const origin = headers.get("origin")
      if (origin !== null && !sameOrigin(origin, host)) {
        return new Refused({ reason: "origin", detail: `pages of "${origin.slice(0, 200)}" may not call this server` })
      }
      const navigation = request.method === "GET" && headers.get("sec-fetch-mode") === "navigate" && headers.get("sec-fetch-dest") === "document"
      if (headers.get("sec-fetch-site") === "cross-site" && !navigation) {
        return new Refused({ reason: "cross_site", detail: "pages of another site may not call this server" })
      }
      if (peer !== null && !isLoopback(peer.address) && !OPEN_PATHS.has(url.pathname)) {
        return new Refused({ reason: "address", detail: `without logins only callers on this machine are served, not ${peer.address}` })
      }
      return null
    },
  }
}

/** Keeps the audit log from growing with every refused request: one entry for each new reason and value, 64 an hour. */
export const makeOnce = (max: number, window_ms: number, now: () => number) => {
  let since = now()
  const seen = new Set<string>()
  return (key: string): boolean => {
    if (now() - since > window_ms) {
      seen.clear()
      since = now()
    }
    if (seen.has(key) || seen.size >= max) return false
    seen.add(key)
    return true
  }
}
