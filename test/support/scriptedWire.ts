// How an answer of the scripted model goes over the wire: chunks, pauses, faults, usage. Used by `scriptedLlm.ts` only.
import type { RawReply, RawRequest } from "./rawHttp.ts"
import type { Answer, SeenRequest } from "./scriptedLlm.ts"

const JSON_HEAD = { "content-type": "application/json" }
const SSE_HEAD = { "content-type": "text/event-stream", "cache-control": "no-cache" }
/** A close right behind the bytes makes some clients drop them unread; a real cut comes later. */
const CUT_AFTER_MS = 30

export interface Playing {
  readonly seen: SeenRequest
  readonly reply: RawReply
  readonly request: RawRequest
  readonly models: ReadonlyArray<string>
  readonly changed: () => void
  readonly done: () => void
}

export const playAnswer = (answer: Answer, playing: Playing): void => {
  const { reply, seen } = playing
  if (answer.fault === "hang") return
  if (answer.fault === "reset") {
    reply.reset()
    return playing.done()
  }
  const go = (): void => {
    if (reply.closed()) return
    if (answer.body !== undefined) reply.send(answer.status ?? 200, { ...SSE_HEAD, ...answer.headers }, answer.body)
    else if (answer.status !== undefined) reply.send(answer.status, { ...JSON_HEAD, ...answer.headers }, JSON.stringify({ error: { message: answer.message ?? "scripted failure", type: "scripted", ...(answer.code === undefined ? {} : { code: answer.code }) } }))
    else if (seen.body["stream"] !== true) reply.send(200, { ...JSON_HEAD, ...answer.headers }, wholeAnswer(answer, playing))
    else return streamAnswer(answer, playing)
    playing.done()
  }
  if (answer.wait_ms === undefined) go()
  else setTimeout(go, answer.wait_ms)
}

/** Streams the chunks; one that must wait gives the thread back, a fast answer goes out as one write. */
const streamAnswer = (answer: Answer, playing: Playing): void => {
  const { reply, seen } = playing
  const chunks = chunksOf(answer, playing)
  reply.start(200, { ...SSE_HEAD, ...answer.headers })
  const last = (): void => {
    if (answer.fault === "silent" || answer.fault === "stall") return
    if (answer.fault === undefined) {
      reply.end()
      return playing.done()
    }
    const cut = (): void => {
      reply.cut()
      playing.done()
    }
    if (answer.hold !== undefined) void answer.hold.then(cut, cut)
    else setTimeout(cut, CUT_AFTER_MS)
  }
  if (answer.delay_ms === undefined && (answer.hold === undefined || answer.fault !== undefined)) {
    reply.write(chunks.join(""))
    seen.chunks = chunks.length
    return last()
  }
  const step = (i: number): void => {
    if (reply.closed()) return
    const chunk = chunks[i]
    if (chunk === undefined) return last()
    reply.write(chunk)
    seen.chunks++
    playing.changed()
    const next = (): void => step(i + 1)
    if (i === 0 && answer.hold !== undefined && answer.fault === undefined) void answer.hold.then(next, next)
    else if (answer.delay_ms === undefined) next()
    else setTimeout(next, answer.delay_ms)
  }
  step(0)
}

const pieces = (text: string, size: number): Array<string> => {
  const out: Array<string> = []
  for (let at = 0; at < text.length; at += size) out.push(text.slice(at, at + size))
  return out
}

