// A run for tests of the agent loop: real tools in a real temporary workspace, the journal kept in an array, and a model
// that answers from a script through the LlmClient service, without a network.
import { mkdirSync, mkdtempSync, realpathSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import type { RunPort } from "../../src/agent/run.ts"
import type { DurableEvent } from "../../src/job/event.ts"
import type { Movement, Piece, Rule, ToolEntry } from "../../src/job/piece.ts"
import type { ClaimedJob, Progress } from "../../src/job/record.ts"
import type { JournalEntry } from "../../src/job/turn.ts"
import { type ChatAnswer, type ChatRequest, LlmClient, LlmError } from "../../src/llm/LlmClient.ts"
import { builtinTools } from "../../src/tools/builtin.ts"
import { selectTools, unnarrowed } from "../../src/tools/Toolbox.ts"
import type { OfferedTool } from "../../src/agent/offered.ts"
import { resolveInside } from "../../src/workspace/jail.ts"

export type ScriptAnswer = { readonly text?: string; readonly calls?: ReadonlyArray<readonly [string, unknown]>; readonly usage?: ChatAnswer["usage"] } | LlmError
export type Script = (request: ChatRequest, n: number) => ScriptAnswer

export const rule = (next: string, condition: string | null = null): Rule => ({ if: condition, next, resume: null })
export const entry = (tool: string): ToolEntry => ({ tool, with: {}, narrow: {}, once: false })

export const movementOf = (over: Partial<Movement> = {}): Movement => ({
  name: "work", persona: null, instruction: "Do the task.", tools: ["Read", "Write", "Edit", "Ls"].map(entry),
  rules: [rule("COMPLETE", "it is done"), rule("ABORT", "it cannot be done")], max_turns: 30, timeout_ms: 60_000, ...over,
})
export const pieceOf = (movements: ReadonlyArray<Movement>, over: Partial<Piece> = {}): Piece => ({
  name: "test", description: "a test", initial_movement: movements[0]!.name, max_movements: 20, model: null,
  budget: { turns: null, tokens: null, tool_calls: null, wall_time_ms: null }, movements, ...over,
})
export const offered = (movement: Movement): ReadonlyArray<OfferedTool> =>
  selectTools(builtinTools, movement.tools).offered.map(({ tool }) => ({ ...unnarrowed(tool), once: null }))

const answerOf = (answer: Exclude<ScriptAnswer, LlmError>, n: number): ChatAnswer => ({
  text: answer.text ?? "", reasoning: "", finish_reason: answer.calls ? "tool_calls" : "stop", model: "scripted", backend_id: null, duration_ms: 1, ttft_ms: 1,
  calls: (answer.calls ?? []).map(([name, args], i) => ({ call_id: `call_${n}_${i}`, name, arguments: typeof args === "string" ? args : JSON.stringify(args) })),
  usage: answer.usage === undefined ? { prompt_tokens: 100, completion_tokens: 10, cached_tokens: 0 } : answer.usage,
})

export const scriptedRun = (options: { readonly piece: Piece; readonly script: Script; readonly limit_tokens?: number; readonly ask_count?: number; readonly draining?: () => boolean }) => {
  const workspace = realpathSync(mkdtempSync(join(tmpdir(), "attacca-run-")))
  for (const folder of ["input", "output", "logs"]) mkdirSync(join(workspace, folder))
  const journal: Array<JournalEntry> = []
  const events: Array<DurableEvent> = []
  const requests: Array<ChatRequest> = []
  /** Length of the journal after each commit: where a process may die. */
  const commits: Array<number> = [0]
  let progress: Progress = {
    current_movement: null, current_activity: null, last_backend_id: null, context_used_tokens: 0, context_limit_tokens: 0,
    prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, llm_calls: 0, tool_calls: 0,
  }
  const job = {
    id: "job-1", task_id: 1, attempt: 1, fence: 1, worker_id: "w1", ask_count: options.ask_count ?? 0, resume_movement: null, required_role: "auto",
    task: { instruction: "The task.", ask_policy: "low", output_format: "markdown", workspace: "ws" },
  } as unknown as ClaimedJob
  const run: RunPort = {
    job, piece: options.piece, endpoint: { worker_id: "w1", url: "http://none/v1", api_key: null, model: "scripted" }, context_limit_tokens: options.limit_tokens ?? 32_000,
    limits: { drop_results_ratio: 0.6, summarise_ratio: 0.75, prompt_guard_ratio: 0.9, llm_timeout_ms: 10_000, llm_idle_timeout_ms: 10_000, loop_warn: 3, loop_abort: 5, max_asks: 3 },
    progress: () => progress,
    record: (entries, evs, patch) => Effect.sync(() => {
      journal.push(...structuredClone(entries) as Array<JournalEntry>)
      commits.push(journal.length)
      events.push(...evs)
      progress = { ...progress, ...patch }
    }),
    emit: () => {}, draining: options.draining ?? (() => false), elapsed_ms: () => 0, toolAtWork: () => {}, warn: () => {},
    toolContext: (movement, max_output_chars, emit) => ({
      job_id: "job-1", task_id: 1, movement, workspace, max_output_chars, emit,
      resolve: async (path, access) => resolveInside(workspace, path, access),
    }),
  }
  const llm = Layer.succeed(LlmClient, LlmClient.of({
    chat: (request) => Effect.suspend(() => {
      requests.push(request)
      const answer = options.script(request, requests.length)
      return answer instanceof LlmError ? Effect.fail(answer) : Effect.succeed(answerOf(answer, requests.length))
    }),
  }))
  return { run, llm, workspace, journal, events, requests, commits }
}
