// What this machine is, as far as the embedded model cares: which prebuilt engine fits it and how much memory a model may
// take. Reads a few files of the system; never starts a program that could hang.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { availableParallelism, totalmem } from "node:os"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import type { GpuKind } from "./runtime.ts"

/** One prebuilt package of node-llama-cpp, without its scope. */
export interface Binary {
  readonly package: string
  readonly gpu: GpuKind
}

export interface Machine {
  /** Best first; the last one needs no GPU. Empty: no prebuilt engine fits. */
  readonly binaries: ReadonlyArray<Binary>
  readonly memory_bytes: number
  /** Of the GPU that the first binary uses; 0 without one. */
  readonly gpu_bytes: number
  readonly cores: number
  /** Why `binaries` is empty. */
  readonly refusal: string | null
}

const QUERY_TIMEOUT_MS = 5000
/** AMD and NVIDIA. Other makers' integrated graphics are no faster than the processor beside them. */
const GPU_VENDORS = new Set(["0x1002", "0x10de"])

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim()
  } catch {
    return "" // not there on this system: nothing to learn from it
  }
}

const names = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const ask = async (command: string, args: ReadonlyArray<string>): Promise<string> => {
  try {
    return (await promisify(execFile)(command, [...args], { timeout: QUERY_TIMEOUT_MS })).stdout
  } catch {
    return "" // not installed, or it failed: the caller takes it as "nothing found"
  }
}

const nvidiaBytes = async (): Promise<number> => {
  const out = await ask("nvidia-smi", ["--query-gpu=memory.total", "--format=csv,noheader,nounits"])
  return Math.max(0, ...out.split("\n").map((line) => Number(line.trim()) * 1024 * 1024).filter(Number.isFinite))
}

const drmBytes = (): number =>
  Math.max(0, ...names("/sys/class/drm").filter((name) => /^card\d+$/.test(name)).map((name) => Number(read(join("/sys/class/drm", name, "device/mem_info_vram_total")))))

/** The memory that this process may use: the machine's, or less inside a container. */
const memoryBytes = (): number => {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

const linux = async (cores: number, memory_bytes: number): Promise<Machine> => {
  const base = { cores, memory_bytes, gpu_bytes: 0, refusal: null }
  if (names("/lib").some((name) => name.startsWith("ld-musl"))) {
    return { ...base, binaries: [], refusal: "the prebuilt engine needs glibc, and this system uses musl" }
  }
  if (process.arch === "arm64") return { ...base, binaries: [{ package: "linux-arm64", gpu: false }] }
  if (process.arch !== "x64") return { ...base, binaries: [], refusal: `there is no prebuilt engine for ${process.arch}` }
  const cpu: Binary = { package: "linux-x64", gpu: false }
  const libraries = await ask("/sbin/ldconfig", ["-p"])
  const nvidia = existsSync("/proc/driver/nvidia/version") || existsSync("/dev/nvidiactl")
  const rendering = names("/sys/class/drm").some((name) => name.startsWith("renderD") && GPU_VENDORS.has(read(join("/sys/class/drm", name, "device/vendor"))))
  const binaries: Array<Binary> = []
  if (nvidia && /libcudart\.so/.test(libraries) && /libcublas\.so/.test(libraries)) binaries.push({ package: "linux-x64-cuda", gpu: "cuda" })
  if ((nvidia || rendering) && /libvulkan\.so\.1/.test(libraries)) binaries.push({ package: "linux-x64-vulkan", gpu: "vulkan" })
  const gpu_bytes = binaries.length === 0 ? 0 : nvidia ? await nvidiaBytes() : drmBytes()
  return { ...base, gpu_bytes, binaries: [...binaries, cpu] }
}

export const inspectMachine = async (): Promise<Machine> => {
  const [cores, memory_bytes] = [availableParallelism(), memoryBytes()]
  if (process.platform === "linux") return linux(cores, memory_bytes)
  const base = { cores, memory_bytes, gpu_bytes: 0, refusal: null }
  if (process.platform === "darwin" && process.arch === "arm64") {
    // The GPU shares the machine's memory; macOS lets it have about two thirds.
    return { ...base, gpu_bytes: Math.floor(memory_bytes * 2 / 3), binaries: [{ package: "mac-arm64-metal", gpu: "metal" }] }
  }
  if (process.platform === "darwin") return { ...base, binaries: [{ package: "mac-x64", gpu: false }] }
  return { ...base, binaries: [], refusal: `there is no prebuilt engine for ${process.platform} in this version` }
}
