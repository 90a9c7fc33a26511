import { describe, expect, it } from "vitest"
import { PIECES_COMMANDS, TASK_COMMANDS } from "../../src/cli/commands.ts"
import { commandLine } from "../support/commandLine.ts"

describe("help", () => {
  it.each([["--help"], ["-h"], ["help"]])("%s lists every command and the exit codes", async (word) => {
    const { code, stdout } = await commandLine([word])
    expect(code).toBe(0)
    for (const command of [...TASK_COMMANDS, ...PIECES_COMMANDS]) expect(stdout).toContain(command.usage)
    expect(stdout).toContain("4 no node answers")
  })

  it.each([...TASK_COMMANDS.map((command) => ["task", command] as const), ...PIECES_COMMANDS.map((command) => ["pieces", command] as const)])("%s … --help teaches one command", async (group, command) => {
    const { code, stdout } = await commandLine([group, ...(command.name === "" ? [] : [command.name]), "--help"])
    expect(code).toBe(0)
    expect(stdout.split("\n")[0]).toBe(command.usage)
    for (const flag of command.flags) expect(stdout).toContain(flag.name)
  })

  it("helps with a command that has its number already", async () => {
    expect((await commandLine(["task", "answer", "7", "--help"])).stdout).toContain("task answer NUMBER")
  })
})

describe("wrong commands", () => {
  it.each([[[], "no command"], [["tusk", "x"], 'unknown command "tusk"; did you mean "task"?'], [["task", "show", "3", "--jsn"], 'unknown option --jsn; did you mean "--json"?'], [["task", "cancel", "3", "--file", "x"], "unknown option --file"]])("%j ends with 2", async (argv, message) => {
    const ran = await commandLine(argv)
    expect(ran).toMatchObject({ code: 2, stdout: "" })
    expect(ran.stderr).toContain(message)
  })

  it("an address that is none ends with 2", async () => {
    expect(await commandLine(["task", "list", "--url", "http://"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--url is not an address") as string })
  })
})

it("flags may stand before the word that tells the command", async () => {
  expect((await commandLine(["task", "--url", "http://127.0.0.1:1", "show", "3"])).stderr).toContain("no node answers at http://127.0.0.1:1")
})
