// Writes a whole file, through a temporary file and a rename, synced before the answer: the journal will say that this
// call is done. `content` may be a list of lines, which small models fill in more reliably than one long text.
import { Buffer } from "node:buffer"
import { replaceFile } from "../workspace/files.ts"
import { attemptWhole, ToolFailure } from "./attempt.ts"
import { shown } from "./place.ts"
import { counted, lineCount } from "./text.ts"
import { output, type Tool } from "./Tool.ts"

export const MAX_WRITE_BYTES = 10 * 1024 * 1024

/** A list of lines becomes text that ends with a newline; a text stays as it is. */
export const textOf = (content: string | ReadonlyArray<string>): string =>
  typeof content === "string" ? content : content.length === 0 ? "" : `${content.join("\n")}\n`

export const Write: Tool = {
  name: "Write",
  description: "Write a file in the workspace, usually under output/. Replaces the whole file; folders on the way are made. content is the text, or a list of lines.",
  input: {
    type: "object",
    properties: {
      path: { type: "string", minLength: 1, description: "File, relative to the workspace, for example output/summary.md" },
      content: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }], description: "The whole text of the file, or its lines" },
    },
    required: ["path", "content"],
    additionalProperties: false,
  },
  effect: "idempotent",
  timeout_ms: 60_000,
  run: (args, context) => attemptWhole(async () => {
    const { path, content } = args as { path: string; content: string | ReadonlyArray<string> }
    const text = textOf(content)
    const bytes = Buffer.from(text)
    if (bytes.length > MAX_WRITE_BYTES) {
      throw new ToolFailure(`the content has ${counted(bytes.length, "byte")}; one file may have ${counted(MAX_WRITE_BYTES, "byte")} at most; write it in parts to several files`)
    }
    const real = await context.resolve(path, "write")
    const written = await replaceFile(context.workspace, real, [bytes], { durable: true })
    return output(`${written.existed ? "replaced" : "wrote"} ${shown(context, real)}: ${counted(lineCount(text), "line")}, ${counted(bytes.length, "byte")}`)
  }),
}
