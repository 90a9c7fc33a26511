// Asks the person. The call itself only says what is asked: the job parks, and the answer becomes this call's result
// (Q14). The arguments stay in the journal, where a deadline and its default answer are read from.
import { Effect } from "effect"
import type { Tool } from "./Tool.ts"

export const AskUser: Tool = {
  name: "AskUser",
  description: "Ask the person a question and wait for the answer. Only when you cannot go on without it.",
  input: {
    type: "object",
    properties: {
      question: { type: "string", minLength: 1, maxLength: 4000 },
      options: { type: "array", items: { type: "string", minLength: 1, maxLength: 200 }, maxItems: 20, description: "Suggested answers" },
      default: { type: "string", maxLength: 4000, description: "What you would do without an answer" },
      deadline_seconds: { type: "integer", minimum: 1, description: "After how long the default may be taken" },
    },
    required: ["question"],
    additionalProperties: false,
  },
  effect: "idempotent",
  timeout_ms: 10_000,
  run: (args) => {
    const { question, options = [], default: fallback } = args as { question: string; options?: ReadonlyArray<string>; default?: string }
    return Effect.succeed({ _tag: "Ask", question: fallback === undefined ? question : `${question}\n(Without an answer I would take: ${fallback})`, options })
  },
}