const chunksOf = (answer: Answer, playing: Playing): Array<string> => {
  const { seen } = playing
  if (answer.fault === "silent" || answer.fault === "cut_before") return [""]
  const size = answer.chunk_chars ?? 12
  const model = answer.model ?? modelOf(playing)
  const base = `{"id":"chatcmpl-${seen.index}","object":"chat.completion.chunk","created":0,"model":${JSON.stringify(model)}`
  const delta = (value: object, finish: string | null = null): string => `data: ${base},"choices":[{"index":0,"delta":${JSON.stringify(value)},"finish_reason":${JSON.stringify(finish)}}]}\n\n`
  const out: Array<string> = (answer.progress ?? []).map((progress) => `data: ${base},"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}],"prompt_progress":${JSON.stringify(progress)}}\n\n`)
  out.push(delta({ role: "assistant", content: "" }))
  for (const piece of pieces(answer.reasoning ?? "", size)) out.push(delta({ reasoning_content: piece }))
  const content = pieces(answer.content ?? (answer.fault === undefined ? "" : "half an answer that never ends"), size)
  if (answer.fault === "stall") return [...out, delta({ content: content[0] ?? "then" })]
  if (answer.fault === "cut" || answer.fault === "cut_json") {
    for (const piece of content.slice(0, Math.max(1, content.length >> 1))) out.push(delta({ content: piece }))
    if (answer.fault === "cut_json") out.push(`data: ${base},"choices":[{"ind`)
    return out
  }
  for (const piece of content) out.push(delta({ content: piece }))
  out.push(...callChunks(answer, seen, delta))
  if (answer.stream_error !== undefined) {
    out.push(`data: ${JSON.stringify({ error: answer.stream_error })}\n\n`)
    return out
  }
  const finish = answer.finish === undefined ? (answer.calls?.length ? "tool_calls" : "stop") : answer.finish
  if (finish !== null) out.push(delta({}, finish))
  const usage = usageOf(answer, playing)
  const wanted = (seen.body["stream_options"] as { include_usage?: boolean } | undefined)?.include_usage === true
  if (usage !== null && wanted) out.push(`data: ${base},"choices":[],"usage":${JSON.stringify(usage)}}\n\n`)
  out.push("data: [DONE]\n\n")
  return out
}

const normalCalls = (answer: Answer, index: number) =>
  (answer.calls ?? []).map((call, i) => {
    const { name, args, id } = "name" in call ? { name: call.name, args: call.arguments, id: call.id } : { name: call[0], args: call[1], id: undefined }
    return { name, args, text: typeof args === "string" ? args : JSON.stringify(args), id: id ?? `call_${index}_${i}` }
  })

const callChunks = (answer: Answer, seen: SeenRequest, delta: (value: object) => string): Array<string> => {
  const out: Array<string> = []
  normalCalls(answer, seen.index).forEach((call, index) => {
    const whole = { id: call.id, type: "function", function: { name: call.name, arguments: answer.calls_as === "object" ? call.args : call.text } }
    if (answer.calls_as === "no_index") out.push(delta({ tool_calls: [whole] }))
    else if (answer.calls_as === "whole" || answer.calls_as === "object") out.push(delta({ tool_calls: [{ index, ...whole }] }))
    else {
      out.push(delta({ tool_calls: [{ index, id: call.id, type: "function", function: { name: call.name, arguments: "" } }] }))
      for (const piece of pieces(call.text, 24)) out.push(delta({ tool_calls: [{ index, function: { arguments: piece } }] }))
    }
  })
  return out
}

const modelOf = (playing: Playing): string => {
  const asked = playing.seen.body["model"]
  return typeof asked === "string" && asked !== "" ? asked : (playing.models[0] ?? "scripted-1")
}

/** Four characters a token, like the usual rule of thumb, unless the script says the figures. */
const usageOf = (answer: Answer, playing: Playing): object | null => {
  if (answer.usage === null) return null
  const said = (answer.content ?? "").length + (answer.reasoning ?? "").length + normalCalls(answer, 0).reduce((n, call) => n + call.text.length + call.name.length, 0)
  const prompt = answer.usage?.prompt_tokens ?? Math.ceil(playing.request.body.length / 4)
  const completion = answer.usage?.completion_tokens ?? Math.ceil(said / 4) + 1
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion, prompt_tokens_details: { cached_tokens: answer.usage?.cached_tokens ?? 0 } }
}

const wholeAnswer = (answer: Answer, playing: Playing): string => {
  const calls = normalCalls(answer, playing.seen.index)
  const message = {
    role: "assistant", content: answer.content ?? null, ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.text } })) }),
  }
  return JSON.stringify({
    id: `chatcmpl-${playing.seen.index}`, object: "chat.completion", created: 0, model: answer.model ?? modelOf(playing),
    choices: [{ index: 0, message, finish_reason: answer.finish ?? (calls.length > 0 ? "tool_calls" : "stop") }], usage: usageOf(answer, playing),
  })
}
