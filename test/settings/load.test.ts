// What loading attacca.yaml gives, and what it says about a broken one: file, line, column and key of every wrong place.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { loadSettings } from "../../src/settings/load.ts"
import type { LoadedSettings, LoadOptions, SettingsError } from "../../src/settings/load.ts"
import { databaseFile } from "../../src/settings/resolve.ts"

let directory: string
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "attacca-settings-")) })
afterEach(() => rmSync(directory, { recursive: true, force: true }))

type Env = Record<string, string>
const options = (env: Env = {}, config?: string): LoadOptions => ({ config, env, cwd: directory })
const load = (env: Env = {}, config?: string): Promise<LoadedSettings> => Effect.runPromise(loadSettings(options(env, config)))
const refused = (env: Env = {}, config?: string): Promise<SettingsError> => Effect.runPromise(Effect.flip(loadSettings(options(env, config))))
const write = (text: string, name = "attacca.yaml") => writeFileSync(join(directory, name), text)
const worker = (more = "") => `workers:\n  - id: a\n    endpoint: http://127.0.0.1:1/v1\n${more}`

describe("a right configuration", () => {
  it("is all defaults when there is no file", async () => {
    const { settings, file, expanded } = await load()
    expect(file).toBeNull()
    expect(expanded).toEqual([])
    expect(settings).toMatchObject({
      data_dir: join(directory, "data"), node_id: null, http: { host: "127.0.0.1", port: 3000, advertise_url: null, max_body_bytes: 104_857_600 },
      database: { url: `file:${join(directory, "data", "attacca.db")}`, sync_url: null }, workers: [], retry: { max_attempts: 3, backoff_seconds: [60, 300, 900] },
      lease: { ttl_seconds: 30, heartbeat_seconds: 10 }, embedded: { enabled: "auto", model: null }, auth: { mode: "none" }, plugins: { dir: join(directory, "plugins") },
    })
    expect(settings.time_zone).toMatch(/./)
  })

  it("is taken from ./attacca.yaml, ATTACCA_CONFIG or --config, the last named winning", async () => {
    write("http: { port: 1001 }")
    write("http: { port: 1002 }", "env.yaml")
    write("http: { port: 1003 }", "flag.yaml")
    expect((await load()).settings.http.port).toBe(1001)
    expect((await load({ ATTACCA_CONFIG: "env.yaml" })).settings.http.port).toBe(1002)
    const flag = await load({ ATTACCA_CONFIG: "env.yaml" }, "flag.yaml")
    expect(flag).toMatchObject({ file: join(directory, "flag.yaml"), settings: { http: { port: 1003 } } })
  })

  it("fills in what a worker leaves out", async () => {
    write(worker())
    expect((await load()).settings.workers).toEqual([{
      id: "a", endpoint: "http://127.0.0.1:1/v1", model: null, api_key: null, roles: ["auto", "fast", "quality"], max_concurrency: 2, proxy: false, vlm: false,
      enabled: true, claims: true, size: "normal", healthcheck_interval_seconds: 30, context_limit_tokens: null,
    }])
  })

  it("lets relative paths start at the configuration file, not at the working directory", async () => {
    mkdirSync(join(directory, "etc"))
    write("data_dir: ../var\npieces: { custom_dir: pieces }\nplugins: { allow_paths: [shared, /abs] }\nembedded: { model: m.gguf }\ndatabase: { url: 'file:x/y.db?mode=rwc' }", "etc/a.yaml")
    const { settings } = await load({}, "etc/a.yaml")
    expect(settings.data_dir).toBe(join(directory, "var"))
    expect(settings.pieces.custom_dir).toBe(join(directory, "etc/pieces"))
    expect(settings.plugins).toMatchObject({ dir: join(directory, "etc/plugins"), allow_paths: [join(directory, "etc/shared"), "/abs"] })
    expect(settings.embedded.model).toBe(join(directory, "etc/m.gguf"))
    expect(settings.database.url).toBe(`file:${join(directory, "etc/x/y.db")}?mode=rwc`)
  })

  it("keeps remote addresses and names of weights as they are", async () => {
    write("database: { url: 'libsql://db.example' }\nembedded: { model: 'hf:org/name/file.gguf' }")
    expect((await load()).settings).toMatchObject({ database: { url: "libsql://db.example" }, embedded: { model: "hf:org/name/file.gguf" } })
  })

  it("names the database file of a data folder with odd characters so that it can be found again", async () => {
    write("data_dir: 'odd #1 50%? ü'")
    const { settings } = await load()
    expect(settings.database.url).not.toMatch(/[#?]/)
    expect(databaseFile(settings.database.url)).toBe(join(directory, "odd #1 50%? ü", "attacca.db"))
    expect(databaseFile("file:///a/b.db?x=1")).toBe("/a/b.db")
    expect(databaseFile("libsql://host")).toBeNull()
  })

  it("takes an empty file, an empty section and comments for defaults", async () => {
    write("# nothing yet\nhttp:\n  # port: 1\nworkers:\n")
    expect((await load()).settings).toMatchObject({ http: { port: 3000 }, workers: [] })
    write("")
    expect((await load()).settings.http.port).toBe(3000)
  })
})

describe("environment variables", () => {
  it("override the file, key by key, and by section", async () => {
    write(`http: { port: 1, host: 0.0.0.0 }\n${worker("    roles: [auto]\n")}`)
    const { settings } = await load({
      ATTACCA_DATA_DIR: "elsewhere", ATTACCA_HTTP__PORT: "4000", ATTACCA_RETRY: "{max_attempts: 9}", ATTACCA_RETRY__BACKOFF_SECONDS: "[1, 2]",
      ATTACCA_WORKERS__0__API_KEY: "123", ATTACCA_WORKERS__0__PROXY: "true", ATTACCA_EMBEDDED__ENABLED: "false", ATTACCA_NODE_ID: "null", HOME: "/root",
    })
    expect(settings).toMatchObject({
      data_dir: join(directory, "elsewhere"), http: { port: 4000, host: "0.0.0.0" }, retry: { max_attempts: 9, backoff_seconds: [1, 2] },
      workers: [{ id: "a", api_key: "123", proxy: true, roles: ["auto"] }], embedded: { enabled: false }, node_id: null,
    })
  })

  it("can bring a whole list, and keep text as text even where it looks like YAML", async () => {
    const { settings } = await load({ ATTACCA_WORKERS: "[{\"id\":\"w\",\"endpoint\":\"http://x/v1\"}]", ATTACCA_CLUSTER__SECRET: "# not: a [comment" })
    expect(settings.workers[0]).toMatchObject({ id: "w", endpoint: "http://x/v1" })
    expect(settings.cluster.secret).toBe("# not: a [comment")
  })

  it.each([
    ["ATTACCA_HTP__PORT", "1", "did you mean \"ATTACCA_HTTP__PORT\"?"], ["ATTACCA_HTTP_PORT", "1", "did you mean \"ATTACCA_HTTP__PORT\"?"],
    ["ATTACCA_CONFG", "x", "did you mean \"ATTACCA_CONFIG\"?"], ["ATTACCA_ZZZZ", "1", "no setting has this name"], ["ATTACCA_", "1", "no setting has this name"],
    ["ATTACCA_HTTP__PORT__X", "1", "no setting has this name"], ["ATTACCA___PROTO__", "1", "no setting has this name"],
    ["ATTACCA_HTTP__PORT", "many", "expected a whole number from 0 to 65535, got \"many\""], ["ATTACCA_HTTP__PORT", "[1", "expected a whole number"],
    ["ATTACCA_WORKERS__3__MODEL", "m", "there is no entry 3; the list has 0"], ["ATTACCA_WORKERS__0__MODEL", "m", "\"id\" is missing"],
    ["ATTACCA_CLUSTER__SECRET", "${NOT_SET}", "the environment variable NOT_SET is not set"], ["ATTACCA_CLUSTER__SECRET", "short", "expected at least 16 characters, got text"],
  ])("%s=%s is refused by its name", async (name, value, message) => {
    const error = await refused({ [name]: value })
    expect(error.problems[0]).toMatchObject({ variable: name, file: null, line: null })
    expect(error.message).toContain(`${name}: `)
    expect(error.message).toContain(message)
  })
})

describe("expansion", () => {
  it("fills variables and files into values, and remembers where", async () => {
    write("secret-of-sixteen-bytes\n", "key.txt")
    write(`http: { port: "\${PORT}", host: "\${HOST}" }\ncluster: { secret: "\${file:key.txt}" }\n${worker("    model: \"m-${SIZE}-$${x}\"\n    proxy: ${PROXY}\n")}`)
    const { settings, expanded } = await load({ PORT: "8080", HOST: "::1", SIZE: "8b", PROXY: "true" })
    expect(settings).toMatchObject({ http: { port: 8080, host: "::1" }, cluster: { secret: "secret-of-sixteen-bytes" }, workers: [{ model: "m-8b-${x}", proxy: true }] })
    expect(expanded.map((path) => path.join("."))).toEqual(["http.port", "http.host", "cluster.secret", "workers.0.model", "workers.0.proxy"])
  })

  it("of an environment override works the same", async () => {
    write("sk-12345", "key.txt")
    write(worker())
    expect((await load({ ATTACCA_WORKERS__0__API_KEY: "${file:key.txt}" })).settings.workers[0]?.api_key).toBe("sk-12345")
  })

  it("never repeats what it filled in when it complains", async () => {
    write("http: { advertise_url: \"${TOKEN}\" }")
    const error = await refused({ TOKEN: "very-secret" })
    expect(error.message).toContain("http.advertise_url")
    expect(error.message).not.toContain("very-secret")
  })
})

/** Broken files: the text, the line, the key, and a part of what is said. */
const BROKEN: ReadonlyArray<readonly [string, number, string, string]> = [
  ["htp:\n  port: 1\n", 1, "htp", "unknown key \"htp\"; did you mean \"http\"?"],
  ["http:\n  prot: 1\n", 2, "http.prot", "did you mean \"port\"?"],
  ["http:\n  port: x\n", 2, "http.port", "expected a whole number from 0 to 65535, got \"x\""],
  ["http:\n  port: 70000\n", 2, "http.port", "expected a whole number from 0 to 65535, got 70000"],
  ["http:\n  port: 80.5\n", 2, "http.port", "expected a whole number"],
  ["http:\n  port: \"3000\"\n", 2, "http.port", "got \"3000\""],
  ["data_dir:\n", 1, "data_dir", "expected text, got nothing"],
  ["data_dir: [a]\n", 1, "data_dir", "expected text, got a list"],
  ["a: 1\nhttp: 5\n", 2, "http", "expected a mapping, got 5"],
  ["- a\n- b\n", 1, "", "expected a mapping, got a list"],
  ["just text\n", 1, "", "expected a mapping, got \"just text\""],
  ["workers:\n  - id: a\n", 2, "workers[0].endpoint", "\"endpoint\" is missing"],
  ["workers:\n  - endpoint: http://x\n", 2, "workers[0].id", "\"id\" is missing"],
  ["workers:\n  - id: a\n    endpoint: ftp://x\n", 3, "workers[0].endpoint", "expected an http:// or https:// address"],
  ["workers:\n  - id: a b\n    endpoint: http://x\n", 2, "workers[0].id", "expected an id of letters"],
  [`${worker()}    roles: []\n`, 4, "workers[0].roles", "expected at least one role"],
  [`${worker()}    max_concurrency: 0\n`, 4, "workers[0].max_concurrency", "from 1 to"],
  [`${worker()}    healthcheck_interval_seconds: 5\n`, 4, "workers[0].healthcheck_interval_seconds", "from 10 to"],
  [`${worker()}    size: tiny\n`, 4, "workers[0].size", "expected \"small\" or \"normal\", got \"tiny\""],
  [`${worker()}    api_kee: x\n`, 4, "workers[0].api_kee", "did you mean \"api_key\"?"],
  [`${worker()}    api_key: 12345\n`, 4, "workers[0].api_key", "expected text or null, got a number"],
  [`${worker()}  - id: a\n    endpoint: http://y\n`, 4, "workers[1].id", "two workers have the id \"a\"; workers[0] is the other"],
  ["retry:\n  backoff_seconds: [1, -2]\n", 2, "retry.backoff_seconds[1]", "got -2"],
  ["retry:\n  backoff_seconds: 60\n", 2, "retry.backoff_seconds", "expected a list"],
  ["lease:\n  ttl_seconds: 5\n  heartbeat_seconds: 5\n", 3, "lease.heartbeat_seconds", "must be less than lease.ttl_seconds (5)"],
  ["safety:\n  drop_results_ratio: 0.8\n", 2, "safety.drop_results_ratio", "must not be over safety.summarise_ratio (0.75)"],
  ["database:\n  url: mysql://x\n", 2, "database.url", "expected file:PATH or the address"],
  ["database:\n  url: file://x/y.db\n", 2, "database.url", "must be followed by an absolute path"],
  ["database:\n  url: http://x\n  sync_url: http://y\n", 2, "database.url", "must be a file: address when database.sync_url is set"],
  ["embedded:\n  enabled: maybe\n", 2, "embedded.enabled", "expected \"auto\" or true or false, got \"maybe\""],
  ["embedded:\n  sha256: abc\n", 2, "embedded.sha256", "64 hexadecimal digits"],
  ["auth: { mode: password }\n", 1, "auth.mode", "got \"password\""],
  ["time_zone: Mars/Olympus\n", 1, "time_zone", "IANA time zone"],
  ["log:\n  level: loud\n", 2, "log.level", "got \"loud\""],
  ["plugins:\n  limits: { memory: big }\n", 2, "plugins.limits.memory", "expected a number"],
  ["cluster:\n  secret: \"${NO_SUCH_VARIABLE}\"\n", 2, "cluster.secret", "the environment variable NO_SUCH_VARIABLE is not set"],
  ["cluster:\n  secret: \"${PAHT}\"\n", 2, "cluster.secret", "did you mean \"PATH\"?"],
  ["cluster:\n  secret: \"${file:none.txt}\"\n", 2, "cluster.secret", "${file:none.txt} cannot be read"],
  ["cluster:\n  secret: \"${file:.}\"\n", 2, "cluster.secret", "is not a plain file"],
  ["cluster:\n  secret: \"${not a name}\"\n", 2, "cluster.secret", "neither ${VARIABLE} nor ${file:PATH}"],
  ["cluster:\n  secret: \"${OPEN\"\n", 2, "cluster.secret", "is not closed"],
  ["http:\n  port: ${WORD}\n", 2, "http.port", "expected a whole number from 0 to 65535, got text"],
  ["http:\n  host: a\nhttp:\n  host: b\n", 3, "http", "stands here twice"],
  ["http: [1\n", 2, "", "Flow sequence"],
  ["http:\n  host: 'x\n", 3, "", "quote"],
  ["http: { port: ${PORT} }\nlog: 1\n", 1, "", "needs quotes around it"],
  ["a: 1\n---\nb: 2\n", 2, "", "more than one YAML document"],
  ["http: *none\n", 1, "http", "has no anchor"],
]

describe("a broken file", () => {
  it.each(BROKEN)("%j is refused at line %i, key %s", async (text, line, key, message) => {
    write(text)
    const error = await refused({ PATH: "/bin", WORD: "seven" })
    const problem = error.problems.find((p) => p.key === key)
    expect(problem, error.message).toMatchObject({ file: join(directory, "attacca.yaml"), line, variable: null })
    expect(problem?.message).toContain(message)
    expect(error.message).toContain(`${join(directory, "attacca.yaml")}:${line}:`)
  })

  it("is told about in full, one line a problem", async () => {
    write("htp: 1\nhttp:\n  port: x\n  host: 5\nworkers:\n  - { id: a }\ncluster: { secret: \"${NONE}\" }\n")
    const error = await refused({ ATTACCA_NO: "1" })
    expect(error.message.split("\n")).toHaveLength(6)
    expect(new Set(error.problems.map((p) => p.line))).toEqual(new Set([1, 3, 4, 6, 7, null]))
  })

  it.each([[{}, "none.yaml", "there is no such configuration file (named by --config)"], [{ ATTACCA_CONFIG: "none.yaml" }, undefined, "(named by ATTACCA_CONFIG)"]])("that does not exist is named", async (env, config, message) => {
    const error = await refused(env, config)
    expect(error.message).toContain(join(directory, "none.yaml"))
    expect(error.message).toContain(message)
  })

  it("that is a folder is named", async () => expect((await refused({}, ".")).message).toContain("cannot be read (named by --config)"))
})
