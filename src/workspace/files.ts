// Opens and replaces plain files without trusting a path twice. A read opens with O_NOFOLLOW and O_NONBLOCK (a pipe cannot
// block it) and then asks the system which path the open file really has. A write walks folder by folder over open
// descriptors, so a folder swapped for a link between check and use is never followed. Where /proc is missing (macOS)
// the second look is a realpath, which narrows the race without closing it. Called by workspace and tools.
import * as fs from "node:fs"
import { Buffer } from "node:buffer"
import { randomBytes } from "node:crypto"
import { promisify } from "node:util"
import { PathRefused, quoted, systemCode } from "./errors.ts"
import { TEMP_PREFIX } from "./jail.ts"

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
const writeAsync = promisify(fs.write)
const fdatasync = promisify(fs.fdatasync)
const fsync = promisify(fs.fsync)
const hasProc = fs.existsSync("/proc/self/fd")

const moved = (real: string) => new PathRefused({ path: real, detail: "the path changed while it was being opened; try again" })
const isWhere = (fd: number, real: string): boolean => {
  if (!hasProc) return fs.realpathSync.native(real) === real
  const now = fs.readlinkSync(`/proc/self/fd/${fd}`)
  // A file replaced by a rename just now was in its place when it was opened.
  return now === real || now === `${real} (deleted)`
}

export interface OpenFile {
  readonly fd: number
  readonly stat: fs.Stats
}

/** Opens a plain file, given its real path from the jail. The caller closes `fd`. Throws PathRefused or a system error. */
export const openPlain = (real: string): OpenFile => {
  const fd = fs.openSync(real, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  try {
    const stat = fs.fstatSync(fd)
    if (stat.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" })
    if (!stat.isFile()) throw new PathRefused({ path: real, detail: "it is a pipe, socket or device, not a plain file" })
    if (!isWhere(fd, real)) throw moved(real)
    return { fd, stat }
  } catch (cause) {
    fs.closeSync(fd)
    throw cause
  }
}

/** Reads `length` bytes from `position`, fewer only at the end of the file. */
export const readAt = (fd: number, position: number, length: number): Buffer => {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const count = fs.readSync(fd, buffer, filled, length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return buffer.subarray(0, filled)
}

/** The entries of a folder, given its real path. Throws PathRefused or a system error. */
export const readFolder = (real: string): Array<fs.Dirent> => {
  const fd = fs.openSync(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    if (!isWhere(fd, real)) throw moved(real)
    return fs.readdirSync(hasProc ? `/proc/self/fd/${fd}` : real, { withFileTypes: true })
  } finally {
    fs.closeSync(fd)
  }
}

/** A folder held open: names below it are reached through the descriptor, whatever happens to its path meanwhile. */
export interface Folder {
  readonly fd: number
  readonly path: (name: string) => string
  readonly close: () => void
}

const folder = (fd: number, real: string): Folder => ({
  fd,
  path: (name) => (hasProc ? `/proc/self/fd/${fd}/${name}` : `${real}/${name}`),
  close: () => fs.closeSync(fd),
})

const openOrMake = (at: string): number => {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
  try {
    return fs.openSync(at, flags)
  } catch (cause) {
    if (systemCode(cause) !== "ENOENT") throw cause
  }
  try {
    fs.mkdirSync(at)
  } catch (cause) {
    if (systemCode(cause) !== "EEXIST") throw cause
  }
  return fs.openSync(at, flags)
}

/** Opens the folder at `names` below the real path `root`, making what is missing; no component may be a link. */
export const openFolder = (root: string, names: ReadonlyArray<string>): Folder => {
  let here = folder(fs.openSync(root, O_RDONLY | O_DIRECTORY), root)
  let real = root
  for (const name of names) {
    real = `${real}/${name}`
    try {
      const next = folder(openOrMake(here.path(name)), real)
      here.close()
      here = next
    } catch (cause) {
      here.close()
      const code = systemCode(cause)
      throw code === "ELOOP" || code === "ENOTDIR" ? moved(real) : cause
    }
  }
  return here
}

const writeAll = async (fd: number, bytes: Uint8Array): Promise<void> => {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await writeAsync(fd, bytes, done, bytes.length - done, null)
    done += bytesWritten
  }
}

const PERMISSIONS = 0o777

/** What stands at a name before it is replaced: its permission bits, or null when nothing does. */
const replaced = (at: string, real: string): number | null => {
  const stat = fs.lstatSync(at, { throwIfNoEntry: false })
  if (stat === undefined) return null
  if (stat.isDirectory()) throw new PathRefused({ path: real, detail: `${quoted(real.slice(real.lastIndexOf("/") + 1))} is a folder` })
  return stat.isFile() ? stat.mode & PERMISSIONS : null
}

export interface Replaced {
  readonly bytes: number
  /** True when a file stood there before. */
  readonly existed: boolean
  readonly modified_at: number
}

/**
 * Replaces the file at `real` (below `root`, both real) by `chunks`, through a temporary file and a rename: a reader sees
 * the old content or the new, never a part. `durable` syncs file and folder before the answer. Stops between chunks when
 * `signal` fires and leaves nothing behind.
 */
export const replaceFile = async (
  root: string,
  real: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: { readonly durable: boolean; readonly signal?: AbortSignal },
): Promise<Replaced> => {
  const names = real.slice(root.length + 1).split("/")
  const name = names.pop()!
  const parent = openFolder(root, names)
  try {
    const mode = replaced(parent.path(name), real)
    const temp = parent.path(TEMP_PREFIX + randomBytes(9).toString("hex"))
    const fd = fs.openSync(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666)
    try {
      let bytes = 0
      let stat: fs.Stats
      try {
        for await (const chunk of chunks) {
          options.signal?.throwIfAborted()
          await writeAll(fd, chunk)
          bytes += chunk.length
        }
        if (mode !== null) fs.fchmodSync(fd, mode)
        if (options.durable) await fdatasync(fd)
        stat = fs.fstatSync(fd)
      } finally {
        fs.closeSync(fd)
      }
      options.signal?.throwIfAborted()
      fs.renameSync(temp, parent.path(name))
      if (options.durable) await fsync(parent.fd)
      return { bytes, existed: mode !== null, modified_at: Math.round(stat.mtimeMs) }
    } catch (cause) {
      fs.rmSync(temp, { force: true })
      throw cause
    }
  } finally {
    parent.close()
  }
}

/** Appends to a plain file `name` in a folder held open; answers its size afterwards in bytes. */
export const appendTo = (parent: Folder, name: string, text: string): number => {
  const fd = fs.openSync(parent.path(name), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666)
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) throw new PathRefused({ path: name, detail: `${quoted(name)} is not a plain file` })
    const bytes = Buffer.from(text)
    let done = 0
    try {
      while (done < bytes.length) done += fs.writeSync(fd, bytes, done)
    } catch (cause) {
      if (done > 0) fs.ftruncateSync(fd, stat.size) // a full disk must not leave half a line
      throw cause
    }
    return stat.size + bytes.length
  } finally {
    fs.closeSync(fd)
  }
}
