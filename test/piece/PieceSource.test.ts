// Whose piece is taken, what a broken one gives, and how copies come and go, over a real database and real folders.
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { PieceSource } from "../../src/piece/PieceSource.ts"
import type { Registry } from "../../src/store/Registry.ts"
import { storeLayer } from "../../src/store/layer.ts"
import { builtinTools } from "../../src/tools/builtin.ts"
import { optionsFor, temporaryDirectory } from "../support/database.ts"

const text = (name: string, description = "one", more = "") => `name: ${name}\ndescription: ${description}\n${more}movements:\n  - { name: a, instruction: i, rules: [{ next: COMPLETE }] }\n`

interface World {
  readonly custom: string
  readonly builtin: string
}

/** A fresh database, a site's folder and a folder of built-in pieces with `general` in it. */
const run = async <A, E>(body: (pieces: PieceSource["Service"], world: World) => Effect.Effect<A, E, Registry>, options: { readonly custom?: boolean } = {}): Promise<A> => {
  const directory = temporaryDirectory()
  const world = { custom: join(directory.path, "custom"), builtin: join(directory.path, "builtin") }
  mkdirSync(world.builtin)
  writeFileSync(join(world.builtin, "general.yaml"), text("general", "built in"))
  const store = storeLayer(optionsFor(`file:${directory.path}/attacca.db`))
  const layer = PieceSource.layer({ custom_dir: options.custom === false ? null : world.custom, builtin_dir: world.builtin, tools: builtinTools, models: Effect.succeed(["m1"]) })
  try {
    return await Effect.runPromise(PieceSource.use((pieces) => body(pieces, world)).pipe(Effect.provide(Layer.provideMerge(layer, store))))
  } finally {
    directory.remove()
  }
}

describe("a piece is found", () => {
  it("among the owner's, then the site's, then the built-in ones", () => run((pieces, { custom }) => Effect.gen(function*() {
    const origin = Effect.map(pieces.find("ann", "general"), (found) => [found?.origin, found?.piece.description])
    expect(yield* origin).toEqual(["built-in", "built in"])
    mkdirSync(custom)
    writeFileSync(join(custom, "general.yaml"), text("general", "the site's"))
    expect(yield* origin).toEqual(["site", "the site's"])
    expect(yield* pieces.put("ann", "general", text("general", "my own"))).toBe(true)
    expect(yield* origin).toEqual(["owner", "my own"])
    expect((yield* pieces.find("bob", "general"))?.origin).toBe("site")
    expect(yield* pieces.remove("ann", "general")).toBe(true)
    expect(yield* pieces.remove("ann", "general")).toBe(false)
    expect(yield* origin).toEqual(["site", "the site's"])
  })))

  it("with the exact text that was kept", () => run((pieces) => Effect.gen(function*() {
    const odd = `# a remark é\n${text("odd").replace(/\n/g, "\r\n")}`
    yield* pieces.put("ann", "odd", odd)
    expect((yield* pieces.find("ann", "odd"))?.text).toBe(odd)
    expect(yield* pieces.read("ann", "odd")).toEqual({ name: "odd", text: odd, origin: "owner" })
  })))

  it("as it is now, when the site changes its file", () => run((pieces, { custom }) => Effect.gen(function*() {
    mkdirSync(custom)
    for (const description of ["first", "second"]) {
      writeFileSync(join(custom, "own.yaml"), text("own", description))
      expect((yield* pieces.find("ann", "own"))?.piece.description).toBe(description)
    }
  })))

  it("by no name with a path in it", () => run((pieces, { builtin }) => Effect.gen(function*() {
    writeFileSync(join(builtin, "..", "outside.yaml"), text("outside"))
    for (const name of ["../outside", "..", "a/b", "", "general.yaml", "x".repeat(100), "a\u0000b"]) {
      expect(yield* pieces.find("ann", name), name).toBeNull()
      expect(yield* pieces.remove("ann", name)).toBe(false)
    }
  })))
})

