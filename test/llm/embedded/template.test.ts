import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { beforeEach, describe, expect, it } from "vitest"
import type { Message, ToolDefinition } from "../../../src/llm/embedded/request.ts"
import type { Template } from "../../../src/llm/embedded/runtime.ts"
import { ChatTemplate, dialectOf, NATIVE, PLAIN } from "../../../src/llm/embedded/template.ts"
import { realModel } from "./cache.ts"

const { model: real, reason } = await realModel()
const jinja = real === null ? null : await import(pathToFileURL(join(real.engineDir, "node_modules/@huggingface/jinja/dist/index.js")).href) as { readonly Template: new (source: string) => Template }
const make = (source: string | null) => new ChatTemplate(source, (text) => new (jinja ?? expect.fail("skipped")).Template(text), { bos_token: "<s>", eos_token: "</s>" })

const say = (role: Message["role"], content: string, over: Partial<Message> = {}): Message => ({ role, content, calls: [], tool_call_id: null, ...over })
const tools: ReadonlyArray<ToolDefinition> = [
  { name: "Write", description: "Writes a file.", parameters: { type: "object", properties: { path: { enum: ["a.md", "b.md"] }, lines: { type: "array", items: { type: "string" } } }, required: ["path"] } },
]
const history = [
  say("system", "Rules."), say("user", "Do it."), say("assistant", "", { calls: [{ id: "c1", name: "Write", arguments: { path: "a.md", lines: ["x"] } }] }),
  say("tool", "wrote a.md", { tool_call_id: "c1" }),
]
const CHATML = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
const WITH_TOOLS = "{% if tools %}TOOLS {{ tools | tojson }}\n{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>\n{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}\n{% endfor %}<|assistant|>{% if not enable_thinking %}<think></think>{% endif %}"

describe("the dialect of a template", () => {
  it("is native where it knows tools in the form of JSON in marks, else plain", () => {
    expect(dialectOf(WITH_TOOLS)).toBe(NATIVE)
    expect([dialectOf(null), dialectOf(CHATML), dialectOf("{{ tools }} <tool_call><function=x>")]).toEqual([PLAIN, PLAIN, PLAIN])
  })
})

describe("a prompt", () => {
  beforeEach((ctx) => {
    if (real === null) ctx.skip(reason)
  })
  it("tells tools, calls and results in words where the template knows none", () => {
    const { text, dialect } = make(CHATML).render(history, tools, false)
    expect(dialect).toBe(PLAIN)
    expect(text).toBe([
      "<|system|>Rules.\n\nTools:\n- Write(path: \"a.md\" or \"b.md\", lines?: list of string): Writes a file.\n\nTo use a tool, answer with one JSON object: {\"name\": TOOL, \"arguments\": {...}}",
      "<|user|>Do it.", "<|assistant|>{\"name\": \"Write\", \"arguments\": {\"path\": \"a.md\", \"lines\": [\"x\"]}}", "<|user|>Result of Write:\nwrote a.md", "<|assistant|>",
    ].join("\n"))
    expect(make(CHATML).render([say("user", "Hi")], tools, false).text.startsWith("<|system|>Tools:")).toBe(true)
  })

  it("uses the template's own tools and calls, written as the engine writes them", () => {
    const { text, dialect } = make(WITH_TOOLS).render(history, tools, false)
    expect(dialect).toBe(NATIVE)
    expect(text).toContain("TOOLS [{\"type\": \"function\", \"function\": {\"name\": \"Write\"")
    expect(text).toContain("<tool_call>\n{\"name\": \"Write\", \"arguments\": {\"path\": \"a.md\", \"lines\": [\"x\"]}}\n</tool_call>")
    expect(text.endsWith("<think></think>")).toBe(true)
    expect(make(WITH_TOOLS).render(history, [], true).text).not.toMatch(/TOOLS|think/)
  })

  it("does with one role after the other where the template asks for it", () => {
    const strict = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    expect(make(strict).render([say("system", "Rules."), say("user", "Hi")], [], false).text).toBe("[user]Rules.\n\nHi")
    expect(() => make("{{ raise_exception('never') }}").render([say("user", "Hi")], [], false)).toThrow(/refuses these messages: .*never/)
  })

  it("is plain talk without a template", () => {
    expect(make(null).render([say("system", "Rules."), say("user", "Hi")], [], false)).toEqual({ text: "Rules.\n\nUser: Hi\n\nAssistant:", dialect: PLAIN, stop: ["\n\nUser:"] })
  })
})
