// The rules of the house, read from the source: who may import whom, sizes, names, mirrors. A failure names the file and
// what to do; the lists below are the only exceptions, each with its reason.
import { describe, expect, it } from "vitest"
import { existsSync, readFileSync } from "node:fs"
import { execFileSync } from "node:child_process"
import { basename, dirname, join } from "node:path"
import { packageOf, resolveImport, ROOT, sourcesUnder, unstableSymbols } from "./support/source.ts"
import type { Source } from "./support/source.ts"

const src = sourcesUnder("src")
const tests = sourcesUnder("test")
const scripts = sourcesUnder("scripts")

/** A folder imports itself and lower numbers only. `cli` is a client of the HTTP contract, so it sees no service at all. */
const LAYER: Readonly<Record<string, number>> = {
  settings: 0, job: 0,
  metrics: 1, store: 1, llm: 1, wasm: 1, browser: 1, mcp: 1, sandbox: 1, vault: 1, workspace: 1, cli: 1,
  tools: 2, knowledge: 2,
  agent: 3,
  piece: 4,
  queue: 5, gateway: 5,
  http: 6,
}
const ROOT_FILES = ["main.ts", "app.ts", "edge.ts", "cli.ts"]

/** Packages that any folder may use. */
const FREE_PACKAGES = new Set(["effect", "yaml"])
/** The one folder of a package; a package that is not listed still has only one. */
const PACKAGE_HOME: Readonly<Record<string, string>> = {
  "openai": "llm", "node-llama-cpp": "llm", "prom-client": "metrics", "drizzle-orm": "store", "@libsql/client": "store",
  "hono": "http", "ajv": "tools", "jsonrepair": "tools", "puppeteer-core": "browser", "@modelcontextprotocol/sdk": "mcp",
}

const MAX_FILE_LINES = 400
const MEDIAN_FILE_LINES = 150
const MAX_FUNCTION_LINES = 70
const MAX_HEADER_LINES = 6

/** Modules without a test file of their own. Files that hold only types need no entry. */
const NO_MIRROR: Readonly<Record<string, string>> = {
  "src/main.ts": "the process entry: test/e2e starts it for real",
  "src/app.ts": "wiring: test/e2e runs what it wires",
}

const folderOf = (path: string): string => (path.split("/").length > 2 ? path.split("/")[1] ?? "" : "")
const at = (source: Source, line: number, what: string): string => `${source.path}:${line} ${what}`
const none: ReadonlyArray<string> = []

