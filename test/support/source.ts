// Reads source files as the tidy test needs them: imports, exports, functions with their own length, and what they use of
// effect. Works on the syntax tree that vitest's own parser gives, so that comments and strings are never mistaken for code.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { parseAst } from "vitest/node"

export const ROOT = join(import.meta.dirname, "..", "..")

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export interface ImportLine {
  readonly from: string
  readonly typeOnly: boolean
  /** Imported names as the other module calls them; `*` for a namespace. */
  readonly names: ReadonlyArray<string>
  readonly line: number
}

export interface FunctionSize {
  readonly name: string
  readonly line: number
  /** Lines of this function without those of the functions inside it. */
  readonly ownLines: number
}

export interface Source {
  /** Relative to the project's folder, with `/`. */
  readonly path: string
  readonly text: string
  readonly lines: ReadonlyArray<string>
  readonly imports: ReadonlyArray<ImportLine>
  readonly exports: ReadonlyArray<string>
  /** True when the file holds nothing but types and the imports that they need. */
  readonly typesOnly: boolean
  readonly functions: ReadonlyArray<FunctionSize>
  /** `Module.member` for every member taken of an imported name. */
  readonly members: ReadonlyArray<{ readonly object: string; readonly member: string; readonly line: number }>
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && typeof (value as Node).type === "string"

const children = (node: Node): Array<Node> => {
  const found: Array<Node> = []
  for (const value of Object.values(node)) {
    if (isNode(value)) found.push(value)
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) found.push(item)
  }
  return found
}

const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"])
const nameOf = (node: unknown): string => (isNode(node) && typeof node["name"] === "string" ? node["name"] : isNode(node) && typeof node["value"] === "string" ? node["value"] : "?")

/** Own lengths of all functions: the inner ones are taken out of the outer ones, all but their first line. */
const functionSizes = (body: Node, lineAt: (offset: number) => number): Array<FunctionSize> => {
  const sizes: Array<FunctionSize> = []
  const walk = (node: Node, hint: string): number => {
    const isFunction = FUNCTIONS.has(node.type)
    const named = node["id"] ?? node["key"]
    const name = isNode(named) ? nameOf(named) : hint
    let inner = 0
    for (const child of children(node)) inner += walk(child, name)
    if (!isFunction) return inner
    const span = lineAt(node.end - 1) - lineAt(node.start) + 1
    sizes.push({ name, line: lineAt(node.start), ownLines: span - inner })
    return span - 1
  }
  walk(body, "anonymous")
  return sizes
}

const importLine = (node: Node, line: number): ImportLine => {
  const specifiers = (node["specifiers"] as Array<Node> | undefined) ?? []
  const kinds = specifiers.map((one) => one["importKind"] === "type")
  return {
    from: nameOf(node["source"]),
    typeOnly: node["importKind"] === "type" || node["exportKind"] === "type" || (kinds.length > 0 && kinds.every(Boolean)),
    names: specifiers.map((one) => (one.type === "ImportSpecifier" ? nameOf(one["imported"]) : one.type === "ImportDefaultSpecifier" ? "default" : "*")),
    line,
  }
}

const exportedNames = (node: Node): Array<string> => {
  if (node.type === "ExportDefaultDeclaration") return ["default"]
  const declaration = node["declaration"]
  if (isNode(declaration)) {
    const list = declaration["declarations"]
    return Array.isArray(list) ? list.map((one: Node) => nameOf(one["id"])) : [nameOf(declaration["id"])]
  }
  return ((node["specifiers"] as Array<Node> | undefined) ?? []).map((one) => nameOf(one["exported"]))
}

const isTypeStatement = (node: Node): boolean => {
  if (node.type === "ImportDeclaration") return true
  const declaration = node.type === "ExportNamedDeclaration" && isNode(node["declaration"]) ? node["declaration"] : node
  if (declaration.type === "ExportNamedDeclaration") return declaration["exportKind"] === "type"
  return declaration.type === "TSInterfaceDeclaration" || declaration.type === "TSTypeAliasDeclaration"
}

/** Reads one file's text as source; `path` only names it. */
export const parseSource = (path: string, text: string): Source => {
  const starts = [0]
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  const lineAt = (offset: number): number => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }
  const program = parseAst(text, { lang: "ts" }) as unknown as Node
  const body = program["body"] as Array<Node>
  const imports: Array<ImportLine> = []
  const members: Array<{ object: string; member: string; line: number }> = []
  const visit = (node: Node): void => {
    if (node.type === "ImportDeclaration" || ((node.type === "ExportAllDeclaration" || node.type === "ExportNamedDeclaration" || node.type === "ImportExpression") && isNode(node["source"]))) {
      imports.push(importLine(node, lineAt(node.start)))
    }
    const object = node["object"] ?? node["left"]
    const property = node["property"] ?? node["right"]
    if ((node.type === "MemberExpression" || node.type === "TSQualifiedName") && isNode(object) && object.type === "Identifier" && isNode(property)) {
      members.push({ object: nameOf(object), member: nameOf(property), line: lineAt(node.start) })
    }
    children(node).forEach(visit)
  }
  body.forEach(visit)
  return {
    path, text, lines: text.split("\n"), imports, members,
    exports: body.filter((node) => node.type.startsWith("Export")).flatMap(exportedNames),
    typesOnly: body.length > 0 && body.every(isTypeStatement),
    functions: functionSizes(program, lineAt),
  }
}

/** Every TypeScript file under a folder of the project, parsed; an absent folder is empty. */
export const sourcesUnder = (folder: string): Array<Source> => {
  const base = join(ROOT, folder)
  if (!existsSync(base)) return []
  return readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => parseSource(relative(ROOT, file).replaceAll("\\", "/"), readFileSync(file, "utf8")))
}

/** The file that a relative import names, relative to the project's folder; null for a package. */
export const resolveImport = (source: Pick<Source, "path">, from: string): string | null =>
  from.startsWith(".") ? join(dirname(source.path), from).replaceAll("\\", "/") : null

/** `@scope/name` or `name` of a package import; null for relative and built-in ones. */
export const packageOf = (from: string): string | null => {
  if (from.startsWith(".") || from.startsWith("node:") || from === "bun" || from.startsWith("bun:")) return null
  return from.split("/").slice(0, from.startsWith("@") ? 2 : 1).join("/")
}

/** The symbols of a module of effect that its declarations do not mark as stable. */
export const unstableSymbols = (module: string): ReadonlySet<string> => {
  const known = unstable.get(module)
  if (known !== undefined) return known
  const symbols = readUnstable(module)
  unstable.set(module, symbols)
  return symbols
}
const unstable = new Map<string, ReadonlySet<string>>()

const readUnstable = (module: string): ReadonlySet<string> => {
  const file = join(ROOT, "node_modules", "effect", "dist", `${module}.d.ts`)
  if (!existsSync(file)) return new Set()
  const found = new Set<string>()
  const stable = new Set<string>()
  for (const match of readFileSync(file, "utf8").matchAll(/^ \* @stability (\w+)\n(?: \*.*\n)* \*\/\nexport (?:declare )?(?:abstract )?(?:const|function|class|interface|type|namespace|enum) (\w+)/gm)) {
    if (match[1] === "stable") stable.add(match[2] ?? "")
    else found.add(match[2] ?? "")
  }
  // A name can be a value and a type with different marks: it is stable when one of them is.
  return new Set([...found].filter((name) => !stable.has(name)))
}
