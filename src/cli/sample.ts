// The sample task of a very first start: a newcomer sees the main job work, with live progress, the result and the file that
// the model wrote. A client of the node's own HTTP API, like every other task. Called by main.ts; `--no-sample` skips it.
import { ask, submit } from "./api.ts"
import { followTask } from "./follow.ts"
import { outputTo, type Sink } from "./output.ts"
import type { Page, Task, Worker } from "./shapes.ts"
import { clean } from "./text.ts"

const INSTRUCTION = "Read input/notes.txt and write a three-line summary to output/summary.md"
const NOTES = `Garden club, 3 March
The club meets every Tuesday at 6 pm in the town hall.
Anna orders the seeds for tomatoes and beans by Friday.
Paul repairs the water pump; the new part costs 40 euros.
The spring market is on 12 April and every member brings two plants.
`
const LOOK_EVERY_MS = 500
const MAX_SHOWN_CHARS = 4_000

/** A model that is being downloaded may take long; the node serves meanwhile, and the sample starts when it is there. */
const workerReady = async (base: string, signal: AbortSignal, out: ReturnType<typeof outputTo>): Promise<boolean> => {
  while (!signal.aborted) {
    const { items } = await ask<Page<Worker>>(base, "/api/workers", { signal })
    if (items.some((worker) => worker.enabled && worker.healthy)) return true
    if (items.every((worker) => !worker.enabled)) return false
    const [waiting] = items
    out.live(`waiting for a model: ${clean(waiting?.last_error ?? "looking for it")}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return false
}

/** Plays the sample to its end and prints what it gave. Rejects when the node goes away; stops when the signal fires. */
export const playSample = async (base: string, signal: AbortSignal, sink: Sink = process.stdout): Promise<void> => {
  const out = outputTo(sink)
  out.line("")
  out.line(out.paint("bold", "First start: here is a sample task (leave it out with --no-sample)"))
  out.line(`  instruction  ${INSTRUCTION}`)
  for (const [index, line] of NOTES.trimEnd().split("\n").entries()) out.line(`  ${index === 0 ? "notes.txt   " : "            "} ${line}`)
  if (!(await workerReady(base, signal, out))) return
  const task = await submit<Task>(base, () => {
    const form = new FormData()
    form.set("task", JSON.stringify({ instruction: INSTRUCTION, title: "Sample: summarise the garden club's notes" }))
    form.append("files", new Blob([NOTES]), "notes.txt")
    return form
  })
  const followed = await followTask({ base, task_id: task.id, out, signal })
  for (const file of followed.task?.files.output ?? []) {
    const response = await fetch(`${base}/api/tasks/${task.id}/files/${file.path.split("/").map(encodeURIComponent).join("/")}`, { signal })
    out.line(out.paint("bold", `${file.path}:`))
    out.line(clean((await response.text()).slice(0, MAX_SHOWN_CHARS)).trimEnd())
  }
  out.line(followed.left ? "" : out.paint("dim", "The node goes on serving; submit your own task from another terminal with the line above."))
}
