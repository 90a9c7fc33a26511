import { describe, expect, it } from "vitest"
import { bannerLines, modelLine, TRY_LINE } from "../../src/cli/banner.ts"

const facts = { url: "http://127.0.0.1:3000", data_dir: "/srv/data", version: "1.2.3", models: ["qwen3:8b at http://127.0.0.1:11434/v1 (worker ollama)"], config: null }

describe("what a start says", () => {
  it("names the address, the model, the data folder and the line that submits a task", () => {
    const text = bannerLines(facts).join("\n")
    for (const part of [facts.url, facts.models[0]!, facts.data_dir, TRY_LINE]) expect(text).toContain(part)
  })

  it("says plainly that no model is there and that jobs wait", () => {
    expect(bannerLines({ ...facts, models: [] }).join("\n")).toMatch(/none: no worker is configured.*jobs wait/)
  })

  it("tells a worker that is being prepared and one that is disabled", () => {
    expect(modelLine({ id: "embedded", endpoint: "", model: null, enabled: true })).toContain("being prepared")
    expect(modelLine({ id: "a", endpoint: "http://x/v1", model: null, enabled: false })).toBe("first model offered at http://x/v1 (worker a, disabled)")
  })
})
