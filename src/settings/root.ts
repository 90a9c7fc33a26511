// The folder of the installation, which holds what is read at run time: built-in pieces, migrations, the embedded engine's
// source. Found from where the code runs, so that the sources and the bundle that `scripts/start.sh` makes agree.
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

const find = (from: string): string => {
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, "package.json")) && existsSync(join(at, "drizzle"))) return at
    if (dirname(at) === at) throw new Error(`the installation is not complete: no folder above ${from} holds package.json and drizzle`)
  }
}

/** Absolute. */
export const INSTALLATION = find(import.meta.dirname)
