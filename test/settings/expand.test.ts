// References in texts: what they stand for, where they lead nowhere, and what becomes of the text.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { coerceText, expandText, expandValue } from "../../src/settings/expand.ts"
import type { Sources } from "../../src/settings/expand.ts"
import { schemaAt } from "../../src/settings/schema.ts"

let sources: Sources
beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), "attacca-expand-"))
  writeFileSync(join(directory, "key"), "from-file\n")
  writeFileSync(join(directory, "two"), "a\nb\n\n")
  writeFileSync(join(directory, "big"), "x".repeat(70_000))
  sources = { env: { NAME: "value", EMPTY: "", TRICK: "${NAME} $&" }, directory }
})
afterAll(() => rmSync(sources.directory, { recursive: true, force: true }))

describe("a text", () => {
  it.each([
    ["plain", "plain"], ["${NAME}", "value"], ["a ${NAME}-${NAME} b", "a value-value b"], ["${EMPTY}", ""], ["${file:key}", "from-file"], ["<${file:./two}>", "<a\nb\n>"],
    ["$${NAME}", "${NAME}"], ["$NAME $ {NAME} $", "$NAME $ {NAME} $"], ["${TRICK}", "${NAME} $&"], ["$$${NAME}", "$${NAME}"],
  ])("%j becomes %j", (text, filled) => expect(expandText(text, sources)).toMatchObject({ text: filled, problem: null }))

  it.each([
    ["${NOPE}", "the environment variable NOPE is not set"], ["${NAEM}", "did you mean \"NAME\"?"], ["${}", "neither"], ["${a b}", "neither"], ["${NAME", "is not closed by }"], ["${file:none}", "cannot be read"],
    ["${file:big}", "holds more than 64 KiB"], ["${file:.}", "is not a plain file"], ["${NAME}${NOPE}${file:none}", "NOPE"],
  ])("%j leads nowhere: %s", (text, problem) => {
    const expansion = expandText(text, sources)
    expect(expansion.text).toBeNull()
    expect(expansion.problem).toContain(problem)
  })

  it("without a reference never changes", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }).filter((text) => !text.includes("${")), (text) => { expect(expandText(text, sources)).toEqual({ text, changed: false, problem: null }) }))
  })
})

it("what came from outside becomes what its key expects", () => {
  const as = (text: string, ...path: ReadonlyArray<string | number>) => coerceText(text, schemaAt(path))
  expect(as("80", "http", "port")).toBe(80)
  expect(as("80", "http", "host")).toBe("80")
  expect(as("x: [", "http", "port")).toBe("x: [")
  expect(as("null", "node_id")).toBeNull()
  expect(as("null", "data_dir")).toBe("null")
  expect(as("true", "embedded", "enabled")).toBe(true)
  expect(as("auto", "embedded", "enabled")).toBe("auto")
  expect(as("[1, 2]", "retry", "backoff_seconds")).toEqual([1, 2])
})

it("a whole value is expanded beside itself, with the places of what was filled in and of what leads nowhere", () => {
  const value = { data_dir: "${NAME}", http: { port: "${NOPE}", host: "plain" }, workers: [{ model: "a${NAME}" }], node_id: "$${x}" }
  const copy = structuredClone(value)
  expect(expandValue(value, sources, schemaAt)).toMatchObject({
    value: { data_dir: "value", http: { port: "${NOPE}", host: "plain" }, workers: [{ model: "avalue" }], node_id: "${x}" },
    problems: [{ path: ["http", "port"] }],
  })
  expect(value).toEqual(copy)
})
