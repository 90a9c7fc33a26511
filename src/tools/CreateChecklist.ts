// Makes a checklist, or makes it anew: items that it had before under the same text keep their mark, so that a repeated
// call changes nothing.
import { attemptWhole } from "./attempt.ts"
import { checklistNamed, inTurn, MAX_ITEM_CHARS, MAX_ITEMS, MAX_NAME_CHARS, rendered, store } from "./checklist.ts"
import { output, type Tool } from "./Tool.ts"

export const CreateChecklist: Tool = {
  name: "CreateChecklist",
  description: "Make a checklist of what is to be done. It is shown to the person as progress; mark items with CheckItem.",
  input: {
    type: "object",
    properties: {
      name: { type: "string", minLength: 1, maxLength: MAX_NAME_CHARS, description: "Short name, for example plan" },
      items: { type: "array", items: { type: "string", minLength: 1, maxLength: MAX_ITEM_CHARS }, minItems: 1, maxItems: MAX_ITEMS, description: "One text for each item" },
    },
    required: ["name", "items"],
    additionalProperties: false,
  },
  effect: "idempotent",
  timeout_ms: 30_000,
  run: (args, context) => attemptWhole(() => inTurn(context.workspace, async () => {
    const { name, items } = args as { name: string; items: ReadonlyArray<string> }
    const before = checklistNamed(context.workspace, name)
    const list = { name, items: items.map((text) => before?.items.find((item) => item.text === text) ?? { text, done: false }) }
    await store(context, list)
    return output(rendered(list))
  })),
}
