// Why the embedded model cannot be had. The plain classes are thrown inside the folder; `EmbeddedError` is what others see.
import { Schema } from "effect"

/** No answer from where the weights would come from: another source may be tried. */
export class Unreachable extends Error {}

/** The setting is wrong or the file is not what it must be: trying again changes nothing. */
export class WeightsRefused extends Error {}

/** The disk is too full; it may not stay so. */
export class NoSpace extends Error {}

/** engine: the library cannot be installed or started. weights: no model file could be had. settings: `embedded.model` is wrong. */
export class EmbeddedError extends Schema.TaggedError<EmbeddedError>()("EmbeddedError", {
  reason: Schema.Literals(["engine", "weights", "settings"]),
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
  }
}
