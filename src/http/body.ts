// Reads request bodies within their limits: text, JSON, JSON checked against a schema, and a byte stream that stops at the
// limit. Content-Length is a first hint only; what arrives is counted. Called by the routes.
import { Effect, type Schema } from "effect"
import { type InputIssue, InvalidInput } from "../job/errors.ts"
import { checkValue } from "../settings/check.ts"
import { pathText } from "../settings/document.ts"
import { BadRequest, TooLarge, WrongMediaType } from "./problem.ts"

/** Longest JSON or YAML body: the longest instruction, escaped, and room for the rest. Files come as streams. */
export const MAX_TEXT_BODY_BYTES = 8 * 1024 * 1024

/** `application/json` of `Application/JSON; charset=utf-8`. */
export const mediaType = (request: Request): string => (request.headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase()

/** The declared length, or null where there is none (chunked). */
const declaredBytes = (request: Request): number | null => {
  const text = request.headers.get("content-length")
  return text !== null && /^\d+$/.test(text) ? Number(text) : null
}

export interface LimitedStream {
  readonly stream: ReadableStream<Uint8Array>
  /** Why the stream failed, where the body is to blame: more than the limit came, or its end never did. */
  readonly failure: () => TooLarge | BadRequest | null
}

const cutOff = () => new BadRequest({ detail: "the body ended before it was complete" })

/** The body as a stream that fails with TooLarge past `max_bytes`; an absent body is an empty stream. */
export const limitedStream = (request: Request, max_bytes: number): Effect.Effect<LimitedStream, TooLarge> => Effect.suspend(() => {
  if ((declaredBytes(request) ?? 0) > max_bytes) return Effect.fail(new TooLarge({ max_bytes }))
  const reader = request.body?.getReader()
  let seen = 0
  let failure: TooLarge | BadRequest | null = null
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (reader === undefined) return controller.close()
      const next = await reader.read().catch(() => null)
      if (next?.done === true) return controller.close()
      seen += next?.value.byteLength ?? 0
      if (next !== null && seen <= max_bytes) return controller.enqueue(next.value)
      failure = next === null ? cutOff() : new TooLarge({ max_bytes })
      controller.error(failure)
      await reader.cancel().catch(() => undefined) // what is left of it is not wanted
    },
    cancel: (reason) => reader?.cancel(reason),
  }, { highWaterMark: 0 })
  return Effect.succeed({ stream, failure: () => failure })
})

const readBytes = (request: Request, max_bytes: number): Effect.Effect<Uint8Array, TooLarge | BadRequest> => {
  const declared = declaredBytes(request)
  if (declared !== null && declared <= max_bytes) {
    // The server hands on no more than was declared, so the whole can be taken at once; a caller in this process might lie.
    return Effect.tryPromise({ try: async () => new Uint8Array(await request.arrayBuffer()), catch: cutOff }).pipe(
      Effect.filterOrFail((bytes) => bytes.byteLength <= max_bytes, () => new TooLarge({ max_bytes })))
  }
  return Effect.flatMap(limitedStream(request, max_bytes), ({ stream, failure }) => Effect.tryPromise({
    try: async () => {
      const parts: Array<Uint8Array> = []
      for await (const part of stream as unknown as AsyncIterable<Uint8Array>) parts.push(part)
      const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
      let at = 0
      for (const part of parts) {
        all.set(part, at)
        at += part.byteLength
      }
      return all
    },
    catch: () => failure() ?? cutOff(),
  }))
}

const decoder = new TextDecoder("utf-8", { fatal: true })

/** The body as text; it must be UTF-8. */
export const readText = (request: Request, max_bytes: number): Effect.Effect<string, TooLarge | BadRequest> =>
  Effect.flatMap(readBytes(request, Math.min(max_bytes, MAX_TEXT_BODY_BYTES)), (bytes) =>
    Effect.try({ try: () => decoder.decode(bytes), catch: () => new BadRequest({ detail: "the body is not UTF-8 text" }) }))

export const parseJson = (text: string): Effect.Effect<unknown, BadRequest> => Effect.try({
  try: () => JSON.parse(text) as unknown,
  catch: (cause) => new BadRequest({ detail: text.trim() === "" ? "the body is empty; send a JSON object" : `the body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}` }),
})

/** The value in the schema's type, or every wrong place of it. */
export const checked = <T, E>(schema: Schema.Codec<T, E>, value: unknown): Effect.Effect<T, InvalidInput> => Effect.suspend(() => {
  const result = checkValue(schema, value)
  if (result.value !== null) return Effect.succeed(result.value)
  const errors = result.wrong.map(({ path, message }) => ({ path: pathText(path), message }))
  return Effect.fail(invalid(errors))
})

const MAX_ERRORS = 100
const MAX_DETAIL_CHARS = 2_000

/** The 422 of a list of wrong places; a hundred of them are enough. */
export const invalid = (errors: ReadonlyArray<InputIssue>): InvalidInput => {
  const kept = errors.slice(0, MAX_ERRORS)
  const more = errors.length > kept.length ? [{ path: "", message: `and ${errors.length - kept.length} more` }] : []
  const detail = kept.map((e) => (e.path === "" ? e.message : `${e.path}: ${e.message}`)).join("; ")
  return new InvalidInput({ detail: detail.length > MAX_DETAIL_CHARS ? `${detail.slice(0, MAX_DETAIL_CHARS)}…` : detail, errors: [...kept, ...more] })
}

/** A JSON body of the schema's type. */
export const readJson = <T, E>(schema: Schema.Codec<T, E>, request: Request, max_bytes: number): Effect.Effect<T, TooLarge | BadRequest | WrongMediaType | InvalidInput> => {
  const type = mediaType(request)
  const empty = type === "" && request.body === null
  if (type !== "application/json" && !empty) return Effect.fail(new WrongMediaType({ got: type, accepted: ["application/json"] }))
  return readText(request, max_bytes).pipe(Effect.flatMap(parseJson), Effect.flatMap((value) => checked(schema, value)))
}
