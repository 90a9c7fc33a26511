// The start script over a checkout of its own, with stand-ins for Bun and npm that write down how they were called. The
// real installation needs the network and a minute; what is decided around it does not.
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { spawn } from "node:child_process"
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const here = join(import.meta.dirname, "..", "..")
let home: string
let root: string
let bin: string

interface Ended { readonly code: number | null; readonly stdout: string; readonly stderr: string; readonly pid: number }

const executable = (path: string, text: string): void => {
  writeFileSync(path, text)
  chmodSync(path, 0o755)
}

/** A Bun that answers its version, notes installs and prints what it was started with. */
const bunText = (version: string, log: string, install = "exit 0") => `#!/bin/sh
case $1 in
  --version) echo ${version} ;;
  install) echo "$*" >> "${log}"; mkdir -p node_modules; ${install} ;;
  *) echo "pid $$"; echo "cwd $PWD"; echo "max $BUN_CONFIG_MAX_HTTP_REQUESTS"; echo "config $ATTACCA_CONFIG"; echo "direct $NO_PROXY $no_proxy"; for a do echo "arg $a"; done ;;
esac
`

const run = (args: ReadonlyArray<string>, options: { readonly cwd?: string; readonly env?: Record<string, string> } = {}): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn("sh", [join(root, "scripts", "start.sh"), ...args], {
      cwd: options.cwd ?? root, env: { PATH: `${bin}:/usr/bin:/bin`, HOME: home, ...options.env }, stdio: ["ignore", "pipe", "pipe"],
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => { stdout += chunk.toString() })
    child.stderr.on("data", (chunk: Buffer) => { stderr += chunk.toString() })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr, pid: child.pid ?? 0 }))
  })

const lines = (text: string, head: string): Array<string> => text.split("\n").filter((line) => line.startsWith(head)).map((line) => line.slice(head.length))
const installs = (): Array<string> => (existsSync(join(home, "installs")) ? readFileSync(join(home, "installs"), "utf8").trim().split("\n") : [])

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "attacca start ")))
  root = join(home, "check out")
  bin = join(home, "bin")
  for (const dir of [root, bin, join(root, "scripts"), join(root, "src"), join(home, "elsewhere")]) mkdirSync(dir)
  for (const file of ["start.sh", "install.sh"]) copyFileSync(join(here, "scripts", file), join(root, "scripts", file))
  writeFileSync(join(root, "package.json"), "{}")
  writeFileSync(join(root, "bun.lock"), "one")
  executable(join(bin, "bun"), bunText("1.4.5", join(home, "installs")))
  executable(join(bin, "npm"), "#!/bin/sh\necho 'npm was called' >&2\nexit 1\n")
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

describe("start.sh", () => {
  it("becomes the node itself, with room for many requests and the arguments as they came", async () => {
    const ended = await run(["--no-sample", "two words", "$HOME"], { cwd: join(home, "elsewhere") })
    expect(ended.code).toBe(0)
    expect(lines(ended.stdout, "pid ")).toEqual([String(ended.pid)])
    expect(lines(ended.stdout, "cwd ")).toEqual([join(home, "elsewhere")])
    expect(lines(ended.stdout, "max ")).toEqual(["65535"])
    expect(lines(ended.stdout, "arg ")).toEqual([join(root, "src", "main.ts"), "--no-sample", "two words", "$HOME"])
  })

  it("installs once, and again only when the lock file changed", async () => {
    await run([])
    await run([])
    expect(installs()).toEqual(["install --frozen-lockfile --production"])
    writeFileSync(join(root, "bun.lock"), "two")
    await run([])
    expect(installs()).toHaveLength(2)
  })

  it("takes an installation that has the packages of the tests too as it is", async () => {
    mkdirSync(join(root, "node_modules", ".attacca"), { recursive: true })
    copyFileSync(join(root, "bun.lock"), join(root, "node_modules", ".attacca", "all.lock"))
    expect((await run([])).code).toBe(0)
    expect(installs()).toEqual([])
  })

  it("resolves a relative --config from where npm or bun run was called", async () => {
    const npm = { npm_package_json: join(root, "package.json"), npm_config_user_agent: "npm/11.0.0 node/v20", INIT_CWD: join(home, "elsewhere") }
    const byNpm = await run(["--config", "a.yaml", "--config=b.yaml", "--config", "/c.yaml", "d"], { env: { ...npm, ATTACCA_CONFIG: "e.yaml" } })
    expect(lines(byNpm.stdout, "arg ").slice(1)).toEqual(["--config", join(home, "elsewhere", "a.yaml"), `--config=${join(home, "elsewhere", "b.yaml")}`, "--config", "/c.yaml", "d"])
    expect(lines(byNpm.stdout, "config ")).toEqual([join(home, "elsewhere", "e.yaml")])
    const bun = { npm_package_json: join(root, "package.json"), npm_config_user_agent: "bun/1.4.5", npm_config_local_prefix: join(home, "elsewhere") }
    expect(lines((await run(["--config", "a.yaml"], { env: bun })).stdout, "arg ")[2]).toBe(join(home, "elsewhere", "a.yaml"))
  })

  it("leaves --config alone when it was called by hand or from another project's script", async () => {
    const other = { npm_package_json: join(home, "package.json"), npm_config_user_agent: "npm/11", INIT_CWD: home }
    expect(lines((await run(["--config", "a.yaml"], { env: other })).stdout, "arg ")[2]).toBe("a.yaml")
  })

  it("works through a symbolic link", async () => {
    executable(join(root, "scripts", "start.sh"), readFileSync(join(root, "scripts", "start.sh"), "utf8"))
    symlinkSync(join(root, "scripts", "start.sh"), join(bin, "attacca"))
    const out = await new Promise<string>((resolve, reject) => {
      let text = ""
      const linked = spawn(join(bin, "attacca"), ["x"], { env: { PATH: `${bin}:/usr/bin:/bin`, HOME: home } })
      linked.stdout.on("data", (chunk: Buffer) => { text += chunk.toString() })
      linked.on("error", reject)
      linked.on("close", () => resolve(text))
    })
    expect(lines(out, "arg ")).toEqual([join(root, "src", "main.ts"), "x"])
  })

  it("asks no proxy for this machine, and keeps what the user excepted", async () => {
    const own = "localhost,127.0.0.1,::1"
    expect(lines((await run([])).stdout, "direct ")).toEqual([`${own} ${own}`])
    expect(lines((await run([], { env: { NO_PROXY: "a" } })).stdout, "direct ")).toEqual([`a,${own} a,${own}`])
    expect(lines((await run([], { env: { NO_PROXY: "a", no_proxy: "b" } })).stdout, "direct ")).toEqual([`b,${own} b,${own}`])
  })

  it("--help teaches without installing anything", async () => {
    const ended = await run(["--help"])
    expect(ended.code).toBe(0)
    expect(ended.stdout).toContain("--config FILE")
    expect(ended.stdout).toContain("--no-sample")
    expect(installs()).toEqual([])
  })
})

