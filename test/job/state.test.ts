import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkMove, isTerminal, mayMove, MOVERS, sourcesOf, STATUSES } from "../../src/job/state.ts"

const status = fc.constantFrom(...STATUSES)
const mover = fc.constantFrom(...MOVERS)

describe("the table of status moves", () => {
  it("never leaves a terminal status, whoever asks", () => {
    fc.assert(fc.property(status.filter(isTerminal), status, mover, (from, to, who) => !mayMove(from, to, who)))
  })

  it("refuses with an error that names both statuses exactly when the move is not allowed", () => {
    fc.assert(fc.property(status, status, mover, (from, to, who) => {
      const error = checkMove(from, to, who)
      if (mayMove(from, to, who)) return error === null
      return error !== null && error.message.includes(from) && error.message.includes(to) && error.message.includes(who)
    }))
  })

  it("gives as sources of a status exactly those from which the move is allowed", () => {
    fc.assert(fc.property(status, mover, (to, who) => {
      const sources = sourcesOf(to, who)
      return STATUSES.every((from) => sources.includes(from) === mayMove(from, to, who))
    }))
  })

  it("makes a job running only by a claim, from a status that waits for a claim", () => {
    expect(sourcesOf("running", "claimer")).toEqual(["queued", "retry"])
    for (const who of MOVERS.filter((m) => m !== "claimer")) expect(sourcesOf("running", who)).toEqual([])
  })

  it("reaches every status from queued and a terminal one from every status", () => {
    const reach = (from: (typeof STATUSES)[number]) => {
      const seen = new Set([from])
      for (const at of seen) for (const to of STATUSES) if (MOVERS.some((who) => mayMove(at, to, who))) seen.add(to)
      return seen
    }
    expect(reach("queued").size).toBe(STATUSES.length)
    for (const from of STATUSES) expect([...reach(from)].some(isTerminal)).toBe(true)
  })

  it("lets a person cancel everything that is not over", () => {
    expect(sourcesOf("cancelled", "person")).toEqual(STATUSES.filter((s) => !isTerminal(s)))
  })
})
