// The tools that come with the runtime, in the order in which they are offered. `transition` is not among them: the agent
// loop makes and handles it (transition.ts).
import { AskUser } from "./AskUser.ts"
import { CheckItem } from "./CheckItem.ts"
import { CreateChecklist } from "./CreateChecklist.ts"
import { Edit } from "./Edit.ts"
import { Glob } from "./Glob.ts"
import { Grep } from "./Grep.ts"
import { Ls } from "./Ls.ts"
import { Read } from "./Read.ts"
import type { Tool } from "./Tool.ts"
import { Write } from "./Write.ts"

export const builtinTools: ReadonlyArray<Tool> = [Read, Ls, Glob, Grep, Write, Edit, CreateChecklist, CheckItem, AskUser]
