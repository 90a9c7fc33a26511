// Following as the commands do it: with Ctrl-C as a question, and `--json` as silence until the end.
import { ask } from "./api.ts"
import { has } from "./arguments.ts"
import { CommandFailure, EXIT_LEFT } from "./failure.ts"
import { followTask } from "./follow.ts"
import type { FollowOptions } from "./follow.ts"
import { askChoice, leftText } from "./interrupt.ts"
import { silent } from "./output.ts"
import type { Context } from "./run.ts"
import type { Task } from "./shapes.ts"

type What = Pick<FollowOptions, "task_id" | "job_id" | "since">

/** Cancels; that the task has ended meanwhile is no failure, the end is what is shown next. */
const cancel = async (context: Context, task_id: number): Promise<void> => {
  try {
    await ask<Task>(context.base, `/api/tasks/${task_id}/cancel`, { method: "POST" })
  } catch (cause) {
    if (!(cause instanceof CommandFailure)) throw cause
    context.out.line(cause.message)
  }
}

/** The exit code of the task's end, or of leaving. */
export const watch = async (context: Context, what: What): Promise<number> => {
  const quiet = has(context.args, "json")
  let since = what.since
  for (;;) {
    const stop = new AbortController()
    let off = context.around.onInterrupt(() => stop.abort())
    const followed = await followTask({ base: context.base, ...what, ...(since === undefined ? {} : { since }), out: quiet ? silent : context.out, signal: stop.signal }).finally(() => off())
    if (!followed.left) {
      context.json(followed.task)
      return followed.exit_code
    }
    if (quiet) return EXIT_LEFT
    since = followed.last_at ?? since
    const second = new AbortController()
    off = context.around.onInterrupt(() => second.abort())
    const choice = await askChoice(what.task_id, context.around.stdin, context.out, second.signal).finally(() => off())
    if (choice === "leave") {
      context.out.line(leftText(what.task_id))
      return EXIT_LEFT
    }
    if (choice === "cancel") await cancel(context, what.task_id)
  }
}
