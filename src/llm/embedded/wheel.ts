// Takes one file out of a wheel, which is a zip archive, without running anything in it. Stored and deflated entries;
// archives of 4 GiB and more (zip64) are refused.
import { createHash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { open, type FileHandle } from "node:fs/promises"
import { PassThrough, Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createInflateRaw } from "node:zlib"

const END = 0x06054b50
const ENTRY = 0x02014b50
const LOCAL = 0x04034b50
/** The end record is 22 bytes and a comment of at most 65,535. */
const MAX_TAIL = 22 + 0xffff
const MAX_DIRECTORY = 16 * 1024 * 1024

interface Entry {
  readonly name: string
  readonly method: number
  readonly packed: number
  readonly bytes: number
  readonly offset: number
}

const readAt = async (file: FileHandle, offset: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, offset)
  if (bytesRead !== length) throw new Error("the archive is cut short")
  return buffer
}

const entries = async (file: FileHandle): Promise<ReadonlyArray<Entry>> => {
  const { size } = await file.stat()
  const tail = await readAt(file, Math.max(0, size - MAX_TAIL), Math.min(size, MAX_TAIL))
  let end = tail.length - 22
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--
  if (end < 0) throw new Error("this is no zip archive")
  const [count, length, offset] = [tail.readUInt16LE(end + 10), tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)]
  if (offset === 0xffffffff || length > MAX_DIRECTORY) throw new Error("zip64 archives are not read")
  const directory = await readAt(file, offset, length)
  const out: Array<Entry> = []
  for (let at = 0, i = 0; i < count; i++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== ENTRY) throw new Error("the archive's directory is broken")
    const [nameLength, extra, comment] = [directory.readUInt16LE(at + 28), directory.readUInt16LE(at + 30), directory.readUInt16LE(at + 32)]
    out.push({
      name: directory.toString("utf8", at + 46, at + 46 + nameLength), method: directory.readUInt16LE(at + 10),
      packed: directory.readUInt32LE(at + 20), bytes: directory.readUInt32LE(at + 24), offset: directory.readUInt32LE(at + 42),
    })
    at += 46 + nameLength + extra + comment
  }
  return out
}

/** Writes the first entry whose name ends in `suffix` to `path`; answers its length and sha256. */
export const extract = async (archive: string, suffix: string, path: string, signal: AbortSignal): Promise<{ readonly bytes: number; readonly sha256: string }> => {
  const file = await open(archive, "r")
  try {
    const entry = (await entries(file)).find((candidate) => candidate.name.endsWith(suffix))
    if (entry === undefined) throw new Error(`the archive holds no ${suffix} file`)
    if (entry.method !== 0 && entry.method !== 8) throw new Error(`${entry.name} is packed in a way that is not read (${entry.method})`)
    const header = await readAt(file, entry.offset, 30)
    if (header.readUInt32LE(0) !== LOCAL) throw new Error("the archive's entry is broken")
    const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
    const hash = createHash("sha256")
    let bytes = 0
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length
        // The directory says how long it is; more than that is an archive made to fill the disk.
        if (bytes > entry.bytes) return done(new Error(`${entry.name} is longer than its archive says`))
        hash.update(chunk)
        done(null, chunk)
      },
    })
    await pipeline(createReadStream(archive, { start, end: start + entry.packed - 1 }), entry.method === 8 ? createInflateRaw() : new PassThrough(), measure, createWriteStream(path), { signal })
    if (bytes !== entry.bytes) throw new Error(`${entry.name} is shorter than its archive says`)
    return { bytes, sha256: hash.digest("hex") }
  } finally {
    await file.close()
  }
}
