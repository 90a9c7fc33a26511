// The directory of a task's work: `input/`, `output/`, `logs/` under `{data_dir}/workspaces/{workspace}`. `workspace` is the
// directory name that the task was submitted with, made and filled with the uploads before, so that no job can be claimed
// without its files; a directory without a task is harmless. Holds the path jail that tools and the file routes share, and
// the readable files that a run leaves behind (P17, Q12).
import { Context, Schema } from "effect"
import type { Effect } from "effect"

/** A path that leads outside the workspace, into a place that may not be written, or to something that is not a plain file. */
export class PathRefused extends Schema.TaggedError<PathRefused>()("PathRefused", { path: Schema.String, detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

export class WorkspaceError extends Schema.TaggedError<WorkspaceError>()("WorkspaceError", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

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

export class Workspace extends Context.Service<Workspace, WorkspaceShape>()("attacca/workspace/Workspace") {}
