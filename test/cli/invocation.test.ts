import { expect, it } from "vitest"
import { callerFolder, taskCommand } from "../../src/cli/invocation.ts"

it("hints are written as the user started: by npm, else by Bun", () => {
  expect(taskCommand({ npm_config_user_agent: "npm/11.0.0 node/v20" })).toBe("npm run task --")
  expect(taskCommand({ npm_config_user_agent: "bun/1.4.5" })).toBe("bun run task")
  expect(taskCommand({})).toBe("bun run task")
})

it("relative paths start where npm or bun run was called", () => {
  const npm = { npm_package_json: "/p/package.json", npm_config_user_agent: "npm/11", INIT_CWD: "/p/sub" }
  expect(callerFolder(npm, "/p", "/p")).toBe("/p/sub")
  expect(callerFolder({ npm_package_json: "/p/package.json", npm_config_user_agent: "bun/1.4.5", npm_config_local_prefix: "/q" }, "/p", "/p")).toBe("/q")
})

it("relative paths start at the current folder when no script of this project is running", () => {
  expect(callerFolder({}, "/q", "/p")).toBe("/q")
  expect(callerFolder({ npm_package_json: "/other/package.json", INIT_CWD: "/x" }, "/q", "/p")).toBe("/q")
  expect(callerFolder({ npm_package_json: "/p/package.json", npm_config_user_agent: "npm/11" }, "/p", "/p")).toBe("/p")
})
