// The directory of a task's work: `input/`, `output/`, `logs/` under `{data_dir}/workspaces/{workspace}`. `workspace` is the
// directory name that the task was submitted with, made and filled with the uploads before, so that no job can be claimed
// without its files; a directory without a task is harmless. Holds the path jail that tools and the file routes share, and
// the readable files that a run leaves behind (P17, Q12).
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { mkdirSync, realpathSync, statSync } from "node:fs"
import { rm } from "node:fs/promises"
import { Buffer } from "node:buffer"
import { join } from "node:path"
import { ACTIVITY_LOG, makeActivityLog } from "./activity.ts"
import { PathRefused, plainWords, quoted, workspaceError, type WorkspaceError } from "./errors.ts"
import { appendTo, openFolder, replaceFile } from "./files.ts"
import { lastPart, resolveInside } from "./jail.ts"
import { listFiles } from "./listing.ts"

export { PathRefused, WorkspaceError } from "./errors.ts"

export interface FileEntry {
  /** Relative to the workspace, with `/`. */
  readonly path: string
  readonly bytes: number
  /** Milliseconds since the epoch. */
  readonly modified_at: number
}

export interface WorkspaceShape {
  /** Makes the directories if they are missing and answers the workspace's real path. */
  readonly open: (workspace: string) => Effect.Effect<string, WorkspaceError>
  readonly root: (workspace: string) => string
  /** The jail (T1): the absolute real path, or PathRefused. `write` refuses `input/` and `logs/`. */
  readonly resolve: (workspace: string, path: string, access: "read" | "write") => Effect.Effect<string, PathRefused>
  readonly list: (workspace: string, folder: "input" | "output") => Effect.Effect<ReadonlyArray<FileEntry>, WorkspaceError>
  /** Stores an upload under `input/`; the name is reduced to its last part, written to a temporary file and renamed. */
  readonly upload: (workspace: string, name: string, body: ReadableStream<Uint8Array> | Uint8Array) => Effect.Effect<FileEntry, PathRefused | WorkspaceError>
  readonly remove: (workspace: string) => Effect.Effect<void, WorkspaceError>
  /** One line of `logs/activity.log`; buffered, written in the background, never fails the run. */
  readonly log: (workspace: string, line: string) => void
  /** Appends lines to `logs/lessons.jsonl` or replaces `logs/{name}`. */
  readonly appendLessons: (workspace: string, lines: ReadonlyArray<unknown>) => Effect.Effect<void, WorkspaceError>
  readonly writeLog: (workspace: string, name: string, text: string) => Effect.Effect<void, WorkspaceError>
}

export class Workspace extends Context.Service<Workspace, WorkspaceShape>()("attacca/workspace/Workspace") {
  /** `root`: the folder of all workspaces, made if it is missing. */
  static readonly layer = (options: WorkspaceOptions): Layer.Layer<Workspace, WorkspaceError> => Layer.effect(Workspace, make(options))
}

export interface WorkspaceOptions {
  readonly root: string
}

const FOLDERS = ["input", "output", "logs"] as const
const MAX_OPEN_KNOWN = 10_000
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

const make = (options: WorkspaceOptions): Effect.Effect<WorkspaceShape, WorkspaceError, Scope.Scope> => Effect.gen(function*() {
  const home = yield* Effect.try({
    try: () => {
      mkdirSync(options.root, { recursive: true })
      return realpathSync.native(options.root)
    },
    catch: workspaceError(`the workspaces' folder ${options.root} cannot be made`),
  })
  // A directory name comes from the database, never from a request; anything else is a bug.
  const root = (workspace: string): string => {
    if (!NAME.test(workspace)) throw new Error(`not the name of a workspace: ${quoted(workspace)}`)
    return join(home, workspace)
  }
  const context = yield* Effect.context()
  const activity = yield* Effect.acquireRelease(
    Effect.sync(() => makeActivityLog({
      root,
      onError: (cause) => void Effect.runForkWith(context)(Effect.logWarning(`${ACTIVITY_LOG} cannot be written: ${plainWords(cause)}; further failures are not reported`)),
    })),
    (log) => Effect.sync(() => log.close()),
  )
  const known = new Set<string>()

  const open = (workspace: string): string => {
    const at = root(workspace)
    if (known.has(workspace) && statSync(at, { throwIfNoEntry: false }) !== undefined) return at
    for (const folder of FOLDERS) mkdirSync(join(at, folder), { recursive: true })
    if (known.size >= MAX_OPEN_KNOWN) known.clear()
    known.add(workspace)
    return at
  }

  const append = (workspace: string, name: string, text: string): void => {
    const logs = openFolder(root(workspace), ["logs"])
    try {
      appendTo(logs, name, text)
    } finally {
      logs.close()
    }
  }

  return Workspace.of({
    open: (workspace) => Effect.try({ try: () => open(workspace), catch: workspaceError("the workspace cannot be made") }),
    root,
    resolve: (workspace, path, access) => Effect.suspend(() => {
      try {
        const real = resolveInside(root(workspace), path, access)
        if (real.startsWith(`${root(workspace)}/logs`)) activity.flush(workspace) // a reader sees every line logged before
        return Effect.succeed(real)
      } catch (cause) {
        return cause instanceof PathRefused ? Effect.fail(cause) : Effect.die(cause)
      }
    }),
    list: (workspace, folder) => Effect.tryPromise({
      try: (signal) => listFiles(root(workspace), folder, signal),
      catch: workspaceError(`${folder}/ cannot be listed`),
    }),
    upload: (workspace, name, body) => store(root(workspace), name, body),
    remove: (workspace) => Effect.tryPromise({
      try: () => {
        activity.forget(workspace)
        known.delete(workspace)
        return rm(root(workspace), { recursive: true, force: true })
      },
      catch: workspaceError("the workspace cannot be removed"),
    }),
    log: activity.log,
    appendLessons: (workspace, lines) => lines.length === 0 ? Effect.void : Effect.try({
      try: () => append(workspace, "lessons.jsonl", lines.map((line) => `${JSON.stringify(line) ?? "null"}\n`).join("")),
      catch: workspaceError("logs/lessons.jsonl cannot be written"),
    }),
    writeLog: (workspace, name, text) => Effect.tryPromise({
      try: async (signal) => {
        activity.flush(workspace)
        const at = root(workspace)
        await replaceFile(at, resolveInside(at, `logs/${lastPart(name)}`, "own"), [Buffer.from(text)], { durable: false, signal })
      },
      catch: workspaceError(`logs/${name} cannot be written`),
    }),
  })
})

/** Stops reading the body when the signal fires, also while the next chunk is awaited. */
const chunksOf = async function*(body: ReadableStream<Uint8Array> | Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) return yield body
  const reader = body.getReader()
  const stop = () => reader.cancel(signal.reason).catch(() => undefined) // the body is given up either way
  signal.addEventListener("abort", stop, { once: true })
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } finally {
    signal.removeEventListener("abort", stop)
    await stop()
    reader.releaseLock()
  }
}

const store = (root: string, given: string, body: ReadableStream<Uint8Array> | Uint8Array): Effect.Effect<FileEntry, PathRefused | WorkspaceError> =>
  Effect.tryPromise({
    try: async (signal) => {
      const path = `input/${lastPart(given)}`
      const stored = await replaceFile(root, join(root, path), chunksOf(body, signal), { durable: true, signal })
      return { path, bytes: stored.bytes, modified_at: stored.modified_at }
    },
    catch: (cause) => cause instanceof PathRefused ? cause : workspaceError(`the upload ${quoted(given)} cannot be stored`)(cause),
  })
