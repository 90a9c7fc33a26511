// Every error answer of the HTTP surface: `application/problem+json` (RFC 9457). The one table from an error's tag to its
// status stands here; services and routes know no status. Called by app.ts for every failed route.
import { Schema } from "effect"
import type { Conflict, IllegalMove, InputIssue, InvalidInput, LeaseLost, NotFound, StoreError } from "../job/errors.ts"
import type { PathRefused, WorkspaceError } from "../workspace/Workspace.ts"
import { withoutCredentials } from "./views.ts"

/** A request that cannot be understood: broken JSON, a broken upload, a malformed path. */
export class BadRequest extends Schema.TaggedError<BadRequest>()("BadRequest", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}
/** Foreign `Origin`, unknown `Host`, cross-site call, or a caller that is not on this machine (U1). */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { reason: Schema.Literals(["origin", "host", "cross_site", "address"]), detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", { max_bytes: Schema.Int }) {
  override get message() {
    return `the body is larger than ${this.max_bytes} bytes; send less or raise http.max_body_bytes`
  }
}
export class WrongMediaType extends Schema.TaggedError<WrongMediaType>()("WrongMediaType", { got: Schema.String, accepted: Schema.Array(Schema.String) }) {
  override get message() {
    return `the content type is ${this.got === "" ? "missing" : `"${this.got}"`}; send ${this.accepted.join(" or ")}`
  }
}
export class RangeOutside extends Schema.TaggedError<RangeOutside>()("RangeOutside", { bytes: Schema.Int }) {
  override get message() {
    return `the file has ${this.bytes} bytes; ask for a range inside it`
  }
}
export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}
export class NoSuchRoute extends Schema.TaggedError<NoSuchRoute>()("NoSuchRoute", { method: Schema.String, path: Schema.String }) {
  override get message() {
    return `no route ${this.method} ${this.path}; /openapi.json lists them all`
  }
}
export class WrongMethod extends Schema.TaggedError<WrongMethod>()("WrongMethod", { method: Schema.String, allow: Schema.Array(Schema.String) }) {
  override get message() {
    return `${this.method} is not allowed here; allowed: ${this.allow.join(", ")}`
  }
}

/** Whatever a route may fail with. */
export type Failure =
  | BadRequest | Refused | TooLarge | WrongMediaType | RangeOutside | NotReady | NoSuchRoute | WrongMethod
  | InvalidInput | NotFound | Conflict | IllegalMove | LeaseLost | StoreError | PathRefused | WorkspaceError

const TABLE: Record<Failure["_tag"], readonly [status: number, title: string]> = {
  BadRequest: [400, "The request cannot be understood"],
  PathRefused: [400, "This path is not allowed"],
  Refused: [403, "This caller is not allowed"],
  NotFound: [404, "Not found"],
  NoSuchRoute: [404, "Not found"],
  WrongMethod: [405, "Method not allowed"],
  Conflict: [409, "The state does not allow this"],
  IllegalMove: [409, "The state does not allow this"],
  LeaseLost: [409, "The state does not allow this"],
  TooLarge: [413, "The body is too large"],
  WrongMediaType: [415, "The content type is not supported"],
  RangeOutside: [416, "The range lies outside the file"],
  InvalidInput: [422, "The input is not valid"],
  WorkspaceError: [500, "The workspace cannot be used"],
  StoreError: [500, "The database refused"],
  NotReady: [503, "Not ready"],
}

/** Reasons of a StoreError after which the same call may succeed later, and the full disk. */
const STORE_STATUS: Partial<Record<StoreError["reason"], number>> = { busy: 503, unreachable: 503, closed: 503, full: 507 }

export const statusOf = (failure: Failure): number =>
  failure._tag === "StoreError" ? STORE_STATUS[failure.reason] ?? TABLE.StoreError[0] : TABLE[failure._tag][0]

const slug = (tag: string) => tag.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()

const answer = (status: number, type: string, title: string, detail: string, errors: ReadonlyArray<InputIssue> | null, headers: Record<string, string>): Response =>
  new Response(JSON.stringify({ type, title, status, detail, ...(errors === null ? {} : { errors }) }), {
    status, headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  })

const headersOf = (failure: Failure, status: number): Record<string, string> => {
  if (failure._tag === "WrongMethod") return { allow: failure.allow.join(", ") }
  if (failure._tag === "RangeOutside") return { "content-range": `bytes */${failure.bytes}` }
  // What is left of an upload that is too large is not read; the connection cannot be used again.
  if (failure._tag === "TooLarge") return { connection: "close" }
  return status === 503 ? { "retry-after": "1" } : {}
}

export const problemResponse = (failure: Failure): Response => {
  const status = statusOf(failure)
  const errors = failure._tag === "InvalidInput" ? failure.errors : null
  return answer(status, `urn:attacca:problem:${slug(failure._tag)}`, TABLE[failure._tag][1], withoutCredentials(failure.message), errors, headersOf(failure, status))
}

/** The answer to a bug: says nothing of its inside; the cause is in the log under `request_id`. */
export const defectResponse = (request_id: string): Response =>
  answer(500, "urn:attacca:problem:internal", "Something went wrong here", `the server's log has the details under request ${request_id}`, null, {})
