// The body of a child process for the tests that kill one: opens the database file named by its argument, submits without
// end, and prints each id as soon as the store has acknowledged it. Some jobs are claimed and finished along the way.
import { writeSync } from "node:fs"
import { Effect } from "effect"
import { JobStore } from "../../src/store/JobStore.ts"
import { claim, finish, openStore, slot, submit, succeeded } from "./database.ts"

const store = openStore(`file:${process.argv[2]}`, { about: "http://127.0.0.1:3999" })
const say = (line: string) => Effect.sync(() => { writeSync(1, `${line}\n`) })

const submitting = submit().pipe(Effect.flatMap(({ id }) => say(`submitted ${id}`)), Effect.forever)
const working = claim([slot(), slot()]).pipe(
  Effect.flatMap((jobs) => Effect.forEach(jobs, (job) => finish(job, succeeded(`result ${job.task_id}`)).pipe(Effect.andThen(say(`finished ${job.task_id}`))), { concurrency: "unbounded" })),
  Effect.forever,
)
await store.runPromise(Effect.andThen(JobStore.use((jobs) => jobs.counts()), say("open")))
await store.runPromise(Effect.all([...Array.from({ length: 8 }, () => submitting), working], { concurrency: "unbounded" }))