describe("imports", () => {
  it("every folder of src has a number, and only the known files stand beside them", () => {
    const strange = src.filter(({ path }) => (folderOf(path) === "" ? !ROOT_FILES.includes(basename(path)) : LAYER[folderOf(path)] === undefined && folderOf(path) !== "web"))
    expect(strange.map(({ path }) => path)).toEqual(none)
  })

  it("a file imports its own folder and lower numbers only", () => {
    const wrong = src.filter(({ path }) => folderOf(path) !== "").flatMap((source) => source.imports.flatMap((one) => {
      const target = resolveImport(source, one.from)
      if (target === null || folderOf(target) === folderOf(source.path)) return []
      const allowed = target.startsWith("src/") && (LAYER[folderOf(target)] ?? 99) < (LAYER[folderOf(source.path)] ?? -1) && folderOf(target) !== "cli"
      return allowed ? [] : [at(source, one.line, `imports ${target}; take it as a port that app.ts fills`)]
    }))
    expect(wrong).toEqual(none)
  })

  it("job is pure: no files, sockets, clocks of the runtime", () => {
    const wrong = src.filter(({ path }) => folderOf(path) === "job").flatMap((source) => [
      ...source.imports.filter((one) => /^(node:|bun)/.test(one.from)).map((one) => at(source, one.line, `imports ${one.from}`)),
      ...source.members.filter((one) => one.object === "Bun" || one.object === "process").map((one) => at(source, one.line, `uses ${one.object}.${one.member}`)),
    ])
    expect(wrong).toEqual(none)
  })

  it("the HTTP surface runs on any fetch runtime: nothing of Bun in http", () => {
    const wrong = src.filter(({ path }) => folderOf(path) === "http" || path === "src/edge.ts").flatMap((source) => [
      ...source.imports.filter((one) => /^bun(:|$)/.test(one.from)).map((one) => at(source, one.line, `imports ${one.from}`)),
      ...source.members.filter((one) => one.object === "Bun").map((one) => at(source, one.line, `uses Bun.${one.member}`)),
    ])
    expect(wrong).toEqual(none)
  })

  it("one package has one importing folder", () => {
    const homes = new Map<string, Map<string, string>>()
    for (const source of src) {
      for (const one of source.imports) {
        const name = packageOf(one.from)
        if (name === null || name === "?" || FREE_PACKAGES.has(name)) continue
        const folders = homes.get(name) ?? new Map<string, string>()
        homes.set(name, folders.set(folderOf(source.path), at(source, one.line, `imports ${one.from}`)))
      }
    }
    const wrong = [...homes].flatMap(([name, folders]) => {
      const home = PACKAGE_HOME[name]
      if (home !== undefined) return [...folders].filter(([folder]) => folder !== home).map(([, where]) => `${where}; only ${home}/ may`)
      return folders.size > 1 ? [`${name} is imported by ${[...folders.values()].join(" and ")}`] : []
    })
    expect(wrong).toEqual(none)
  })

  it("what src imports is a dependency, not a development one", () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { dependencies: Record<string, string> }
    const brought = new Set(["node-llama-cpp"]) // installed on demand
    const wrong = src.flatMap((source) => source.imports.filter((one) => {
      const name = packageOf(one.from)
      return name !== null && name !== "?" && dependencies[name] === undefined && !brought.has(name)
    }).map((one) => at(source, one.line, `imports ${one.from}`)))
    expect(wrong).toEqual(none)
  })

  it("every version in package.json is exact", () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<string, Record<string, string>>
    const loose = [...Object.entries(manifest["dependencies"] ?? {}), ...Object.entries(manifest["devDependencies"] ?? {})].filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    expect(loose).toEqual([])
  })

  it("relative imports name a file that exists, with its ending", () => {
    const wrong = [...src, ...tests, ...scripts].flatMap((source) => source.imports.flatMap((one) => {
      const target = resolveImport(source, one.from)
      if (target === null) return []
      return /\.(tsx?|json|yaml|html|css)$/.test(target) && existsSync(join(ROOT, target)) ? [] : [at(source, one.line, `imports ${one.from}`)]
    }))
    expect(wrong).toEqual(none)
  })

  it("src never imports tests or scripts", () => {
    const wrong = src.flatMap((source) => source.imports.filter((one) => /^(test|scripts)\//.test(resolveImport(source, one.from) ?? "")).map((one) => at(source, one.line, one.from)))
    expect(wrong).toEqual(none)
  })

  it("only app.ts wires folders together; a folder's own layer.ts wires what is inside it", () => {
    const wiring = new Set(["provide", "provideMerge"])
    const wrong = src.filter(({ path }) => path !== "src/app.ts" && !/^src\/\w+\/layer\.ts$/.test(path)).flatMap((source) =>
      source.members.filter((one) => one.object === "Layer" && wiring.has(one.member)).map((one) => at(source, one.line, `uses Layer.${one.member}`)))
    expect(wrong).toEqual(none)
  })

  it("an unstable symbol of effect has a line in its file that says why", () => {
    const wrong = src.flatMap((source) => {
      const fromEffect = source.imports.filter((one) => packageOf(one.from) === "effect")
      const modules = new Set(fromEffect.flatMap((one) => one.names))
      const used = source.members.filter((one) => modules.has(one.object) && unstableSymbols(one.object).has(one.member)).map((one) => ({ symbol: `${one.object}.${one.member}`, line: one.line }))
      const deep = fromEffect.filter((one) => one.from !== "effect" && one.from !== "effect/testing").map((one) => ({ symbol: one.from, line: one.line }))
      return [...used, ...deep].filter(({ symbol }) => !source.lines.some((line) => line.includes("//") && /unstable/i.test(line) && line.includes(symbol)))
        .map(({ symbol, line }) => at(source, line, `uses ${symbol}, which is unstable; say why in a comment that names it`))
    })
    expect(wrong).toEqual(none)
  })
})

