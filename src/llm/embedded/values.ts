// Small questions about values that came from outside. Pure.

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value)

export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
