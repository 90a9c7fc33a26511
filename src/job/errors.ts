// Expected failures that more than one folder speaks of. A service's own errors stand beside the service.
import { Schema } from "effect"

/** A status change that the table in `state.ts` does not allow. */
export class IllegalMove extends Schema.TaggedError<IllegalMove>()("IllegalMove", {
  from: Schema.String,
  to: Schema.String,
  mover: Schema.String,
}) {
  override get message() {
    return `a job that is ${this.from} cannot become ${this.to} (asked by ${this.mover})`
  }
}

/** The database refused or could not be reached. `reason` says whether trying again may help. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  reason: Schema.Literals(["busy", "full", "io", "constraint", "unreachable", "closed", "newer_version", "locked", "read_only", "other"]),
  detail: Schema.String,
}) {
  override get message() {
    return `database: ${this.detail}`
  }
}

/** A guarded write found another fence or status on the row: this run no longer owns its job (Q3). */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", { job_id: Schema.String, fence: Schema.Int }) {}

/** One wrong place in a user's input. `path` names the field; line and column count from 1 where a text was parsed. */
export interface InputIssue {
  readonly path: string
  readonly message: string
  readonly line?: number
  readonly column?: number
}

/** Input that its schema or its rules refuse; every wrong place is listed. */
export class InvalidInput extends Schema.TaggedError<InvalidInput>()("InvalidInput", {
  detail: Schema.String,
  errors: Schema.Array(Schema.Struct({
    path: Schema.String, message: Schema.String, line: Schema.optionalKey(Schema.Int), column: Schema.optionalKey(Schema.Int),
  })),
}) {
  override get message() {
    return this.detail
  }
}

export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { what: Schema.String, id: Schema.String }) {
  override get message() {
    return `no ${this.what} ${this.id}`
  }
}

/** The thing exists but its state does not allow the call. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}
