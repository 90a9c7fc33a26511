import { expect, test } from "vitest"
import { canConnect, isLoopback } from "../../src/llm/reach.ts"
import { deafEndpoint, refusedUrl } from "../support/badEndpoints.ts"
import { startScriptedLlm } from "../support/scriptedLlm.ts"

test("a listening server can be reached, a closed port and a full one cannot", async () => {
  const llm = startScriptedLlm()
  const deaf = await deafEndpoint()
  try {
    expect(await Promise.all([canConnect(llm.url, 1_000), canConnect(refusedUrl(), 1_000), canConnect(deaf.url, 100)])).toEqual([true, false, false])
  } finally {
    llm.close()
    deaf.close()
  }
})

test("loopback by every name", () => {
  expect(["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"].map(isLoopback)).not.toContain(false)
  expect(["10.0.0.1", "localhost.example", "128.0.0.1"].map(isLoopback)).not.toContain(true)
})
