// Names of environment variables as paths of settings, and one place of a value replaced.
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { OTHER_VARIABLES, readOverrides, variableOf, withValueAt } from "../../src/settings/environment.ts"

describe("variables", () => {
  it("are named after their keys", () => expect(["http.port", "data_dir", "workers[].api_key"].map(variableOf)).toEqual(["ATTACCA_HTTP__PORT", "ATTACCA_DATA_DIR", "ATTACCA_WORKERS__0__API_KEY"]))

  it("become paths, sections before their keys, and the rest of the environment is left alone", () => {
    expect(readOverrides({ ATTACCA_HTTP__PORT: "1", ATTACCA_WORKERS__12__MODEL: "m", ATTACCA_HTTP: "{}", PATH: "/bin", ATTACCA_CONFIG: "x", attacca_http__port: "2", ATTACCA_LOG__LEVEL: undefined })).toEqual({
      overrides: [{ name: "ATTACCA_HTTP", path: ["http"], text: "{}" }, { name: "ATTACCA_HTTP__PORT", path: ["http", "port"], text: "1" }, { name: "ATTACCA_WORKERS__12__MODEL", path: ["workers", 12, "model"], text: "m" }],
      problems: [],
    })
  })

  it("that are read elsewhere are no settings", () => {
    expect(OTHER_VARIABLES).toContain("ATTACCA_CONFIG")
    expect(readOverrides(Object.fromEntries([...OTHER_VARIABLES, "ATTACCA_TEST_COUNTS"].map((name) => [name, "x"])))).toEqual({ overrides: [], problems: [] })
  })

  it("with an unknown name are told with the name that was meant", () => {
    expect(readOverrides({ ATTACCA_HTTP__PROT: "1" }).problems).toEqual([{ name: "ATTACCA_HTTP__PROT", message: "no setting has this name; did you mean \"ATTACCA_HTTP__PORT\"?" }])
  })
})

describe("one place replaced", () => {
  it("leaves the value itself and what lies beside the place as they were", () => {
    const value = { a: { b: 1, c: 2 }, list: [{ x: 1 }] }
    const copy = structuredClone(value)
    expect(withValueAt(value, ["a", "b"], 5)).toEqual({ value: { a: { b: 5, c: 2 }, list: [{ x: 1 }] } })
    expect(withValueAt(value, ["list", 0, "y"], 5)).toEqual({ value: { a: { b: 1, c: 2 }, list: [{ x: 1, y: 5 }] } })
    expect(value).toEqual(copy)
  })
  it("makes what is missing on the way, and appends to a list but leaves no hole in it", () => {
    expect(withValueAt(undefined, ["a", "b"], 1)).toEqual({ value: { a: { b: 1 } } })
    expect(withValueAt({ list: [] }, ["list", 0, "x"], 1)).toEqual({ value: { list: [{ x: 1 }] } })
    expect(withValueAt({ list: [] }, ["list", 2], 1)).toBe("there is no entry 2; the list has 0")
  })
  it("is what one finds there afterwards", () => {
    fc.assert(fc.property(fc.object(), fc.array(fc.constantFrom("a", "b", "constructor", "__proto__"), { minLength: 1, maxLength: 4 }), (value, path) => {
      const result = withValueAt(value, path, "marker")
      if (typeof result === "string") throw new Error(result)
      expect(path.reduce<unknown>((inner, part) => Object.getOwnPropertyDescriptor(inner, part)?.value, result.value)).toBe("marker")
    }))
  })
})
