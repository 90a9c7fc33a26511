// Ready scripts of the scripted model, by the name in `SCENARIO:name`. A test adds its own with `define` or the
// `scenarios` option; these are the ones that several suites and the benches share.
import type { Answer, Script } from "./scriptedLlm.ts"

export const complete = (output: string): Answer => ({ calls: [["transition", { next: "COMPLETE", output }]] })

/** One `Read` a turn, then the movement ends: the script of the turn benches. */
export const readTurns = (turns: number, path = "input/notes.txt"): Script => ({ step }) =>
  step < turns ? { calls: [["Read", { path, offset: step + 1 }]] } : complete("read everything")

/** Fails the first `times` requests of a run with `failure`, then plays `script`. */
export const failFirst = (times: number, failure: Answer | Script, script: Script): Script => (context) =>
  context.nth < times ? (typeof failure === "function" ? failure(context) : failure) : script(context)

/** `chunks` chunks of text, one every `delay_ms`, then the movement ends. */
export const slowText = (chunks: number, delay_ms: number): Answer => ({ content: "word ".repeat(chunks), chunk_chars: 5, delay_ms, calls: [["transition", { next: "COMPLETE", output: "slow" }]] })

const sum: Script = ({ step }) =>
  step === 0 ? { content: "Reading.", calls: [["Read", { path: "input/notes.txt" }]] }
    : step === 1 ? { calls: [["Write", { path: "output/summary.md", content: "one\ntwo\nthree\n" }]] }
      : complete("three lines written")

export const builtInScenarios: Readonly<Record<string, Script>> = {
  default: () => "hello",
  complete: () => complete("done"),
  abort: () => ({ calls: [["transition", { next: "ABORT", output: "it cannot be done" }]] }),
  sum,
  turns3: readTurns(3),
  turns20: readTurns(20),
  text_only: () => "I think it is done.",
  empty: () => ({}),
  unknown_tool: ({ step }) => (step === 0 ? { calls: [["NoSuchTool", { a: 1 }]] } : complete("recovered")),
  /** jsonrepair can mend this one (a missing brace). */
  malformed: ({ step }) => (step === 0 ? { calls: [["Read", '{"path": "input/notes.txt"']] } : complete("recovered")),
  /** Nothing can mend this one. */
  hopeless: ({ step }) => (step === 0 ? { calls: [["Read", "<<not json at all>>"]] } : complete("recovered")),
  loop: () => ({ calls: [["Read", { path: "input/notes.txt" }]] }),
  ask: ({ step, messages }) => (step === 0 ? { calls: [["AskUser", { question: "Which colour?" }]] } : complete(String(messages.at(-1)?.content ?? ""))),
  mixed: ({ step }) => (step === 0 ? { calls: [["Read", { path: "input/missing.txt" }], ["transition", { next: "COMPLETE", output: "too early" }]] } : complete("after the failure")),
  reasoning: () => ({ reasoning: "First I think about it.", ...complete("thought") }),
  progress: () => ({ progress: [0, 512, 1024].map((processed) => ({ processed, total: 1024, time_ms: processed, cache: 0 })), ...complete("prefilled") }),
  slow: () => slowText(400, 100),
  /** Ten seconds of streaming, for jobs that run at once. */
  stream10s: () => slowText(40, 250),
  hang: () => ({ fault: "hang" }),
  stall: () => ({ fault: "stall" }),
  silent: () => ({ fault: "silent" }),
  reset: () => ({ fault: "reset" }),
  cut: () => ({ fault: "cut" }),
  cut_json: () => ({ fault: "cut_json" }),
  cut_before: () => ({ fault: "cut_before" }),
  cut_once: failFirst(1, { fault: "cut_json" }, () => complete("second try")),
  error500: () => ({ status: 500, message: "scripted failure" }),
  error500_twice: failFirst(2, { status: 500 }, () => complete("third try")),
  error400: () => ({ status: 400, message: "scripted bad request" }),
  error401: () => ({ status: 401, message: "scripted: wrong key" }),
  error429_once: failFirst(1, { status: 429, headers: { "retry-after": "1" }, message: "slow down" }, () => complete("waited")),
  no_model: () => ({ status: 404, message: "The model `scripted-9` does not exist", code: "model_not_found" }),
  too_long: () => ({ status: 400, message: "This model's maximum context length is 4096 tokens.", code: "context_length_exceeded" }),
}
