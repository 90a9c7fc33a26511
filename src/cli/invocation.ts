// How the user called this, so that hints can be typed as they stand, and from which folder. npm and `bun run` change to the
// project's folder before a script starts and say in the environment where the caller stood.
import { dirname } from "node:path"

type Env = Readonly<Record<string, string | undefined>>

/** `bun run task` or, for a user of npm (who may have no Bun on the PATH), `npm run task --`. */
export const taskCommand = (env: Env = process.env): string =>
  (env["npm_config_user_agent"] ?? "").startsWith("npm/") ? "npm run task --" : "bun run task"

/** The folder that relative paths of the command line start at. `project` is the folder of package.json. */
export const callerFolder = (env: Env, cwd: string, project: string): string => {
  const manifest = env["npm_package_json"]
  if (manifest === undefined || dirname(manifest) !== project || cwd !== project) return cwd
  const said = (env["npm_config_user_agent"] ?? "").startsWith("bun/") ? env["npm_config_local_prefix"] : env["INIT_CWD"]
  return said === undefined || said === "" ? cwd : said
}
