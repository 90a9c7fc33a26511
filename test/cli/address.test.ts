import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findAddress } from "../../src/cli/address.ts"

let folder: string
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "attacca-address-")) })
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const find = (options: { readonly url?: string; readonly env?: Record<string, string>; readonly folders?: ReadonlyArray<string> } = {}): Promise<string> =>
  findAddress({ url: options.url, env: options.env ?? {}, folders: options.folders ?? [folder] })
const config = (text: string, name = "attacca.yaml"): void => writeFileSync(join(folder, name), text)
const announce = (content: unknown, data = "data"): void => {
  mkdirSync(join(folder, data), { recursive: true })
  writeFileSync(join(folder, data, "node.json"), JSON.stringify(content))
}

describe("finding the node", () => {
  it("--url goes before ATTACCA_URL, and that before everything else", async () => {
    config("http: { port: 4000 }")
    expect(await find({ url: "http://h:1/", env: { ATTACCA_URL: "http://e:2" } })).toBe("http://h:1")
    expect(await find({ env: { ATTACCA_URL: "http://e:2/base/" } })).toBe("http://e:2/base")
    expect(await find({ url: "localhost:3100" })).toBe("http://localhost:3100")
  })

  it.each([["--url", { url: "http://" }], ["ATTACCA_URL", { env: { ATTACCA_URL: "http://a b" } }]])("refuses a %s that is no address with exit code 2", async (name, options) => {
    await expect(find(options)).rejects.toMatchObject({ exit_code: 2, message: expect.stringContaining(name) as string })
  })

  it("reads host and port from attacca.yaml, and lets the environment change them", async () => {
    config("http:\n  host: 0.0.0.0\n  port: ${PORT_OF_TEST}\nworkers: [{ api_key: \"${NOT_SET}\" }]")
    expect(await find({ env: { PORT_OF_TEST: "4100" } })).toBe("http://127.0.0.1:4100")
    expect(await find({ env: { PORT_OF_TEST: "4100", ATTACCA_HTTP__PORT: "4200", ATTACCA_HTTP__HOST: "::1" } })).toBe("http://[::1]:4200")
    expect(await find({ env: { ATTACCA_HTTP__PORT: "4300" }, folders: [join(folder, "nowhere")] })).toBe("http://127.0.0.1:4300")
  })

  it("reads the file that ATTACCA_CONFIG names", async () => {
    config("http: { port: 4400 }", "other.yaml")
    expect(await find({ env: { ATTACCA_CONFIG: "other.yaml" } })).toBe("http://127.0.0.1:4400")
    expect(await find({ env: { ATTACCA_CONFIG: join(folder, "other.yaml") }, folders: ["/nowhere"] })).toBe("http://127.0.0.1:4400")
  })

  it("takes the address that a living node wrote into its data folder, and not that of a dead one", async () => {
    config("data_dir: ./elsewhere\nhttp: { port: 4500 }")
    announce({ url: "http://127.0.0.1:4999", pid: process.pid }, "elsewhere")
    expect(await find()).toBe("http://127.0.0.1:4999")
    announce({ url: "http://127.0.0.1:4999", pid: 2 ** 22 + 7 }, "elsewhere")
    expect(await find()).toBe("http://127.0.0.1:4500")
    announce("nonsense", "elsewhere")
    expect(await find()).toBe("http://127.0.0.1:4500")
  })

  it("looks into the second folder when the first says nothing, and ends at the default", async () => {
    config("http: { port: 4600 }")
    expect(await find({ folders: [join(folder, "empty"), folder] })).toBe("http://127.0.0.1:4600")
    expect(await find({ folders: [join(folder, "empty")] })).toBe("http://127.0.0.1:3000")
  })

  it("is not kept from a running node by a broken configuration file", async () => {
    config("http: [")
    expect(await find()).toBe("http://127.0.0.1:3000")
  })
})
