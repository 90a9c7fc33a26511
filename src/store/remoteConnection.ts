// A sqld or Turso primary that many nodes share. A batch is one round trip; its reply can be lost, which looks like any
// other failure here and is made good by writing the same batch again (every operation has an id or a guard).
import { createClient } from "@libsql/client"
import type { ResultSet } from "@libsql/client"
import { StoreError } from "../job/errors.ts"
import { toStoreError } from "./failure.ts"
import type { Connection, Rows, SqlValue, Statement } from "./sql.ts"

/** A primary that does not answer for this long counts as unreachable. */
const CALL_TIMEOUT_MS = 10_000

export const openRemote = (url: string, auth_token: string | null): Connection => {
  const client = attempt(() => createClient({ url, intMode: "number", ...(auth_token === null ? {} : { authToken: auth_token }) }))
  return {
    kind: "remote",
    batch: (statements) => bounded(url, client.batch(statements.map(toClient), "write")).then((results) => results.map(toRows)),
    read: (statement) => bounded(url, client.execute(toClient(statement))).then(toRows),
    close: () => client.close(),
  }
}

const toClient = ({ sql, args }: Statement) => ({ sql, args: [...args] })

const toRows = (result: ResultSet): Rows =>
  result.rows.map((row) => result.columns.map((_, k) => row[k] as SqlValue))

const bounded = async <A>(url: string, call: Promise<A>): Promise<A> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new StoreError({ reason: "unreachable", detail: `${url} did not answer within ${CALL_TIMEOUT_MS / 1000} s` })), CALL_TIMEOUT_MS)
  try {
    return await Promise.race([call, promise])
  } catch (cause) {
    throw withUrl(toStoreError(cause, true), url)
  } finally {
    clearTimeout(timer)
  }
}

const withUrl = (error: StoreError, url: string): StoreError =>
  error.reason === "unreachable" && !error.detail.includes(url) ? new StoreError({ reason: "unreachable", detail: `${url} cannot be reached: ${error.detail}` }) : error

const attempt = <A>(body: () => A): A => {
  try {
    return body()
  } catch (cause) {
    throw toStoreError(cause, true)
  }
}
