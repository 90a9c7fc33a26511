// Where the node is: what the user says, else what the node itself wrote down at its start, else what the configuration
// says, else the default. The configuration is read leniently: a broken one must not keep a person from a running node.
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { CommandFailure, EXIT } from "./failure.ts"

type Env = Readonly<Record<string, string | undefined>>

export const DEFAULT_ADDRESS = "http://127.0.0.1:3000"

export interface AddressOptions {
  /** `--url`. */
  readonly url: string | undefined
  readonly env: Env
  /** Folders that may hold attacca.yaml and the default data folder, best first. */
  readonly folders: ReadonlyArray<string>
}

const checked = (url: string, source: string): string => {
  try {
    const parsed = new URL(/^https?:\/\//.test(url) ? url : `http://${url}`)
    return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`
  } catch {
    throw new CommandFailure(`${source} is not an address: "${url}"`, EXIT.usage, [`write it like ${DEFAULT_ADDRESS}`])
  }
}

interface Found {
  readonly host: string | undefined
  readonly port: string | undefined
  readonly data_dir: string | undefined
}

const expanded = (value: unknown, env: Env): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value).replace(/\$\{(\w+)\}/g, (_all, name: string) => env[name] ?? "") : undefined

const readConfig = async (file: string, env: Env): Promise<Found> => {
  const nothing: Found = { host: undefined, port: undefined, data_dir: undefined }
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch {
    return nothing
  }
  const { parse } = await import("yaml")
  try {
    const config = parse(text) as { data_dir?: unknown; http?: { host?: unknown; port?: unknown } | null } | null
    return { host: expanded(config?.http?.host, env), port: expanded(config?.http?.port, env), data_dir: expanded(config?.data_dir, env) }
  } catch {
    return nothing
  }
}

/** The address that the node wrote into its data folder at its start, when that process still lives. */
const announced = (data_dir: string): string | null => {
  try {
    const { url, pid } = JSON.parse(readFileSync(join(data_dir, "node.json"), "utf8")) as { url?: unknown; pid?: unknown }
    if (typeof url !== "string") return null
    if (typeof pid === "number") process.kill(pid, 0)
    return checked(url, "node.json")
  } catch {
    return null
  }
}

const reachable = (host: string): string => (host === "0.0.0.0" || host === "" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") && !host.startsWith("[") ? `[${host}]` : host)

/** The base address, without a slash at its end. Fails with exit code 2 when `--url` or ATTACCA_URL is not an address. */
export const findAddress = async (options: AddressOptions): Promise<string> => {
  const { env } = options
  if (options.url !== undefined) return checked(options.url, "--url")
  if ((env["ATTACCA_URL"] ?? "") !== "") return checked(env["ATTACCA_URL"] ?? "", "ATTACCA_URL")
  for (const folder of options.folders) {
    const file = resolve(folder, env["ATTACCA_CONFIG"] ?? "attacca.yaml")
    const found = await readConfig(file, env)
    const data_dir = env["ATTACCA_DATA_DIR"] ?? found.data_dir ?? "./data"
    const said = announced(resolve(existsSync(file) ? dirname(file) : folder, data_dir))
    if (said !== null) return said
    const host = env["ATTACCA_HTTP__HOST"] ?? found.host
    const port = env["ATTACCA_HTTP__PORT"] ?? found.port
    if (host !== undefined || port !== undefined) return checked(`http://${reachable(host ?? "127.0.0.1")}:${port ?? "3000"}`, existsSync(file) ? file : "ATTACCA_HTTP__HOST or ATTACCA_HTTP__PORT")
  }
  return DEFAULT_ADDRESS
}
