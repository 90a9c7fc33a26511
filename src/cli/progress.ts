// Turns the events of a task into what a person watches: movements, streamed text, tool calls with arguments and duration,
// model calls with the context gauge, retries and questions. Holds only what is open: the text of the running turn and the
// calls that have not ended. Called by follow.ts with one event at a time, in order.
import type { Output } from "./output.ts"
import type { TaskEvent } from "./shapes.ts"
import { callText, clean, duration, fit, gauge, number, oneLine, percent } from "./text.ts"

const text = (value: unknown): string => (typeof value === "string" ? value : "")
const num = (value: unknown): number => (typeof value === "number" ? value : 0)

interface OpenCall {
  readonly name: string
  readonly shown: string
  readonly started_at: number
}

export class Progress {
  /** Text of the running turn that was already written, by job: what the turn's durable event need not repeat. */
  private readonly streamed = new Map<string, string>()
  private readonly calls = new Map<string, OpenCall>()
  private drafting: { readonly name: string; readonly chars: number } | null = null
  private prompt: { readonly processed: number; readonly total: number } | null = null
  private turn: string | null = null
  private context = { used: 0, limit: 0 }
  private movement = ""
  private note = ""
  private reasoning = false
  private readonly started_at = Date.now()

  /** `root_job` is the job that is followed; events of others (sub-jobs) are marked. */
  constructor(private readonly out: Output, private readonly root_job: () => string | null) {}

  show(event: TaskEvent): void {
    const job = text(event.data["job_id"])
    if (event.event !== "context") this.flushTurn()
    switch (event.event) {
      case "status": return this.status(job, event.data)
      case "movement_start": return this.movementStart(job, event.data)
      case "movement_complete": return this.movementEnd(job, event.data)
      case "text": return this.stream(job, text(event.data["text"]))
      case "reasoning": return this.think(text(event.data["text"]))
      case "tool_use_delta": return this.draft(event.data)
      case "tool_use": return this.toolStart(job, event.data)
      case "tool_result": return this.toolEnd(job, event.data)
      case "prompt_progress":
        this.prompt = { processed: num(event.data["processed"]), total: num(event.data["total"]) }
        return this.tick()
      case "llm_call": return this.llmCall(job, event.data)
      case "context": return this.contextUse(job, event.data)
      case "checklist": return this.say(job, "blue", `checklist ${oneLine(text(event.data["name"]), 60)}: ${oneLine(text(event.data["summary"]), 100)}`)
      case "comment": return this.comment(job, event.data)
      case "ask": return this.question(event.data)
      default:
    }
  }

  /** A line about the following itself: why a job waits, a lost connection. Written once for each text. */
  notice(message: string): void {
    if (message === this.note) return
    this.note = message
    if (message !== "") this.out.line(this.out.paint("yellow", clean(message)))
  }

  /** Draws the live line anew; called on a timer while nothing happens. */
  tick(now = Date.now()): void {
    if (!this.out.interactive) return
    const parts = [this.movement === "" ? "" : oneLine(this.movement, 30)]
    const newest = [...this.calls.values()].at(-1)
    if (newest !== undefined) parts.push(`${newest.shown} ${duration(now - newest.started_at)}`)
    else if (this.drafting !== null) parts.push(`writing a call of ${oneLine(this.drafting.name, 40)} (${number(this.drafting.chars)} chars)`)
    else if (this.prompt !== null && this.prompt.processed < this.prompt.total) parts.push(`reading the prompt, ${percent(this.prompt.processed, this.prompt.total)} % of ${number(this.prompt.total)} tokens`)
    else if (this.reasoning) parts.push("thinking")
    if (this.context.limit > 0) parts.push(`context ${gauge(this.context.used, this.context.limit)}`)
    parts.push(duration(Math.floor((now - this.started_at) / 1000) * 1000))
    this.out.live(fit(parts.filter((part) => part !== "").join(" · "), 400))
  }

  /** Takes the live line away and ends an open line. */
  close(): void {
    this.flushTurn()
    this.out.live("")
    this.out.endLine()
  }

  private say(job: string, style: Parameters<Output["paint"]>[0] | null, line: string): void {
    const root = this.root_job()
    const prefix = root !== null && job !== "" && job !== root ? `  [sub-job ${job.slice(0, 8)}] ` : "  "
    this.out.line(prefix + (style === null ? line : this.out.paint(style, line)))
  }

  private status(job: string, data: TaskEvent["data"]): void {
    const status = text(data["status"])
    const reason = clean(text(data["reason"]))
    if (status === "queued" || status === "retry" || status === "running") {
      this.streamed.clear()
      this.calls.clear()
      this.drafting = null
    }
    this.note = ""
    const worker = text(data["worker_id"])
    const attempt = num(data["attempt"])
    const details = [worker === "" ? "" : `on ${oneLine(worker, 60)}`, attempt > 1 ? `attempt ${attempt}` : "", reason === "" || reason === status ? "" : `(${reason})`].filter((one) => one !== "")
    const root = this.root_job()
    if (root !== null && job !== root) return this.say(job, "dim", [status, ...details].join(" "))
    this.out.line(this.out.paint(status === "failed" || status === "retry" ? "yellow" : "dim", [status, ...details].join(" ")))
  }

