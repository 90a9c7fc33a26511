// Serving one file of a workspace over HTTP: ranges (RFC 9110), content type by ending, and the headers that keep a file made
// by a model or a stranger from acting as a page of this server. Called by routes/files.ts with an open descriptor.
import { closeSync, read, type Stats } from "node:fs"
import { Buffer } from "node:buffer"
import { RangeOutside } from "./problem.ts"

const CHUNK_BYTES = 64 * 1024

/** Shown by a browser as they are; text is never guessed to be something else because of `nosniff`. */
const INLINE: Readonly<Record<string, string>> = {
  txt: "text/plain", md: "text/markdown", log: "text/plain", csv: "text/csv", tsv: "text/tab-separated-values", yaml: "text/yaml", yml: "text/yaml",
  json: "application/json", jsonl: "application/jsonl", png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp",
  pdf: "application/pdf", mp3: "audio/mpeg", wav: "audio/wav", mp4: "video/mp4", webm: "video/webm",
}
/** Could run scripts in a browser: always saved, never shown. */
const ATTACHED: Readonly<Record<string, string>> = {
  html: "text/html", htm: "text/html", xhtml: "application/xhtml+xml", svg: "image/svg+xml", xml: "application/xml", js: "text/javascript", mjs: "text/javascript",
  css: "text/css", zip: "application/zip", gz: "application/gzip", docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

const typeOf = (name: string): { readonly type: string; readonly inline: boolean } => {
  const ending = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? ""
  const [shown, saved] = [Object.hasOwn(INLINE, ending) ? INLINE[ending] : undefined, Object.hasOwn(ATTACHED, ending) ? ATTACHED[ending] : undefined]
  const type = shown ?? saved ?? "application/octet-stream"
  return { type: /^text\/|json|xml/.test(type) ? `${type}; charset=utf-8` : type, inline: shown !== undefined }
}

/** The name in ASCII for old clients and exactly for others (RFC 6266, RFC 8187). */
const disposition = (name: string, inline: boolean): string => {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_")
  const exact = encodeURIComponent(name.toWellFormed()).replace(/['()*!]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return `${inline ? "inline" : "attachment"}; filename="${plain}"; filename*=UTF-8''${exact}`
}

export interface ByteRange {
  readonly start: number
  /** The last byte, included. */
  readonly end: number
}

/** Null: the whole file (no range, several, or a form that is not understood). */
export const parseRange = (header: string | null, bytes: number): ByteRange | RangeOutside | null => {
  const found = header === null ? null : /^bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/.exec(header.replace(/\s+/g, ""))
  if (found === null) return null
  const [, first, last, suffix] = found
  if (suffix !== undefined) {
    return Number(suffix) === 0 || bytes === 0 ? new RangeOutside({ bytes }) : { start: Math.max(0, bytes - Number(suffix)), end: bytes - 1 }
  }
  const start = Number(first)
  const end = Math.min(last === undefined ? bytes - 1 : Number(last), bytes - 1)
  if (last !== undefined && Number(last) < start) return null
  return start >= bytes ? new RangeOutside({ bytes }) : { start, end }
}

/** Bytes `start` to `end` of an open file, read as the client takes them; closes the descriptor at the end or when the client leaves. */
const bytesOf = (fd: number, { start, end }: ByteRange): ReadableStream<Uint8Array> => {
  let position = start
  let state: "open" | "reading" | "leaving" | "closed" = "open"
  const close = () => {
    if (state === "reading") state = "leaving" // the number of a closed descriptor could be another file's by the time of the read
    else if (state !== "closed") {
      closeSync(fd)
      state = "closed"
    }
  }
  return new ReadableStream<Uint8Array>({
    pull: (controller) => new Promise<void>((resolve) => {
      const length = Math.min(CHUNK_BYTES, end - position + 1)
      if (length <= 0) {
        close()
        controller.close()
        return resolve()
      }
      const buffer = Buffer.allocUnsafeSlow(length)
      state = "reading"
      read(fd, buffer, 0, length, position, (cause, count) => {
        const left = state === "leaving"
        state = "open"
        if (left) close()
        else if (cause !== null || count === 0) {
          // Shorter than a moment ago: the promised length cannot be kept, so the connection must not end as if it were.
          close()
          controller.error(cause ?? new Error("the file became shorter while it was being sent"))
        } else {
          position += count
          controller.enqueue(buffer.subarray(0, count))
        }
        resolve()
      })
    }),
    cancel: close,
  }, { highWaterMark: 0 })
}

const etagOf = (stat: Stats) => `"${stat.size.toString(36)}-${Math.round(stat.mtimeMs * 1000).toString(36)}-${stat.ino.toString(36)}"`

const matches = (header: string, etag: string) => header.trim() === "*" || header.split(",").some((one) => one.trim().replace(/^W\//, "") === etag)

/** The answer with the file's bytes; takes over `fd` and closes it in every case. */
export const fileResponse = (request: Request, name: string, fd: number, stat: Stats): Response | RangeOutside => {
  const { type, inline } = typeOf(name)
  const etag = etagOf(stat)
  const headers: Record<string, string> = {
    "content-type": type, "content-disposition": disposition(name, inline), "accept-ranges": "bytes", etag,
    "last-modified": stat.mtime.toUTCString(), "cache-control": "private, no-cache",
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:", "cross-origin-resource-policy": "same-origin",
  }
  const known = request.headers.get("if-none-match")
  if (known !== null && matches(known, etag)) {
    closeSync(fd)
    return new Response(null, { status: 304, headers })
  }
  const condition = request.headers.get("if-range")
  const range = condition === null || condition === etag ? parseRange(request.headers.get("range"), stat.size) : null
  if (range instanceof RangeOutside) {
    closeSync(fd)
    return range
  }
  const part = range ?? { start: 0, end: stat.size - 1 }
  headers["content-length"] = String(part.end - part.start + 1)
  if (range !== null) headers["content-range"] = `bytes ${part.start}-${part.end}/${stat.size}`
  const status = range === null ? 200 : 206
  if (request.method === "HEAD" || stat.size === 0) {
    closeSync(fd)
    return new Response(request.method === "HEAD" ? null : "", { status, headers })
  }
  return new Response(bytesOf(fd, part), { status, headers })
}
