// Marks one item of a checklist, by its number or its text; without a list's name the one changed last is meant.
import { attemptWhole, ToolFailure } from "./attempt.ts"
import { checklistNamed, checklists, inTurn, itemAt, MAX_ITEM_CHARS, rendered, store, type Checklist } from "./checklist.ts"
import { output, type Tool } from "./Tool.ts"

interface CheckArguments {
  readonly item: number | string
  readonly done: boolean
  readonly checklist?: string
  readonly note?: string
}

const meantList = (workspace: string, name: string | undefined): Checklist => {
  const found = name === undefined ? checklists(workspace)[0] ?? null : checklistNamed(workspace, name)
  if (found !== null) return found
  const names = checklists(workspace).map((list) => JSON.stringify(list.name))
  throw new ToolFailure(names.length === 0 ? "there is no checklist yet; make one with CreateChecklist" : `there is no checklist ${JSON.stringify(name)}; there are: ${names.join(", ")}`)
}

export const CheckItem: Tool = {
  name: "CheckItem",
  description: "Mark an item of a checklist as done or not done.",
  input: {
    type: "object",
    properties: {
      item: { anyOf: [{ type: "integer", minimum: 1 }, { type: "string", minLength: 1 }], description: "The item's number, from 1, or its text" },
      done: { type: "boolean" },
      checklist: { type: "string", minLength: 1, description: "Name of the checklist; default: the one changed last" },
      note: { type: "string", maxLength: MAX_ITEM_CHARS, description: "A word on how it went" },
    },
    required: ["item", "done"],
    additionalProperties: false,
  },
  effect: "idempotent",
  timeout_ms: 30_000,
  run: (args, context) => attemptWhole(() => inTurn(context.workspace, async () => {
    const { item, done, checklist, note } = args as unknown as CheckArguments
    const list = meantList(context.workspace, checklist)
    const index = itemAt(list, item)
    const marked = { ...list, items: list.items.map((each, at) => (at === index ? { ...each, done, ...(note === undefined ? {} : { note }) } : each)) }
    await store(context, marked)
    return output(rendered(marked))
  })),
}
