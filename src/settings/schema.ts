// The schema of attacca.yaml: the authority for its keys, types, ranges, defaults and descriptions. `load.ts` decodes with
// it, `settingsReference` prints it for the README, and the environment variables are named after it. Defaults that depend
// on the machine (data paths, time zone) are null here and filled in by `load.ts`.
import { Effect, Schema } from "effect"
import type { SchemaAST } from "effect"

/** A key that may be left out. `secret` values are masked and never repeated in a message. */
const key = <S extends Schema.Top & { readonly Rebuild: S }>(description: string, schema: S, fallback: S["Encoded"], secret = false) =>
  schema.pipe(Schema.annotate({ description, secret }), Schema.withDecodingDefaultKey(Effect.succeed(fallback)))

const section = <F extends Schema.Struct.Fields>(description: string, fields: F) => {
  const struct = Schema.Struct(fields).annotate({ description })
  return struct.pipe(Schema.withDecodingDefaultKey(Effect.succeed({} as typeof struct.Encoded)))
}

const int = (minimum: number, maximum: number) => {
  const expected = `a whole number from ${minimum} to ${maximum}`
  return Schema.Number.check(Schema.isInt({ expected }), Schema.isBetween({ minimum, maximum }, { expected }))
}
const number = (minimum: number, maximum: number) =>
  Schema.Number.check(Schema.isBetween({ minimum, maximum }, { expected: `a number from ${minimum} to ${maximum}` }))