  private movementStart(job: string, data: TaskEvent["data"]): void {
    this.movement = text(data["movement"])
    if (job === this.root_job() || this.root_job() === null) this.out.line(this.out.paint("bold", `movement ${oneLine(this.movement, 80)}`))
    else this.say(job, "bold", `movement ${oneLine(this.movement, 80)}`)
    this.tick()
  }

  private movementEnd(job: string, data: TaskEvent["data"]): void {
    this.say(job, "dim", `${oneLine(text(data["movement"]), 60)} → ${oneLine(text(data["next"]), 60)}, ${duration(num(data["duration_ms"]))}`)
  }

  private stream(job: string, chunk: string): void {
    this.prompt = null
    this.endReasoning()
    const before = this.streamed.get(job) ?? ""
    this.streamed.set(job, before + chunk)
    const shown = clean(chunk).replaceAll("\n", "\n  ")
    this.out.write(before === "" ? `  ${shown}` : shown)
  }

  private think(chunk: string): void {
    this.prompt = null
    if (!this.out.interactive) return
    const shown = clean(chunk).replaceAll("\n", "\n  ")
    this.out.write(this.out.paint("dim", this.reasoning ? shown : `  ${shown}`))
    this.reasoning = true
  }

  private endReasoning(): void {
    if (this.reasoning) this.out.endLine()
    this.reasoning = false
  }

  private draft(data: TaskEvent["data"]): void {
    this.prompt = null
    this.endReasoning()
    this.out.endLine()
    const name = text(data["name"])
    const chars = (this.drafting?.name === name ? this.drafting.chars : 0) + text(data["chunk"]).length
    this.drafting = { name, chars }
    this.tick()
  }

  private toolStart(job: string, data: TaskEvent["data"]): void {
    this.drafting = null
    const shown = callText(text(data["name"]), data["input"])
    this.calls.set(text(data["call_id"]), { name: text(data["name"]), shown, started_at: Date.now() })
    if (!this.out.interactive) this.say(job, null, `tool ${shown}`)
    else this.tick()
  }

  private toolEnd(job: string, data: TaskEvent["data"]): void {
    const id = text(data["call_id"])
    const call = this.calls.get(id)
    this.calls.delete(id)
    const name = oneLine(text(data["name"]), 60)
    const took = `${duration(num(data["duration_ms"]))}${data["cache_hit"] === true ? ", from the cache" : ""}`
    const failed = data["is_error"] === true
    const what = this.out.interactive ? `${failed ? "✗" : "✓"} ${call?.shown ?? name}` : `tool ${name} ${failed ? "failed" : "ok"}`
    this.say(job, failed ? "red" : "cyan", `${what}, ${took}`)
    if (failed) this.say(job, "red", `  ${oneLine(text(data["output"]), 200)}`)
    this.tick()
  }

  private llmCall(job: string, data: TaskEvent["data"]): void {
    const whole = text(data["text"])
    const seen = this.streamed.get(job) ?? ""
    if (whole !== seen && whole.startsWith(seen)) this.stream(job, whole.slice(seen.length))
    else if (whole !== seen && whole !== "") {
      // The stream was cut and asked again, or this client came in between: what counts is the journaled answer.
      this.out.endLine()
      this.streamed.delete(job)
      this.stream(job, whole)
    }
    this.streamed.delete(job)
    this.endReasoning()
    this.out.endLine()
    this.drafting = null
    this.prompt = null
    const usage = (data["usage"] ?? {}) as Record<string, unknown>
    const cached = num(usage["cached_tokens"])
    const backend = text(data["backend_id"])
    this.turn = `model ${oneLine(text(data["model"]), 60)}${backend === "" ? "" : ` at ${oneLine(backend, 40)}`}, ${duration(num(data["duration_ms"]))}, `
      + `${number(num(usage["prompt_tokens"]))} prompt${cached > 0 ? ` (${number(cached)} cached)` : ""} + ${number(num(usage["completion_tokens"]))} new tokens`
  }

  /** The line of a model call waits for the context figures that follow it, so that both stand in one line. */
  private flushTurn(): void {
    if (this.turn === null) return
    const line = this.turn
    this.turn = null
    this.out.line(`  ${this.out.paint("dim", line)}`)
  }

  private contextUse(job: string, data: TaskEvent["data"]): void {
    this.context = { used: num(data["used_tokens"]), limit: num(data["limit_tokens"]) }
    const action = text(data["action"])
    const figures = `context ${number(this.context.used)} of ${number(this.context.limit)} tokens (${percent(this.context.used, this.context.limit)} %)`
    if (this.turn !== null) this.turn += ` · ${figures}`
    this.flushTurn()
    if (action !== "") this.say(job, "yellow", `context: ${oneLine(action.replaceAll("_", " "), 120)}; now ${figures.slice("context ".length)}`)
    this.tick()
  }

  private comment(job: string, data: TaskEvent["data"]): void {
    // Progress, result and question are shown by their own events.
    if (data["kind"] !== "message" && data["kind"] !== "event") return
    const body = clean(text(data["body"])).trimEnd().replaceAll("\n", "\n    ")
    this.say(job, data["author"] === "system" ? "yellow" : "blue", `${oneLine(text(data["author"]), 20)}: ${body}`)
  }

  private question(data: TaskEvent["data"]): void {
    const options = Array.isArray(data["options"]) ? data["options"].filter((one) => typeof one === "string") : []
    this.out.line(this.out.paint("yellow", `question: ${clean(text(data["question"]))}`))
    for (const option of options) this.out.line(`  - ${clean(option)}`)
  }
}
