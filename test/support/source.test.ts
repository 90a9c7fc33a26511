import { expect, it } from "vitest"
import { packageOf, parseSource, resolveImport, unstableSymbols } from "./source.ts"

it("counts the lines of a function without those of the functions inside it", () => {
  const source = parseSource("src/x.ts", ["const outer = () => {", "  const a = 1", "  const inner = () => {", "    return a", "  }", "  return inner", "}"].join("\n"))
  expect(source.functions.map((one) => [one.name, one.line, one.ownLines])).toEqual([["inner", 3, 3], ["outer", 1, 5]])
})

it("names the methods of an object and of a class", () => {
  const source = parseSource("src/x.ts", "const s = { get: () => 1, put() { return 2 } }\nclass C { go() { return 3 } }\nfunction f() {}")
  expect(source.functions.map((one) => one.name)).toEqual(["get", "put", "go", "f"])
})

it("finds static, type, re-exporting and dynamic imports, and none in comments or strings", () => {
  const text = ['import { a } from "./a.ts"', 'import type { B } from "../b/B.ts"', 'export * from "./c.ts"', "const lazy = () => import('pkg/deep')", '// import x from "no"', 'const s = "import y from \'no\'"', 'import { type T } from "@scope/name/sub"'].join("\n")
  const source = parseSource("src/x.ts", text)
  expect(source.imports.map((one) => [one.from, one.typeOnly, one.line])).toEqual([["./a.ts", false, 1], ["../b/B.ts", true, 2], ["./c.ts", false, 3], ["pkg/deep", false, 4], ["@scope/name/sub", true, 7]])
})

it("tells a file of types from one with values", () => {
  expect(parseSource("a.ts", 'import type { A } from "./a.ts"\nexport interface B { a: A }\nexport type C = B').typesOnly).toBe(true)
  expect(parseSource("a.ts", "export interface B {}\nexport const c = 1").typesOnly).toBe(false)
})

it("lists what a file exports", () => {
  expect(parseSource("a.ts", "export const a = 1, b = 2\nexport function c() {}\nexport class D {}\nexport default a\nconst e = 1\nexport { e as f }").exports).toEqual(["a", "b", "c", "D", "default", "f"])
})

it("names packages and resolves relative imports", () => {
  expect(packageOf("drizzle-orm/libsql")).toBe("drizzle-orm")
  expect(packageOf("@libsql/client/node")).toBe("@libsql/client")
  expect(["node:fs", "bun", "bun:test", "./a.ts"].map(packageOf)).toEqual([null, null, null, null])
  expect(resolveImport({ path: "src/http/routes/tasks.ts" }, "../../job/state.ts")).toBe("src/job/state.ts")
})

it("knows which symbols of effect are marked unstable", () => {
  expect(unstableSymbols("FileSystem").size).toBeGreaterThan(0)
  expect(unstableSymbols("Effect").has("gen")).toBe(false)
  expect(unstableSymbols("Effect").has("withExecutionPlan")).toBe(true)
})