describe("sizes", () => {
  it(`a file has at most ${MAX_FILE_LINES} lines`, () => {
    const wrong = [...src, ...scripts, ...tests].filter((source) => source.lines.length - 1 > MAX_FILE_LINES).map((source) => `${source.path} has ${source.lines.length - 1} lines`)
    expect(wrong).toEqual(none)
  })

  it(`the median file has at most ${MEDIAN_FILE_LINES} lines`, () => {
    const sorted = src.map((source) => source.lines.length - 1).sort((a, b) => a - b)
    expect(sorted[sorted.length >> 1]).toBeLessThanOrEqual(MEDIAN_FILE_LINES)
  })

  it(`a function has at most ${MAX_FUNCTION_LINES} lines of its own`, () => {
    const wrong = [...src, ...scripts].flatMap((source) => source.functions.filter((one) => one.ownLines > MAX_FUNCTION_LINES).map((one) => at(source, one.line, `${one.name} has ${one.ownLines} lines`)))
    expect(wrong).toEqual(none)
  })
})

describe("names", () => {
  it("a file begins with a comment that says what it is", () => {
    const wrong = [...src, ...scripts].filter((source) => {
      const first = source.lines[0]?.startsWith("#!") ? 1 : 0
      const header = source.lines.slice(first).findIndex((line) => !line.startsWith("//"))
      return header < 1 || header > MAX_HEADER_LINES || source.lines.slice(first, first + header).join(" ").length < 60
    }).map((source) => `${source.path} needs a header of 1 to ${MAX_HEADER_LINES} lines`)
    expect(wrong).toEqual(none)
  })

  it("PascalCase.ts exports what it is named after", () => {
    const wrong = src.filter(({ path }) => /^[A-Z]/.test(basename(path))).filter((source) => {
      const name = basename(source.path).replace(/\.tsx?$/, "")
      return !source.exports.some((one) => one.toLowerCase() === name.toLowerCase())
    }).map(({ path }) => path)
    expect(wrong).toEqual(none)
  })

  it("a service's id is its path, and it stands in a file of its name", () => {
    const wrong = src.flatMap((source) => [...source.text.matchAll(/class (\w+) extends Context\.Service<[\s\S]*?>\(\)\(\s*"([^"]+)"/g)].flatMap((match) => {
      const expected = `attacca/${source.path.replace(/^src\//, "").replace(/\.ts$/, "")}`
      const own = basename(source.path) === `${match[1]}.ts`
      return own && match[2] === expected ? [] : [`${source.path}: ${match[1]} has the id ${match[2]}${own ? `, not ${expected}` : ` and belongs in ${match[1]}.ts`}`]
    }))
    expect(wrong).toEqual(none)
  })

  it("no barrels and no drawers", () => {
    const wrong = [...src, ...tests, ...scripts].filter(({ path }) => /(^|\/)(index|utils?|helpers?|common|misc|shared)(\.tsx?|\/)/.test(path)).map(({ path }) => path)
    expect(wrong).toEqual(none)
  })
})