describe("an unknown or broken piece", () => {
  it("is refused with the names that there are", () => run((pieces) => Effect.gen(function*() {
    yield* pieces.put("ann", "mine", text("mine"))
    expect(yield* pieces.find("ann", "genral")).toBeNull()
    const error = yield* Effect.flip(pieces.require("ann", "genral"))
    expect(error).toMatchObject({ _tag: "InvalidInput", errors: [{ path: "piece", message: "there is no piece \"genral\"; the pieces are: general, mine; did you mean \"general\"?" }] })
    expect((yield* pieces.require("ann", "mine")).origin).toBe("owner")
  })))

  it("is named, and never passed over for another of its name", () => run((pieces, { custom }) => Effect.gen(function*() {
    mkdirSync(custom)
    writeFileSync(join(custom, "general.yaml"), "name: general\nmovments: []\n")
    const error = yield* Effect.flip(pieces.find("ann", "general"))
    expect(error).toMatchObject({ _tag: "InvalidInput", detail: "the site piece \"general\" is not valid" })
    expect(error._tag === "InvalidInput" && error.errors[0]).toMatchObject({ path: "movments", line: 2, column: 1 })
    expect((yield* pieces.read("ann", "general"))?.text).toContain("movments")
  })))

  it("is not kept: every wrong place has its line", () => run((pieces) => Effect.gen(function*() {
    const error = yield* Effect.flip(pieces.put("ann", "bad", "name: bad\nmovements:\n  - name: a\n    instrction: x\n    rules: [{ next: b }]\n"))
    expect(error).toMatchObject({ _tag: "InvalidInput", errors: [{ path: "movements[0].instrction", line: 4, column: 5 }] })
    expect(yield* Effect.flip(pieces.put("ann", "other", text("bad")))).toMatchObject({ errors: [{ path: "name", line: 1 }] })
    expect(yield* Effect.flip(pieces.put("ann", "../bad", text("bad")))).toMatchObject({ errors: [{ path: "name" }] })
    expect(yield* Effect.flip(pieces.put("ann", "bad", text("bad", "x", "gates: []\n")))).toMatchObject({ _tag: "InvalidInput" })
    expect(yield* pieces.list("ann")).toHaveLength(1)
  })))

  it("tells the lint warnings of what workers offer", () => run((pieces) => Effect.gen(function*() {
    expect(yield* pieces.validate(text("x", "d", "model: m2\n"), null)).toMatchObject({ valid: true, warnings: [{ path: "model", line: 3 }] })
    expect(yield* pieces.validate(text("x", "d", "model: m1\n"), null)).toEqual({ valid: true, errors: [], warnings: [] })
  })))
})

it("the list has each name once, as it would be found, with what is broken marked", () => run((pieces, { custom }) => Effect.gen(function*() {
  mkdirSync(custom)
  writeFileSync(join(custom, "general.yaml"), text("general", "the site's"))
  writeFileSync(join(custom, "broken.yaml"), "name: [\n")
  writeFileSync(join(custom, "not a name.yaml"), "x")
  writeFileSync(join(custom, "notes.txt"), "x")
  yield* pieces.put("ann", "zz", text("zz", "mine"))
  expect(yield* pieces.put("ann", "zz", text("zz", "mine again"))).toBe(false)
  expect(yield* pieces.list("ann")).toEqual([
    { name: "broken", description: "", origin: "site", valid: false, errors: 1 },
    { name: "general", description: "the site's", origin: "site", valid: true, errors: 0 },
    { name: "zz", description: "mine again", origin: "owner", valid: true, errors: 0 },
  ])
})))

it("a built-in piece is found without parsing or reading it again", () => run((pieces) => Effect.gen(function*() {
  const first = yield* pieces.find("ann", "general")
  expect((yield* pieces.find("bob", "general"))?.piece).toBe(first?.piece)
}), { custom: false }))

it("the pieces that come with the runtime are found from any working directory", async () => {
  const directory = temporaryDirectory()
  const store = storeLayer(optionsFor(`file:${directory.path}/attacca.db`))
  const layer = PieceSource.layer({ custom_dir: null, tools: builtinTools, models: Effect.succeed(null) })
  try {
    const list = await Effect.runPromise(PieceSource.use((pieces) => pieces.list("local")).pipe(Effect.provide(Layer.provideMerge(layer, store))))
    expect(list.map((piece) => [piece.name, piece.origin, piece.valid])).toEqual([["digest", "built-in", true], ["general", "built-in", true], ["minutes", "built-in", true]])
  } finally {
    directory.remove()
  }
})
