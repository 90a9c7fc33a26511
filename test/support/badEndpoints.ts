// Addresses where no HTTP answer is to be had, for tests of connection failures.
import type { Socket } from "bun"

/** A port on the loopback that nobody listens on. */
export const refusedUrl = (): string => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
  const { port } = listener
  listener.stop(true)
  return `http://127.0.0.1:${port}/v1`
}

export interface DeafEndpoint {
  readonly url: string
  readonly close: () => void
}

const FROZEN_SERVER = `const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
process.stdout.write(String(server.port) + "\\n", () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))`
const CONNECT_MS = 250
const MAX_BACKLOG = 5_000

/** A listening socket whose queue is full and whose process is frozen: a new connection hangs, as behind a dead route. */
export const deafEndpoint = async (): Promise<DeafEndpoint> => {
  const child = Bun.spawn([process.execPath, "-e", FROZEN_SERVER], { stdout: "pipe", stderr: "ignore" })
  const { value } = await child.stdout.getReader().read()
  const port = Number(new TextDecoder().decode(value))
  const open: Array<Socket> = []
  const close = (): void => {
    child.kill("SIGKILL")
    for (const socket of open) socket.terminate()
  }
  for (let i = 0; i < MAX_BACKLOG; i++) {
    const pending = Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {}, error: () => {} } })
    const socket = await Promise.race([pending, Bun.sleep(CONNECT_MS).then(() => null)])
    if (socket === null) {
      void pending.then((late) => late.terminate(), () => {})
      return { url: `http://127.0.0.1:${port}/v1`, close }
    }
    open.push(socket)
  }
  close()
  throw new Error(`the queue of port ${port} took ${MAX_BACKLOG} connections`)
}