describe("finding Bun", () => {
  it.each(["1.4.5", "1.4.12"])("takes Bun %s from the PATH", async (version) => {
    executable(join(bin, "bun"), bunText(version, join(home, "installs")))
    expect((await run([])).code).toBe(0)
  })

  it.each(["1.4.4", "1.3.9", "1.5.0", "2.4.5", "garbage"])("does not take Bun %s, and brings its own by npm", async (version) => {
    executable(join(bin, "bun"), bunText(version, join(home, "wrong")))
    const stage = join(home, "stage")
    writeFileSync(stage, bunText("1.4.5", join(home, "installs")))
    executable(join(bin, "npm"), `#!/bin/sh
prefix=$3
echo "$*" > "${home}/npm"
for libc in '' -musl; do mkdir -p "$prefix/node_modules/@oven/bun-linux-x64$libc/bin"; done
cp "${stage}" "$prefix/node_modules/@oven/bun-linux-x64/bin/bun"; chmod +x "$prefix/node_modules/@oven/bun-linux-x64/bin/bun"
printf '#!/bin/sh\\nexit 127\\n' > "$prefix/node_modules/@oven/bun-linux-x64-musl/bin/bun"; chmod +x "$prefix/node_modules/@oven/bun-linux-x64-musl/bin/bun"
`)
    const ended = await run([])
    expect(ended.code).toBe(0)
    expect(readFileSync(join(home, "npm"), "utf8")).toContain("bun@1.4.5")
    expect(installs()).toHaveLength(1)
    expect(existsSync(join(home, "wrong"))).toBe(false)
    expect(realpathSync(join(root, "node_modules", ".bin", "bun"))).toContain("bun-linux-x64/bin/bun")
    rmSync(join(bin, "npm"))
    expect((await run([])).code).toBe(0)
  })

  it("says in one line that the registry cannot be reached", async () => {
    rmSync(join(bin, "bun"))
    executable(join(bin, "npm"), "#!/bin/sh\necho 'npm error code ENOTFOUND'\necho 'npm error at FetchError'\nexit 1\n")
    const ended = await run([])
    expect(ended.code).toBe(1)
    expect(ended.stderr.trim().split("\n").slice(1)).toEqual([`attacca: could not install Bun 1.4.5 by npm: the package registry cannot be reached; check the network or the proxy settings (details: ${join(root, ".tools", "install.log")})`])
    expect(existsSync(join(root, ".tools", "lock"))).toBe(false)
  })

  it("says in one line what to install when there is neither Bun nor npm", async () => {
    rmSync(join(bin, "bun"))
    rmSync(join(bin, "npm"))
    const bare = join(home, "bare")
    mkdirSync(bare)
    for (const tool of ["sh", "dirname", "cmp", "readlink"]) symlinkSync(`/usr/bin/${tool}`, join(bare, tool))
    const ended = await run([], { env: { PATH: bare } })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^attacca: neither Bun 1\.4\.5 nor npm was found; install Node\.js 20/)
  })

  it("says in one line why the packages could not be installed", async () => {
    executable(join(bin, "bun"), bunText("1.4.5", join(home, "installs"), "echo 'error: lockfile had changes, but lockfile is frozen'; exit 1"))
    const ended = await run([])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain("bun.lock does not fit package.json")
    expect(existsSync(join(root, "node_modules", ".attacca"))).toBe(false)
  })

  it("takes over the lock of an install that died", async () => {
    mkdirSync(join(root, ".tools", "lock"), { recursive: true })
    const gone = spawn("true")
    await new Promise((resolve) => gone.on("close", resolve))
    writeFileSync(join(root, ".tools", "lock", "pid"), `${gone.pid}\n`)
    expect((await run([])).code).toBe(0)
    expect(installs()).toHaveLength(1)
  })

  it("lets two first starts at once install one after the other", async () => {
    executable(join(bin, "bun"), bunText("1.4.5", join(home, "installs"), "sleep 0.3"))
    const both = await Promise.all([run([]), run([])])
    expect(both.map((ended) => ended.code)).toEqual([0, 0])
    expect(installs()).toHaveLength(1)
    expect(existsSync(join(root, ".tools", "lock"))).toBe(false)
  })
})
