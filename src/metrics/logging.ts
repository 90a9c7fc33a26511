// Structured logs on standard error: one line an event, with the job, task and worker that it belongs to. Text for a
// terminal, JSON for collectors. Values that the settings call secret are masked in every line (S2). Wired by app.ts.
import { Cause, Layer, Logger, References } from "effect"
import type { LogLevel } from "effect"

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error"
  readonly format: "text" | "json"
  readonly node_id: string
  readonly secrets: ReadonlyArray<string>
  readonly write: (line: string) => void
}

const LEVELS: Record<LogOptions["level"], LogLevel.LogLevel> = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" }
/** Shorter values would mask ordinary words. */
const MIN_SECRET_CHARS = 6

export interface LogEvent {
  readonly at: Date
  readonly level: string
  readonly message: string
  readonly cause: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** One line without its end; the message's own line breaks are kept visible but cannot forge another line. */
export const formatLine = (event: LogEvent, options: Pick<LogOptions, "format" | "node_id" | "secrets">): string => {
  const message = [event.message, event.cause].filter((part) => part !== "").join(": ")
  const tags = Object.entries(event.annotations)
  const line = options.format === "json"
    ? JSON.stringify({ at: event.at.toISOString(), level: event.level.toLowerCase(), node: options.node_id, ...event.annotations, message })
    : `${event.at.toISOString().slice(11, 19)} ${event.level.toLowerCase().padEnd(5)} ${tags.length === 0 ? "" : `[${tags.map(([key, value]) => `${key} ${String(value)}`).join(" ")}] `}${message.replace(/\r?\n/g, "\\n")}`
  return options.secrets.filter((secret) => secret.length >= MIN_SECRET_CHARS).reduce((text, secret) => text.replaceAll(secret, "***"), line)
}

const textOf = (message: unknown): string => (Array.isArray(message) ? message : [message]).map((part) => (typeof part === "string" ? part : part instanceof Error ? part.message : JSON.stringify(part))).join(" ")

export const loggingLayer = (options: LogOptions): Layer.Layer<never> => {
  const logger = Logger.make<unknown, void>(({ message, logLevel, cause, date, fiber }) => {
    options.write(formatLine({
      at: date, level: logLevel, message: textOf(message), cause: cause.reasons.length === 0 ? "" : Cause.pretty(cause),
      annotations: fiber.getRef(References.CurrentLogAnnotations),
    }, options))
  })
  return Layer.mergeAll(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, LEVELS[options.level]))
}