const text = Schema.String.check(Schema.isNonEmpty({ expected: "text" }))
const matching = (pattern: RegExp, expected: string) => Schema.String.check(Schema.isPattern(pattern, { expected }))
const httpUrl = Schema.String.check(Schema.makeFilter((url: string) => /^https?:\/\//i.test(url) && URL.canParse(url), { expected: "an http:// or https:// address" }))
const databaseUrl = matching(/^(file:.|(libsql|https?|wss?):\/\/.)/, "file:PATH or the address of a sqld or Turso primary (libsql://, http://, https://, ws:// or wss://)")
const orNull = <S extends Schema.Constraint>(schema: S) => Schema.NullOr(schema)

const DAY = 86_400

export const WorkerSchema = Schema.Struct({
  id: matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "an id of letters, digits, dot, dash and underscore (64 at most)")
    .annotate({ description: "Name of the worker, unique on this node" }),
  endpoint: httpUrl.annotate({ description: "Base address of an OpenAI-compatible server, usually ending in /v1" }),
  model: key("Model to ask for; null takes the first that the server offers", orNull(text), null),
  api_key: key("Bearer key of the endpoint", orNull(text), null, true),
  roles: key("Classes of service that this worker takes jobs of", Schema.Array(text).check(Schema.isMinLength(1, { expected: "at least one role" })), ["auto", "fast", "quality"]),
  max_concurrency: key("Jobs at once", int(1, 100_000), 2),
  proxy: key("The endpoint is a gateway: send the role as routing key and never choose a model", Schema.Boolean, false),
  vlm: key("The model sees images", Schema.Boolean, false),
  enabled: key("False keeps the worker listed but unused", Schema.Boolean, true),
  claims: key("False makes it an endpoint only, for vision, judges or the gateway; it takes no jobs", Schema.Boolean, true),
  size: key("small: the model has up to about 2 billion parameters and plays `digest` unless the task names a piece", Schema.Literals(["small", "normal"]), "normal"),
  healthcheck_interval_seconds: key("Seconds between two health probes", int(10, DAY), 30),
  context_limit_tokens: key("Context size in tokens; null asks the server", orNull(int(256, 100_000_000)), null),
}).annotate({ description: "One LLM endpoint with its limits" })

export const SettingsSchema = Schema.Struct({
  data_dir: key("Folder of the database, the workspaces and everything else that is kept", text, "./data"),
  node_id: key("Name of this node; null makes one at the first start and keeps it in data_dir", orNull(matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a name of letters, digits, dot, dash and underscore (64 at most)")), null),
  shutdown_grace_seconds: key("Seconds that running jobs get to finish after SIGTERM before they are handed back", number(0, DAY), 30),
  time_zone: key("IANA time zone in which the model is told the time; null takes the machine's", orNull(Schema.String.check(Schema.makeFilter(isTimeZone, { expected: "an IANA time zone such as Europe/Berlin" }))), null),
  http: section("The HTTP server", {
    host: key("Address to listen on", text, "127.0.0.1"),
    port: key("Port to listen on; 0 takes a free one", int(0, 65_535), 3000),
    advertise_url: key("Address under which other nodes reach this one; null is http://host:port", orNull(httpUrl), null),
    max_body_bytes: key("Largest request body, uploads included", int(1024, 1024 ** 4), 104_857_600),
    allowed_hosts: key("Host names that requests may name besides loopback and the listening address", Schema.Array(text), []),
  }),
  llm: section("Calls to LLM endpoints", {
    timeout_minutes: key("Longest time of one LLM call", number(0.001, 1440), 10),
    idle_timeout_seconds: key("Longest silence within a stream", number(0.05, DAY), 120),
    connect_timeout_seconds: key("Longest time to connect", number(0.05, 600), 10),
    retries: key("Retries in place of a call that was refused (429), failed (5xx) or was cut before its first token", int(0, 20), 3),
    max_give_backs: key("Times in a row that a job is handed back for a dead endpoint before it waits for a person", int(1, 1000), 10),
  }),
  database: section("Where tasks and jobs are stored", {
    url: key("file:PATH or the address of a sqld or Turso primary; null is file:{data_dir}/attacca.db", orNull(databaseUrl), null),
    sync_url: key("Primary of which `url` is a local replica", orNull(matching(/^(libsql|https?|wss?):\/\/./, "the address of a sqld or Turso primary")), null),
    auth_token: key("Token of the primary", orNull(text), null, true),
  }),
  cluster: section("Nodes that share a database", {
    secret: key("Secret of the nodes' internal routes; null takes the one in the shared database", orNull(Schema.String.check(Schema.isMinLength(16, { expected: "at least 16 characters" }))), null, true),
  }),
  workers: key("LLM endpoints that run jobs; none: local servers are looked for, else the embedded model is used", Schema.Array(WorkerSchema), []),
  retry: section("Failed jobs", {
    max_attempts: key("Runs of a job before it has failed", int(1, 100), 3),
    backoff_seconds: key("Wait before each further run; the last one repeats", Schema.Array(number(0, 30 * DAY)).check(Schema.isMinLength(1, { expected: "at least one wait" })), [60, 300, 900]),
  }),
  lease: section("A worker's right to run a job", {
    ttl_seconds: key("Seconds until a lease runs out unless it is renewed", number(0.5, 3600), 30),
    heartbeat_seconds: key("Seconds between two renewals; less than ttl_seconds", number(0.1, 3600), 10),
  }),
  ask: section("Questions to a person", { max_per_job: key("Questions that one job may ask", int(0, 1000), 3) }),
  subtasks: section("Sub-tasks", {
    max_depth: key("Levels of sub-tasks", int(0, 20), 2),
    max_per_parent: key("Sub-tasks of one job", int(0, 1000), 10),
  }),
  queue: section("The queue of jobs", {
    ageing_seconds: key("Waiting time that lifts a job by one priority", number(1, 30 * DAY), 300),
    poll_seconds: key("Seconds between two looks for jobs that another node put in", number(0.05, 60), 1),
  }),
  safety: section("Guards of a run; the ratios are parts of the context size", {
    prompt_guard_ratio: key("A prompt over this part is not sent", number(0.1, 1), 0.9),
    drop_results_ratio: key("Over this part old tool results are dropped", number(0.1, 1), 0.6),
    summarise_ratio: key("Over this part old turns are summarised", number(0.1, 1), 0.75),
    loop_warn: key("Equal calls in a row after which the model is told", int(2, 1000), 3),
    loop_abort: key("Equal calls in a row that end the job", int(2, 1000), 5),
  }),
  pieces: section("Pieces", { custom_dir: key("Folder of the site's own pieces, NAME.yaml each", orNull(text), null) }),
  plugins: section("WASM plugins", {
    dir: key("Folder of the plugins", text, "./plugins"),
    allow_paths: key("Folders outside the workspace that plugins may be granted", Schema.Array(text), []),
    limits: key("Limits by name that replace the built-in ones", Schema.Record(Schema.String, number(0, Number.MAX_SAFE_INTEGER)), {}),
  }),
  workspaces: section("Workspaces", {
    shared: key("data_dir is a file system that all nodes share", Schema.Boolean, false),
    remote: key("Address through which nodes hand workspaces over", orNull(text), null),
    sync_max_bytes: key("Largest workspace that is handed over between nodes", int(0, 1024 ** 4), 268_435_456),
  }),
  embedded: section("The embedded model", {
    enabled: key("auto: only when no worker is configured and no local server is found", Schema.Union([Schema.Literal("auto"), Schema.Boolean]), "auto"),
    model: key("Weights: a GGUF file, an hf: name or an http address; null chooses by memory and GPU", orNull(text), null),
    sha256: key("Checksum that the weights must have", orNull(matching(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits")), null),
  }),
  browser: section("Browsers", { endpoints: key("Debugging addresses of running browsers", Schema.Array(matching(/^(wss?|https?):\/\/./, "a ws:// or http:// address")), []) }),
  auth: section("Sign-in", { mode: key("none: everyone who can reach the port is the local user", Schema.Literals(["none", "oidc"]), "none") }),
  log: section("The log", {
    level: key("Least important level that is written", Schema.Literals(["debug", "info", "warn", "error"]), "info"),
    format: key("auto: text on a terminal, JSON lines elsewhere", Schema.Literals(["auto", "text", "json"]), "auto"),
  }),
}).annotate({ title: "attacca.yaml", description: "Configuration of an Attacca node" })

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== ""
  } catch {
    return false
  }
}

/** The schema node that a key path leads to, or null; a list takes numbers, a free mapping any name. */
export const schemaAt = (path: ReadonlyArray<string | number>): SchemaAST.AST | null =>
  path.reduce<SchemaAST.AST | null>((ast, part) => (ast === null ? null : childOf(ast, part)), SettingsSchema.ast)

const childOf = (ast: SchemaAST.AST, part: string | number): SchemaAST.AST | null => {
  if (ast._tag === "Objects") {
    const known = ast.propertySignatures.find((p) => p.name === part)
    return known?.type ?? (typeof part === "string" ? ast.indexSignatures[0]?.type ?? null : null)
  }
  if (ast._tag === "Arrays") return Number.isInteger(Number(part)) ? ast.rest[0] ?? null : null
  return null
}

const described = (ast: SchemaAST.AST, name: "description" | "secret"): unknown =>
  ast.annotations?.[name] ?? ast.checks?.findLast((check) => check.annotations?.[name] !== undefined)?.annotations?.[name]

/** True for a key whose value is a secret by its schema. */
export const isSecret = (path: ReadonlyArray<string | number>): boolean => {
  const ast = schemaAt(path)
  return ast !== null && described(ast, "secret") === true
}

export interface SettingReference {
  /** `http.port`; `workers[].id` for a worker's key. */
  readonly key: string
  /** As YAML would write it; null for a key that must be given. */
  readonly default: string | null
  readonly description: string
}

/** Every key of attacca.yaml with its default and what it does; the documentation is held to it. */
export const settingsReference = (): ReadonlyArray<SettingReference> => {
  const rows: Array<SettingReference> = []
  const walk = (ast: SchemaAST.AST, defaults: unknown, prefix: string) => {
    if (ast._tag !== "Objects") return
    for (const { name, type } of ast.propertySignatures) {
      const path = `${prefix}${String(name)}`
      const value = (defaults as Record<string, unknown>)[String(name)]
      if (type._tag === "Objects" && type.propertySignatures.length > 0) walk(type, value, `${path}.`)
      else rows.push({ key: path, default: value === undefined ? null : JSON.stringify(value), description: String(described(type, "description")) })
    }
  }
  walk(SettingsSchema.ast, Schema.decodeUnknownSync(SettingsSchema)({}), "")
  const { id: _id, endpoint: _endpoint, ...worker } = Schema.decodeUnknownSync(WorkerSchema)({ id: "w", endpoint: "http://localhost" })
  walk(WorkerSchema.ast, worker, "workers[].")
  return rows
}
