import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { formatLine, loggingLayer } from "../../src/metrics/logging.ts"

const lines = async (format: "text" | "json", level: "info" | "warn", effect: Effect.Effect<void>) => {
  const written: Array<string> = []
  await Effect.runPromise(effect.pipe(Effect.provide(loggingLayer({ level, format, node_id: "n1", secrets: ["sk-123456"], write: (line) => written.push(line) }))))
  return written
}

describe("the log", () => {
  it("writes one JSON line with job, task, worker and node", async () => {
    const [line] = await lines("json", "info", Effect.logInfo("started").pipe(Effect.annotateLogs({ job: "j1", task: 7, worker: "w1" })))
    expect(JSON.parse(line!)).toMatchObject({ level: "info", node: "n1", job: "j1", task: 7, worker: "w1", message: "started" })
  })

  it("writes text with the same facts", async () => {
    const [line] = await lines("text", "info", Effect.logWarning("slow").pipe(Effect.annotateLogs({ job: "j1" })))
    expect(line).toMatch(/^\d\d:\d\d:\d\d warn {2}\[job j1\] slow$/)
  })

  it("masks the settings' secrets wherever they stand", async () => {
    const written = await lines("json", "info", Effect.logInfo("key sk-123456 refused"))
    expect(written.join()).not.toContain("sk-123456")
    expect(written.join()).toContain("***")
  })

  it("leaves out what is below the level", async () => {
    expect(await lines("text", "warn", Effect.logInfo("hidden"))).toEqual([])
  })

  it("cannot be made to forge a second line", () => {
    const event = { at: new Date(0), level: "Info", message: "a\n00:00:00 error forged", cause: "", annotations: {} }
    expect(formatLine(event, { format: "text", node_id: "n", secrets: [] }).split("\n")).toHaveLength(1)
    expect(formatLine(event, { format: "json", node_id: "n", secrets: [] }).split("\n")).toHaveLength(1)
  })
})
