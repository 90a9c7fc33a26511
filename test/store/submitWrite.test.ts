import { Effect, Option } from "effect"
import { describe, expect, it } from "vitest"
import { Wake } from "../../src/store/Wake.ts"
import { claim, claimOne, sql, submit, withStore } from "../support/database.ts"

const together = { concurrency: "unbounded" } as const

describe("many submissions in one batch", () => {
  it("become tasks in their order, each with its own texts and what it shares with others", () => withStore(Effect.gen(function*() {
    const pieces = ["name: a\n", "name: b\n"] as const
    const found = yield* Effect.all(Array.from({ length: 20 }, (_, k) => submit({ title: `t${k}`, instruction: `i${k}`, piece: k % 2 === 0 ? "a" : "b", piece_text: pieces[k % 2] ?? "", priority: k % 3 === 0 ? "high" : "low" })), together)
    expect(found.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, k) => k + 1))
    expect((yield* sql("SELECT title, instruction, piece, priority FROM tasks ORDER BY id"))).toEqual(Array.from({ length: 20 }, (_, k) => [`t${k}`, `i${k}`, k % 2 === 0 ? "a" : "b", k % 3 === 0 ? "high" : "low"]))
    expect((yield* sql("SELECT text, count(*) FROM jobs JOIN piece_texts ON hash = piece_hash GROUP BY text ORDER BY text"))).toEqual(pieces.map((text) => [text, 10]))
  })))

  it("with one idempotency key are the first of them", () => withStore(Effect.gen(function*() {
    const found = yield* Effect.all(["one", "two", "three"].map((title) => submit({ title, idempotency_key: "k" })), together)
    expect(found.map(({ id, created }) => [id, created])).toEqual([[1, true], [1, false], [1, false]])
    expect(new Set(found.map(({ job_id }) => job_id)).size).toBe(1)
    expect(yield* sql("SELECT title FROM tasks")).toEqual([["one"]])
  })))

  it("with one key of different owners are different tasks", () => withStore(Effect.gen(function*() {
    const found = yield* Effect.all(["ana", "ben"].map((owner) => submit({ owner, idempotency_key: "k" })), together)
    expect(found.map(({ created }) => created)).toEqual([true, true])
  })))
})

it("a submission holds texts that no database can, with a mark in their place", () => withStore(Effect.gen(function*() {
  yield* submit({ instruction: "a\0b \ud800 😀", title: "\0" })
  expect((yield* claimOne).task).toMatchObject({ instruction: "a\uFFFDb \uFFFD 😀", title: "\uFFFD" })
})))

describe("the wake latch", () => {
  const opened = Effect.gen(function*() {
    return Option.isSome(yield* (yield* Wake).next.pipe(Effect.timeoutOption(20)))
  })

  it("is open after a submission that no claim stood beside", () => withStore(Effect.gen(function*() {
    yield* opened
    yield* Effect.all([submit(), opened], together)
    expect(yield* opened).toBe(true)
  })))

  it("stays shut after one that a claim in its batch could take", () => withStore(Effect.gen(function*() {
    yield* opened
    const [, claimed] = yield* Effect.all([submit(), Effect.andThen(opened, Effect.void), claim()], together).pipe(Effect.map(([one, , jobs]) => [one, jobs] as const))
    expect(claimed).toHaveLength(1)
    expect(yield* opened).toBe(false)
  })))
})
