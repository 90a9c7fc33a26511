import { describe, expect, it } from "vitest"
import { flagLines, has, readArguments, valueOf, valuesOf } from "../../src/cli/arguments.ts"
import type { Flag } from "../../src/cli/arguments.ts"
import { CommandFailure } from "../../src/cli/failure.ts"

const FLAGS: ReadonlyArray<Flag> = [
  { name: "--file", short: "-f", value: "PATH", many: true, help: "a file" },
  { name: "--priority", value: "LEVEL", oneOf: ["low", "high"], help: "how urgent" },
  { name: "--json", help: "for programs" },
]
const refusal = (argv: ReadonlyArray<string>): string => {
  try {
    readArguments(argv, FLAGS)
  } catch (cause) {
    if (cause instanceof CommandFailure) return `${cause.exit_code} ${cause.message}`
    throw cause
  }
  return "accepted"
}

describe("reading a command line", () => {
  it("takes flags before, between and after the words, with and without an equals sign", () => {
    const args = readArguments(["--json", "a", "-f", "x", "b", "--file=y z", "--priority", "low"], FLAGS)
    expect(args.words).toEqual(["a", "b"])
    expect(valuesOf(args, "file")).toEqual(["x", "y z"])
    expect(valueOf(args, "priority")).toBe("low")
    expect(has(args, "json")).toBe(true)
    expect(valueOf(args, "nothing")).toBeUndefined()
  })

  it("takes everything after -- as words, and a lone dash too", () => {
    expect(readArguments(["-", "--", "--file", "-x"], FLAGS).words).toEqual(["-", "--file", "-x"])
  })

  it.each([
    [["--fil", "x"], '2 unknown option --fil; did you mean "--file"?'],
    [["-x"], "2 unknown option -x"],
    [["--file"], "2 --file needs a value: --file PATH"],
    [["--file", "--json"], "2 --file needs a value: --file PATH"],
    [["--json=1"], "2 --json takes no value"],
    [["--priority", "hihg"], '2 --priority must be one of low, high, not "hihg"; did you mean "high"?'],
    [["--priority", "low", "--priority", "high"], "2 --priority was given twice"],
  ])("refuses %j by name", (argv, message) => {
    expect(refusal(argv)).toBe(message)
  })

  it("aligns the help of the flags", () => {
    expect(flagLines(FLAGS)).toEqual(["  -f, --file PATH   a file", "  --priority LEVEL  how urgent", "  --json            for programs"])
  })
})
