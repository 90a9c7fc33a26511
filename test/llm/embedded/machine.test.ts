import { totalmem } from "node:os"
import { describe, expect, it } from "vitest"
import { inspectMachine } from "../../../src/llm/embedded/machine.ts"

describe("this machine", () => {
  it("has an engine that needs no GPU as the last choice, or a reason why it has none", async () => {
    const machine = await inspectMachine()
    expect(machine.memory_bytes).toBeGreaterThan(0)
    expect(machine.memory_bytes).toBeLessThanOrEqual(totalmem())
    expect(machine.cores).toBeGreaterThanOrEqual(1)
    const last = machine.binaries.at(-1)
    if (last === undefined) expect(machine.refusal).toMatch(/engine/)
    else expect([last.gpu === false || process.platform === "darwin", last.package.startsWith(process.platform === "darwin" ? "mac-" : "linux-")]).toEqual([true, true])
    if (machine.binaries.length < 2 && process.platform === "linux") expect(machine.gpu_bytes).toBe(0)
  })
})
