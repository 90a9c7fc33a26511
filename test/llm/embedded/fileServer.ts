// A model hub on a loopback port for the tests of downloads: serves one file with ranges, and misbehaves as it is told.
import { createHash } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"

export interface Behaviour {
  /** No range is honoured. */
  ignore_ranges: boolean
  /** Answers nothing at all. */
  silent: boolean
  status: number | null
  /** Goes by a first answer at the hub that redirects to the store of the file. */
  redirect: boolean
  /** What the hub says of the file, where it is not the truth. */
  claimed_sha256: string | null
  /** A reply goes silent after this many bytes of its body; null is never. */
  stall_after: number | null
}

export interface FileServer {
  readonly url: string
  readonly behaviour: Behaviour
  /** `range` and `authorization` of each request for the file. */
  readonly requests: Array<{ readonly path: string; readonly range: string | null; readonly authorization: string | null }>
  /** Requests of any kind, answered or not. */
  asked: number
  /** What a listing of the repository says. */
  listing: unknown
  body: Uint8Array
  /** Every connection breaks now. */
  readonly breakOff: () => void
  readonly stop: () => void
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

export const gguf = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff
  bytes.set(new TextEncoder().encode("GGUF"))
  return bytes
}

const answer = (self: FileServer, request: IncomingMessage, response: ServerResponse): void => {
  const { behaviour, body } = self
  self.asked++
  const { pathname } = new URL(request.url ?? "/", self.url)
  if (behaviour.silent) return
  if (pathname.startsWith("/api/")) {
    response.writeHead(self.listing === null ? 404 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(self.listing))
    return
  }
  self.requests.push({ path: pathname, range: request.headers.range ?? null, authorization: request.headers.authorization ?? null })
  if (behaviour.status !== null) {
    response.writeHead(behaviour.status).end("no")
    return
  }
  const hash = behaviour.claimed_sha256 ?? sha256(body)
  if (behaviour.redirect && !pathname.startsWith("/store/")) {
    response.writeHead(302, { location: `/store${pathname}`, "x-linked-etag": `"${hash}"`, "x-linked-size": String(body.length) }).end()
    return
  }
  const etag = behaviour.redirect ? "\"multipart-7\"" : `"${hash}"`
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0)
  const fresh = request.headers["if-range"] === undefined || request.headers["if-range"] === etag
  const partial = start > 0 && !behaviour.ignore_ranges && fresh
  if (partial && start >= body.length) {
    response.writeHead(416, { "content-range": `bytes */${body.length}` }).end()
    return
  }
  const rest = body.subarray(partial ? start : 0)
  response.writeHead(partial ? 206 : 200, {
    etag, "accept-ranges": "bytes", "content-length": String(rest.length), ...(partial ? { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` } : {}),
  })
  const limit = behaviour.stall_after
  if (limit === null || limit >= rest.length) response.end(rest)
  else response.write(rest.subarray(0, limit))
}

export const startFileServer = async (body: Uint8Array): Promise<FileServer> => {
  const server = createServer((request, response) => answer(self, request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  const self: FileServer = {
    url: `http://127.0.0.1:${address.port}`, requests: [], asked: 0, listing: null, body,
    behaviour: { ignore_ranges: false, silent: false, status: null, redirect: false, claimed_sha256: null, stall_after: null },
    breakOff: () => server.closeAllConnections(),
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return self
}