describe("mirrors", () => {
  const mirrorOf = (path: string): string => path.replace(/^src\//, "test/").replace(/\.tsx?$/, "")

  it("every module has a test at its own path, or one of its folder's tests calls it", () => {
    const called = new Set(tests.filter(({ path }) => path.endsWith(".test.ts")).flatMap((test) =>
      test.imports.map((one) => resolveImport(test, one.from)).filter((target) => target !== null && dirname(target).replace(/^src/, "test") === dirname(test.path))))
    const paths = tests.map(({ path }) => path)
    const wrong = src.filter((source) => !source.typesOnly && NO_MIRROR[source.path] === undefined && !called.has(source.path))
      .filter((source) => !paths.some((path) => path === `${mirrorOf(source.path)}.test.ts` || (path.startsWith(`${mirrorOf(source.path)}.`) && path.endsWith(".test.ts"))))
      .map((source) => `${source.path} has no ${mirrorOf(source.path)}.test.ts`)
    expect(wrong).toEqual(none)
  })

  it("every test stands at the path of the module it tests", () => {
    const own = /^test\/(e2e|sim|support|scripts)\/|^test\/(tidy|docs)\.test\.ts$/
    const wrong = tests.filter(({ path }) => path.endsWith(".test.ts") && !own.test(path))
      .filter(({ path }) => !existsSync(join(ROOT, dirname(path).replace(/^test/, "src"), `${basename(path).split(".")[0]}.ts`)))
      .map(({ path }) => path)
    expect(wrong).toEqual(none)
  })

  it("the exceptions are still needed", () => {
    expect(Object.keys(NO_MIRROR).filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })
})

describe("text", () => {
  const grep = (sources: ReadonlyArray<Source>, pattern: RegExp, why: string): Array<string> =>
    sources.flatMap((source) => source.lines.flatMap((line, index) => (pattern.test(line) ? [at(source, index + 1, `${why}: ${line.trim().slice(0, 100)}`)] : [])))
  const others = tests.filter(({ path }) => path !== "test/tidy.test.ts")

  it("the types are not switched off", () => {
    expect(grep([...src, ...others, ...scripts], /\bas any\b|@ts-(ignore|expect-error|nocheck)/, "switches the types off")).toEqual(none)
  })

  it("lint is switched off with a reason only", () => {
    expect(grep([...src, ...others, ...scripts], /(oxlint|eslint)-disable(?!.*--)/, "add -- and the reason")).toEqual(none)
  })

  it("nothing is left for later in the code", () => {
    expect(grep([...src, ...others, ...scripts], /\b(TODO|FIXME|XXX|HACK)\b/, "open end")).toEqual(none)
  })

  it("only the processes of the command line print", () => {
    const printers = /^src\/(main|cli)\.ts$|^src\/cli\//
    expect(grep(src.filter(({ path }) => !printers.test(path)), /\bconsole\.\w+\(/, "log instead")).toEqual(none)
  })

  it("no test is left out without a reason, or runs alone", () => {
    expect(grep(others, /\b(it|test|describe)(\.\w+)*\.(only|skip|todo|skipIf|runIf)\(|\b(xit|xdescribe)\(/, "use ctx.skip(reason)")).toEqual(none)
  })

  it("every test file asserts", () => {
    const wrong = others.filter(({ path }) => path.endsWith(".test.ts")).filter(({ text }) => !/\b(expect|assert)\b/.test(text)).map(({ path }) => path)
    expect(wrong).toEqual(none)
  })

  it("tracked text names no machine, no ticket and no person's folder", () => {
    const files = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0").filter((file) => /\.(ts|tsx|md|sh|yaml|yml|json|sql|html|css)$|^\.ci\//.test(file) && existsSync(join(ROOT, file)) && file !== "test/tidy.test.ts")
    const wrong = files.flatMap((file) => readFileSync(join(ROOT, file), "utf8").split("\n").flatMap((line, index) =>
      (/(^|[\s"'`(=:])\/(work|root|home\/\w+|Users\/\w+)\/|\bissue #?\d+\b|\/tmp\/notes/i.test(line) ? [`${file}:${index + 1} ${line.trim().slice(0, 120)}`] : [])))
    expect(wrong).toEqual(none)
  })
})
