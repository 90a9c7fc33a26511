import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkBody, choosePiece, deriveTitle, newTask, readUiLines } from "../../src/http/submit.ts"
import type { NewTaskBody } from "../../src/http/bodies.ts"
import type { WorkerSettings } from "../../src/settings/settings.ts"

const worker = (over: Partial<WorkerSettings>): WorkerSettings => ({
  id: "w1", endpoint: "http://x/v1", model: null, api_key: null, roles: ["auto"], max_concurrency: 1, proxy: false, vlm: false, enabled: true,
  claims: true, size: "normal", healthcheck_interval_seconds: 30, context_limit_tokens: null, ...over,
})
const made = (body: NewTaskBody, key: string | null = null) =>
  newTask(body, checkBody(body, key, 255), { owner: "local", workspace: "w", max_attempts: 3, piece: { name: "general", notice: null }, piece_text: "name: general", model: null })

describe("a submission", () => {
  it("has the defaults markdown, low, medium, auto and private", () => {
    expect(made({ instruction: "Do it" })).toMatchObject({
      title: "Do it", role: "auto", priority: "medium", output_format: "markdown", ask_policy: "low", visibility: "private", options: {}, idempotency_key: null, max_attempts: 3,
    })
  })

  it("reads ui lines where the field is absent and leaves the instruction as it is", () => {
    const instruction = "ui_priority: high\nSum up.\nui_output_format: json\r\n  ui_profile:  fast \nui_ask_policy: high"
    expect(made({ instruction })).toMatchObject({ instruction, title: "Sum up.", priority: "high", output_format: "json", role: "fast", ask_policy: "high" })
    expect(made({ instruction, priority: "low", role: "quality" })).toMatchObject({ priority: "low", role: "quality", output_format: "json" })
  })

  it("names a wrong ui line, but not where the field says it already", () => {
    const instruction = "Go\nui_priority: urgent"
    expect(readUiLines(instruction, new Set()).errors).toEqual([{ path: "instruction", message: expect.stringContaining("line 2: ui_priority must be low, medium, high") as string }])
    expect(readUiLines(instruction, new Set(["priority"])).errors).toEqual([])
    expect(readUiLines("ui_theme: dark\nsee ui_priority: urgent", new Set())).toEqual({ found: {}, errors: [] })
  })

  it("takes the first line that says something as title, cut at a word", () => {
    expect(deriveTitle("\n\n  Write \t a  summary \nof it")).toBe("Write a summary")
    expect(deriveTitle("ui_priority: low\n")).toBe("ui_priority: low")
    const long = deriveTitle(`${"word ".repeat(40)}`)
    expect(long.length).toBeLessThanOrEqual(80)
    expect(long.endsWith("word…")).toBe(true)
    fc.assert(fc.property(fc.string({ minLength: 1, unit: "grapheme", maxLength: 400 }), (text) => {
      const title = deriveTitle(text)
      expect(title.length).toBeGreaterThan(0)
      expect([...title].length).toBeLessThanOrEqual(80)
      expect(title).not.toMatch(/[\r\n]/)
    }))
  })

  it("plays digest with a notice when all there is is one small model and no piece is named", () => {
    expect(choosePiece(null, [worker({ size: "small" })])).toMatchObject({ name: "digest", notice: expect.stringContaining("w1") as string })
    expect(choosePiece("general", [worker({ size: "small" })])).toEqual({ name: "general", notice: null })
    expect(choosePiece(null, [worker({ size: "small" }), worker({ id: "w2" })])).toEqual({ name: "general", notice: null })
    expect(choosePiece(null, [worker({ size: "small" }), worker({ id: "w2", claims: false }), worker({ id: "w3", enabled: false })]).name).toBe("digest")
    expect(choosePiece(null, [])).toEqual({ name: "general", notice: null })
  })

  it("takes the key from body or header and refuses two that differ", () => {
    expect(made({ instruction: "x" }, "k").idempotency_key).toBe("k")
    expect(made({ instruction: "x", idempotency_key: "b" }).idempotency_key).toBe("b")
    expect(checkBody({ instruction: "x", idempotency_key: "b" }, "b", 255).errors).toEqual([])
    expect(checkBody({ instruction: "x", idempotency_key: "b" }, "k", 255).errors[0]?.path).toBe("idempotency_key")
    expect(checkBody({ instruction: "x" }, "", 255).errors[0]?.path).toBe("Idempotency-Key")
  })

  it("refuses by name what is not supported yet, and lets null stand for absent", () => {
    const paths = checkBody({ instruction: "x", schedule: { cron: "* * * * *" }, output_schema: {}, browser_session_profile_id: 1 }, null, 255).errors.map((e) => e.path)
    expect(paths).toEqual(["schedule", "browser_session_profile_id", "output_schema"])
    expect(checkBody({ instruction: "x", schedule: null }, null, 255).errors).toEqual([])
  })
})
