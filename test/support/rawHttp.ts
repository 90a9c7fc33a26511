// A small HTTP/1.1 server on a bare TCP socket, for servers that must misbehave on purpose: answers are written byte by
// byte, so a test can stall, cut a body in the middle or reset the connection at an exact place, and it sees at once
// when the client leaves. Used by `scriptedLlm.ts`. Limits: requests need Content-Length; no pipelining; no TLS.
import type { Socket, TCPSocketListener } from "bun"

export interface RawRequest {
  readonly method: string
  /** Path without the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One answer on its way. Every method is a no-op after the client has left or the answer has ended. */
export interface RawReply {
  /** Head with chunked transfer encoding; it is sent together with the first bytes of the body. */
  readonly start: (status: number, headers: Readonly<Record<string, string>>) => void
  readonly write: (text: string) => void
  readonly end: () => void
  /** Sends what was written and closes the connection without the end of the body. */
  readonly cut: () => void
  /** Resets the connection; what was written may be lost. */
  readonly reset: () => void
  /** A whole answer with Content-Length. */
  readonly send: (status: number, headers: Readonly<Record<string, string>>, body: string) => void
  readonly closed: () => boolean
}

export interface RawHandler {
  readonly onRequest: (request: RawRequest, reply: RawReply) => void
  /** The client's connection closed before the answer to its request had ended. */
  readonly onAbort: (reply: RawReply) => void
}

export interface RawServer {
  readonly port: number
  readonly connections: () => number
  /** Stops listening and resets every open connection. */
  readonly close: () => void
}

interface Connection {
  received: Buffer
  unsent: Buffer
  reply: RawReply | null
  gone: boolean
  cutWhenSent: boolean
}

const MAX_REQUEST_BYTES = 64 * 1024 * 1024
const HEAD_END = Buffer.from("\r\n\r\n")
const EMPTY = Buffer.alloc(0)

export const listenRaw = (handler: RawHandler, port = 0): RawServer => {
  const open = new Set<Socket<Connection>>()
  const listener: TCPSocketListener<Connection> = Bun.listen<Connection>({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => {
        socket.data = { received: EMPTY, unsent: EMPTY, reply: null, gone: false, cutWhenSent: false }
        open.add(socket)
      },
      data: (socket, bytes) => {
        const connection = socket.data
        connection.received = connection.received.length === 0 ? Buffer.from(bytes) : Buffer.concat([connection.received, bytes])
        const request = takeRequest(socket)
        if (request === null) return
        const reply = makeReply(socket)
        connection.reply = reply
        handler.onRequest(request, reply)
      },
      drain: (socket) => flush(socket),
      close: (socket) => {
        open.delete(socket)
        const connection = socket.data
        connection.gone = true
        const reply = connection.reply
        connection.reply = null
        if (reply !== null) handler.onAbort(reply)
      },
      error: (socket) => {
        socket.terminate()
      },
    },
  })
  return {
    port: listener.port,
    connections: () => open.size,
    close: () => {
      listener.stop(true)
      for (const socket of open) socket.terminate()
    },
  }
}

/** The next whole request of a connection, or null while its bytes are still coming. */
const takeRequest = (socket: Socket<Connection>): RawRequest | null => {
  const connection = socket.data
  if (connection.reply !== null) return null
  const headEnd = connection.received.indexOf(HEAD_END)
  if (headEnd < 0) return null
  const lines = connection.received.toString("latin1", 0, headEnd).split("\r\n")
  const [method = "", target = ""] = (lines[0] ?? "").split(" ")
  const headers: Record<string, string> = {}
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? ""
    const colon = line.indexOf(":")
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const length = Number(headers["content-length"] ?? 0)
  const bodyStart = headEnd + HEAD_END.length
  if (headers["transfer-encoding"] !== undefined || !(length <= MAX_REQUEST_BYTES)) {
    socket.terminate()
    return null
  }
  if (connection.received.length < bodyStart + length) return null
  const body = connection.received.toString("utf8", bodyStart, bodyStart + length)
  connection.received = connection.received.subarray(bodyStart + length)
  return { method, path: target.split("?")[0] ?? "", headers, body }
}

const flush = (socket: Socket<Connection>): void => {
  const connection = socket.data
  if (connection.unsent.length > 0) {
    const sent = socket.write(connection.unsent)
    connection.unsent = sent >= connection.unsent.length ? EMPTY : connection.unsent.subarray(Math.max(0, sent))
  }
  if (connection.unsent.length === 0 && connection.cutWhenSent) socket.end()
}

const head = (status: number, headers: Readonly<Record<string, string>>, framing: string): string => {
  let text = `HTTP/1.1 ${status} Scripted\r\n${framing}\r\n`
  for (const [name, value] of Object.entries(headers)) text += `${name}: ${value}\r\n`
  return `${text}\r\n`
}

const makeReply = (socket: Socket<Connection>): RawReply => {
  let pendingHead = ""
  let done = false
  const connection = socket.data
  const push = (text: string): void => {
    const bytes = Buffer.from(text)
    connection.unsent = connection.unsent.length === 0 ? bytes : Buffer.concat([connection.unsent, bytes])
    flush(socket)
  }
  const finish = (): void => {
    done = true
    connection.reply = null
  }
  const closed = (): boolean => done || connection.gone
  return {
    start: (status, headers) => {
      pendingHead = head(status, headers, "transfer-encoding: chunked")
    },
    write: (text) => {
      if (closed()) return
      const chunk = text === "" ? "" : `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
      const bytes = pendingHead + chunk
      pendingHead = ""
      push(bytes)
    },
    end: () => {
      if (closed()) return
      const bytes = `${pendingHead}0\r\n\r\n`
      pendingHead = ""
      finish()
      push(bytes)
    },
    cut: () => {
      if (closed()) return
      const bytes = pendingHead
      finish()
      connection.cutWhenSent = true
      push(bytes)
    },
    reset: () => {
      if (closed()) return
      finish()
      socket.terminate()
    },
    send: (status, headers, body) => {
      if (closed()) return
      finish()
      push(head(status, headers, `content-length: ${Buffer.byteLength(body)}`) + body)
    },
    closed,
  }
}
