#!/usr/bin/env bun
// The command line: hands the process to cli/run.ts and ends with its exit code. A client of the HTTP API; it loads no
// service, so that it is there at once.
import { join } from "node:path"
import { runCommandLine } from "./cli/run.ts"
import { distinctSignals } from "./cli/signal.ts"

const distinct = distinctSignals()

// `… | head` closes the output early; what is left to say has no reader.
process.stdout.on("error", () => process.exit(0))

const code = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  project: join(import.meta.dirname, ".."),
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  readStdin: () => Bun.stdin.text(),
  onInterrupt: (listener) => {
    const onSignal = () => distinct(listener)
    process.on("SIGINT", onSignal)
    return () => process.off("SIGINT", onSignal)
  },
})
// Bun drops what a slow pipe has not taken yet when the process is told to exit; only `end` waits for it.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.end(resolve))))
process.exit(code)
