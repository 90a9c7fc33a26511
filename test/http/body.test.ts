import { Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import { NewTaskBody } from "../../src/http/bodies.ts"
import { invalid, limitedStream, MAX_TEXT_BODY_BYTES, readJson, readText } from "../../src/http/body.ts"

const request = (body: BodyInit | null, headers: Record<string, string> = { "content-type": "application/json" }) =>
  new Request("http://127.0.0.1/", { method: "POST", body, headers, ...(body instanceof ReadableStream ? { duplex: "half" } : {}) } as RequestInit)
const streamOf = (chunks: ReadonlyArray<string>, onCancel = () => {}) => {
  let at = 0
  return new ReadableStream<Uint8Array>({
    pull: (c) => { const chunk = chunks[at++]; if (chunk === undefined) c.close(); else c.enqueue(new TextEncoder().encode(chunk)) },
    cancel: onCancel,
  })
}
const failure = async (effect: Effect.Effect<unknown, { readonly _tag: string }>) => {
  const exit = await Effect.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  const [reason] = exit.cause.reasons
  return reason?._tag === "Fail" ? reason.error : exit.cause
}

describe("a request body", () => {
  it("is refused by its content type, then its size, then as JSON, then by the schema", async () => {
    expect(await failure(readJson(NewTaskBody, request("{}", { "content-type": "text/plain" }), 100))).toMatchObject({ _tag: "WrongMediaType", got: "text/plain" })
    expect(await failure(readJson(NewTaskBody, request("x".repeat(101)), 100))).toMatchObject({ _tag: "TooLarge", max_bytes: 100 })
    expect(await failure(readJson(NewTaskBody, request("{,"), 100))).toMatchObject({ _tag: "BadRequest" })
    expect(await failure(readJson(NewTaskBody, request(null), 100))).toMatchObject({ _tag: "BadRequest", detail: expect.stringContaining("empty") as string })
    expect(await failure(readJson(NewTaskBody, request("[".repeat(100_000)), 1_000_000))).toMatchObject({ _tag: "BadRequest" })
    expect(await failure(readJson(NewTaskBody, request(new Uint8Array([0x22, 0xFF, 0x22])), 100))).toMatchObject({ _tag: "BadRequest", detail: expect.stringContaining("UTF-8") as string })
    expect(await failure(readJson(NewTaskBody, request("[]"), 100))).toMatchObject({ _tag: "InvalidInput" })
  })

  it("has every wrong field named at once, unknown ones with what was meant", async () => {
    const wrong = await failure(readJson(NewTaskBody, request(JSON.stringify({ instruction: 7, priority: "urgent", opions: {}, options: { mcp: 1 }, title: " ", role: "a b" })), 1000)) as { errors: ReadonlyArray<{ path: string; message: string }> }
    expect(wrong.errors.map((e) => e.path).sort()).toEqual(["instruction", "opions", "options.mcp", "priority", "role", "title"])
    expect(wrong.errors.find((e) => e.path === "opions")?.message).toContain('did you mean "options"')
  })

  it("is counted while it streams, whatever its declared length says", async () => {
    let cancelled = false
    const endless = new ReadableStream<Uint8Array>({ pull: (c) => c.enqueue(new Uint8Array(1024)), cancel: () => { cancelled = true } })
    expect(await failure(readText(request(endless), 10_000))).toMatchObject({ _tag: "TooLarge", max_bytes: 10_000 })
    expect(cancelled).toBe(true)
    expect(await failure(readText(request(streamOf(["12345", "67890"]), { "content-length": "2" }), 9))).toMatchObject({ _tag: "TooLarge" })
    expect(await failure(limitedStream(request("x", { "content-length": "11" }), 10))).toMatchObject({ _tag: "TooLarge" })
  })

  it("may have exactly the limit, and text has a limit of its own", async () => {
    expect(await failure(readText(request(streamOf(["12345", "67890"])), 10))).toBe("1234567890")
    expect(await failure(readText(request("x", { "content-length": String(MAX_TEXT_BODY_BYTES + 1) }), 1e9))).toMatchObject({ _tag: "TooLarge", max_bytes: MAX_TEXT_BODY_BYTES })
  })

  it("gives at most a hundred errors and says how many more there are", () => {
    const error = invalid(Array.from({ length: 150 }, (_, i) => ({ path: `f${i}`, message: "unknown" })))
    expect(error.errors).toHaveLength(101)
    expect(error.errors[100]?.message).toBe("and 50 more")
    expect(error.detail.length).toBeLessThanOrEqual(2001)
  })
})
