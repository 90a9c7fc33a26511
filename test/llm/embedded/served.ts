// A real engine process with the toy model, for tests that speak HTTP to it, and a small client for its streams.
import { EngineProcess, type ReadyLine } from "../../../src/llm/embedded/process.ts"
import type { RealModel } from "./cache.ts"

export interface Served {
  readonly url: string
  readonly line: ReadyLine
  readonly process: EngineProcess
}

export const serve = async (real: RealModel, context = 2048): Promise<Served> => {
  const process = new EngineProcess({ engineDir: real.engineDir, modelPath: real.modelPath, gpu: false, context, threads: 1, port: 0 })
  const line = await process.ready(60_000, new AbortController().signal)
  return { process, line, url: `http://127.0.0.1:${line.port}` }
}

export interface Chunk {
  readonly choices: ReadonlyArray<{ readonly delta: { readonly content?: string | null; readonly tool_calls?: ReadonlyArray<{ readonly index: number; readonly id?: string; readonly function: { readonly name?: string; readonly arguments: string } }> }; readonly finish_reason: string | null }>
  readonly prompt_progress?: { readonly total: number; readonly cache: number; readonly processed: number }
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly prompt_tokens_details: { readonly cached_tokens: number } }
  readonly error?: { readonly message: string }
}

export interface Whole {
  readonly choices: ReadonlyArray<{ readonly message: { readonly content: string | null; readonly tool_calls?: ReadonlyArray<{ readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }> }; readonly finish_reason: string }>
  readonly usage: NonNullable<Chunk["usage"]>
  readonly error?: { readonly message: string; readonly code: string | null; readonly param: string | null; readonly type: string }
}

export const post = (served: Served, body: unknown, signal?: AbortSignal): Promise<Response> =>
  fetch(`${served.url}/v1/chat/completions`, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers: { "content-type": "application/json" }, ...(signal === undefined ? {} : { signal }) })

export const ask = async (served: Served, body: unknown): Promise<Whole> => {
  const response = await post(served, body)
  return response.json() as Promise<Whole>
}

/** The chunks of a streamed answer as they come; ends at `[DONE]`. */
export async function* stream(served: Served, body: Record<string, unknown>, signal?: AbortSignal): AsyncGenerator<Chunk> {
  const response = await post(served, { ...body, stream: true }, signal)
  const decoder = new TextDecoder()
  let text = ""
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const data = text.slice(0, end).replace(/^data: /, "")
      text = text.slice(end + 2)
      if (data === "[DONE]") return
      yield JSON.parse(data) as Chunk
    }
  }
}

export const health = async (served: Served): Promise<{ readonly busy: boolean; readonly waiting: number }> =>
  (await fetch(`${served.url}/health`)).json() as Promise<{ busy: boolean; waiting: number }>
