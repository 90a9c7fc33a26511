import { describe, expect, it } from "vitest"
import { isLoopback, makeGuard, makeOnce } from "../../src/http/guard.ts"

const guard = makeGuard({ host: "127.0.0.1", advertise_url: "https://attacca.example/", allowed_hosts: ["proxy.lan", "other.lan:8443"] })
const check = (headers: Record<string, string>, peer: string | null = null, init: { method?: string; path?: string } = {}) =>
  guard.check(new Request(`http://127.0.0.1:3000${init.path ?? "/api/tasks"}`, { method: init.method ?? "POST", headers }), peer === null ? null : { address: peer })?.reason ?? "passes"

describe("the guard of a server without logins", () => {
  it.each([
    ["127.0.0.1:3000"], ["localhost:3000"], ["LOCALHOST"], ["[::1]:3000"], ["attacca.example"], ["proxy.lan"], ["proxy.lan:80"], ["other.lan:8443"],
  ])("serves the host %s", (host) => {
    expect(check({ host })).toBe("passes")
  })

  it.each([
    ["evil.example"], ["evil.example:3000"], ["localhost.evil.example"], ["127.0.0.1.nip.io"], ["127.0.0.2:3000"], ["other.lan:1"], ["localhost:3000@evil"], ["[::2]"], ["x y"],
  ])("refuses the unknown host %s, so a rebound name reaches nothing", (host) => {
    expect(check({ host })).toBe("host")
  })

  it("takes the URL's host where there is no header", () => {
    expect(check({})).toBe("passes")
    expect(guard.check(new Request("http://evil.example/"), null)?.reason).toBe("host")
  })

  it.each([
    ["http://evil.example"], ["http://localhost:5173"], ["http://127.0.0.1:3001"], ["null"], ["file://"], [""], ["http://[::1"], ["https://127.0.0.1:3000.evil.example"],
  ])("refuses the foreign origin %j", (origin) => {
    expect(check({ host: "127.0.0.1:3000", origin })).toBe("origin")
  })

  it("serves its own pages, also behind the advertised address", () => {
    expect(check({ host: "127.0.0.1:3000", origin: "http://127.0.0.1:3000" })).toBe("passes")
    expect(check({ host: "localhost", origin: "http://localhost:80" })).toBe("passes")
    expect(check({ host: "attacca.example", origin: "https://attacca.example" })).toBe("passes")
    expect(check({ host: "127.0.0.1:3000", origin: "https://attacca.example" })).toBe("passes")
  })

  it("refuses what another site's page causes, but lets a person follow a link", () => {
    const host = "127.0.0.1:3000"
    expect(check({ host, "sec-fetch-site": "cross-site" }, null, { method: "GET" })).toBe("cross_site")
    expect(check({ host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }, null, { method: "GET" })).toBe("cross_site")
    expect(check({ host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, null, { method: "POST" })).toBe("cross_site")
    expect(check({ host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, null, { method: "GET" })).toBe("passes")
    expect(check({ host, "sec-fetch-site": "same-origin" })).toBe("passes")
  })

  it("serves callers on this machine only, except for health and metrics", () => {
    const host = "proxy.lan"
    for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]) expect(check({ host }, address)).toBe("passes")
    for (const address of ["10.0.0.5", "::ffff:10.0.0.5", "fe80::1", "1127.0.0.1", ""]) expect(check({ host }, address)).toBe("address")
    expect(check({ host }, "10.0.0.5", { method: "GET", path: "/healthz" })).toBe("passes")
    expect(isLoopback("127.0.0.1.evil")).toBe(false)
  })
})

describe("refusals in the audit log", () => {
  it("are one for each value, a bounded number in a window, and start again after it", () => {
    let now = 0
    const once = makeOnce(2, 1000, () => now)
    expect([once("a"), once("a"), once("b"), once("c")]).toEqual([true, false, true, false])
    now = 1001
    expect([once("c"), once("c")]).toEqual([true, false])
  })
})
