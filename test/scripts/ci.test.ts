// .ci/run with a stand-in for npm: it runs the README's test command, then the long sizes, and counts both.
import { afterEach, beforeEach, expect, it } from "vitest"
import { spawnSync } from "node:child_process"
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ROOT } from "../support/source.ts"

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "attacca-ci-"))
  mkdirSync(join(root, ".ci"))
  copyFileSync(join(ROOT, ".ci", "run"), join(root, ".ci", "run"))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const run = (npm: string) => {
  writeFileSync(join(root, "npm"), `#!/bin/sh\necho "npm $*" >> "${root}/calls"\n${npm}\n`)
  chmodSync(join(root, "npm"), 0o755)
  const ran = spawnSync("sh", [join(root, ".ci", "run")], { env: { PATH: `${root}:/usr/bin:/bin` }, encoding: "utf8" })
  return { code: ran.status, last: ran.stdout.trimEnd().split("\n").at(-1), calls: readFileSync(join(root, "calls"), "utf8").trim().split("\n") }
}

it("runs both commands and ends with the sum of their counts", () => {
  expect(run('echo "10 0" >> "$ATTACCA_TEST_TOTALS"')).toEqual({ code: 0, last: "20 passed, 0 failed", calls: ["npm test", "npm run test:long"] })
})

it("fails when one of them failed, and still runs the other", () => {
  expect(run('echo "9 1" >> "$ATTACCA_TEST_TOTALS"; exit 1')).toMatchObject({ code: 1, last: "18 passed, 2 failed", calls: ["npm test", "npm run test:long"] })
})

it("fails when one of them ended before it could count", () => {
  expect(run('[ "$1" = run ] || echo "5 0" >> "$ATTACCA_TEST_TOTALS"')).toMatchObject({ code: 1, last: "5 passed, 1 failed" })
})
