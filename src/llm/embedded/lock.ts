// One process at a time prepares a folder that nodes may share. The lock is a file with its holder's process id, taken over
// when that process is gone.
import { randomUUID } from "node:crypto"
import { readFile, rm, writeFile } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"

const POLL_MS = 200

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM"
  }
}

const take = async (path: string, text: string): Promise<boolean> => {
  try {
    await writeFile(path, text, { flag: "wx" })
    return true
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false
    throw cause
  }
}

/** Waits for the lock, runs `work`, gives the lock back. Rejects with the signal's reason while it waits. */
export const withLock = async <A>(path: string, signal: AbortSignal, work: () => Promise<A>): Promise<A> => {
  const mine = `${process.pid} ${randomUUID()}`
  for (;;) {
    signal.throwIfAborted()
    if (await take(path, mine)) break
    const holder = await readFile(path, "utf8").catch(() => "") // given back just now
    const pid = Number(holder.split(" ")[0])
    if (holder !== "" && !alive(pid)) await rm(path, { force: true })
    else await sleep(POLL_MS, undefined, { signal })
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}
