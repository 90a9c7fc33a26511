// The tools that come with the runtime, in the order in which they are offered. `transition` is not among them: the agent
// loop makes and handles it (transition.ts).
import { Read } from "./Read.ts"
import type { Tool } from "./Tool.ts"
import { Write } from "./Write.ts"

export const builtinTools: ReadonlyArray<Tool> = [Read, Write]
