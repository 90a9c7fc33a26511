// Finds files by a glob pattern. Links are not followed; answers are paths that the other tools take as they are.
import { attempt, ToolFailure } from "./attempt.ts"
import { globFilter, treeAt, treeState } from "./tree.ts"
import { counted } from "./text.ts"
import { output, type Tool } from "./Tool.ts"

const MAX_RESULTS = 1000

export const Glob: Tool = {
  name: "Glob",
  description: "Find files by a pattern like **/*.md or input/{a,b}*.csv. * stays within a folder, ** goes through folders.",
  input: {
    type: "object",
    properties: {
      pattern: { type: "string", minLength: 1, description: "Glob pattern" },
      path: { type: "string", minLength: 1, description: "Folder to look in, relative to the workspace; default: the workspace itself" },
    },
    required: ["pattern"],
    additionalProperties: false,
  },
  effect: "read",
  timeout_ms: 30_000,
  run: (args, context) => attempt(async (signal) => {
    const pattern = String(args["pattern"])
    if (pattern.startsWith("/") || pattern.split("/").includes("..")) throw new ToolFailure(`the pattern ${JSON.stringify(pattern)} must stay below the folder: no leading / and no ..`)
    const matches = globFilter(pattern, false)
    const tree = await treeAt(context, String(args["path"] ?? "."), signal)
    const found = tree.files.filter(matches)
    const notes: Array<string> = []
    if (found.length > MAX_RESULTS) notes.push(`… ${counted(found.length - MAX_RESULTS, "more file")}; use a narrower pattern`)
    if (!tree.complete) notes.push("… the folder holds too many entries to see them all; look in one of its folders")
    if (found.length > 0) return output([...found.slice(0, MAX_RESULTS).map((file) => file.path), ...notes].join("\n"))
    const deeper = pattern.includes("/") ? [] : tree.files.filter(globFilter(`**/${pattern}`, false))
    const hint = deeper.length > 0 ? `; **/${pattern} matches ${counted(deeper.length, "file")}` : ""
    return output([`no file matches ${pattern} among ${counted(tree.files.length, "file")} in ${tree.start}${hint}`, ...notes].join("\n"))
  }),
  dependsOn: (args, context) => treeState(context, String(args["path"] ?? "."), false),
}
