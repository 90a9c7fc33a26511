// From a movement's `tools` to what the agent loop offers: selection, then narrowing against the files that are there now
// (P15). Called by the run at the start of each movement.
import type { OfferedTool } from "../agent/offered.ts"
import type { Movement } from "../job/piece.ts"
import { selectTools, unnarrowed } from "../tools/Toolbox.ts"
import type { Tool } from "../tools/Tool.ts"
import { type NarrowContext, narrowTool } from "./narrow.ts"

/** A call that is asked for over an empty set of values is not offered: there is nothing to call it with. */
const isEmpty = (tool: OfferedTool): boolean => tool.once !== null && tool.once.arg !== null && tool.once.values.length === 0

export const offeredTools = (movement: Movement, tools: ReadonlyArray<Tool>, context: NarrowContext): ReadonlyArray<OfferedTool> =>
  selectTools(tools, movement.tools).offered
    .map(({ tool, entry }): OfferedTool => (entry === null ? { ...unnarrowed(tool), once: null } : narrowTool(tool, entry, context)))
    .filter((tool) => !isEmpty(tool))
