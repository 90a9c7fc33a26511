// The text of one call, as it is generated, → the deltas of an OpenAI tool call: the name as soon as it is known, then
// the arguments in pieces. The grammar has made sure of the form. Pure, but for the text it holds.

export interface CallDelta {
  readonly index: number
  readonly id: string
  /** Set in the first delta of a call. */
  readonly name: string | null
  readonly arguments: string
}

const HEADER = /^\s*\{"name":\s*("(?:[^"\\]|\\.)*"),\s*"arguments":\s*/

export class CallStream {
  readonly index: number
  readonly id: string
  /** The whole text, for the context that comes after it. */
  text = ""
  name: string | null = null
  arguments = ""
  #sent = 0

  constructor(index: number, id: string) {
    this.index = index
    this.id = id
  }

  /** The last character is held back: it may be the brace that closes the call and is no part of the arguments. */
  push(piece: string): CallDelta | null {
    this.text += piece
    const header = HEADER.exec(this.text)
    if (header === null) return null
    const body = this.text.slice(header[0].length, -1)
    const fresh = body.slice(this.#sent)
    const first = this.name === null
    if (first) this.name = String(JSON.parse(header[1] ?? "\"\""))
    if (!first && fresh === "") return null
    this.#sent = body.length
    this.arguments += fresh
    return { index: this.index, id: this.id, name: first ? this.name : null, arguments: fresh }
  }
}
