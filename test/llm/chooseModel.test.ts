import { expect, test } from "vitest"
import { chooseModel, isChatModel } from "../../src/llm/chooseModel.ts"

test("the piece's model, then the worker's, then the first offered, with a line that says so", () => {
  const offered = ["a", "b", "c"]
  expect(chooseModel({ required: "c", configured: "b", offered })).toEqual({ model: "c", note: null })
  expect(chooseModel({ required: null, configured: "b", offered })).toEqual({ model: "b", note: null })
  expect(chooseModel({ required: null, configured: null, offered })).toEqual({ model: "a", note: null })
  expect(chooseModel({ required: "x", configured: "b", offered })).toEqual({ model: "b", note: "the model x is not offered; using b" })
  expect(chooseModel({ required: null, configured: "y", offered })).toEqual({ model: "a", note: "the model y is not offered; using a" })
})

test("an empty list means not known: the named model is tried", () => {
  expect(chooseModel({ required: "x", configured: "b", offered: [] })).toEqual({ model: "x", note: null })
  expect(chooseModel({ required: null, configured: "b", offered: [] })).toEqual({ model: "b", note: null })
  expect(chooseModel({ required: null, configured: null, offered: [] })).toEqual({ model: "", note: null })
})

test("a name without a tag means latest, and models that cannot chat are not the first choice", () => {
  expect(chooseModel({ required: null, configured: "qwen3", offered: ["llama3:8b", "qwen3:latest"] }).model).toBe("qwen3:latest")
  expect(chooseModel({ required: null, configured: null, offered: ["bge-m3", "qwen3:8b"] }).model).toBe("qwen3:8b")
  expect(["nomic-embed-text", "BAAI/bge-large", "jina-reranker", "whisper-1", "intfloat/e5-small", "all-minilm:l6"].map(isChatModel)).not.toContain(true)
  expect(["qwen3:8b", "albert-chat", "gemma3", "meta-llama/Llama-3.1-8B", "gpt-oss:20b", "clipper"].map(isChatModel)).not.toContain(false)
})
