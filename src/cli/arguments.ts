// Reads the words of a command line against a table of flags. Every wrong word is refused by name, with what was probably
// meant. Pure.
import { didYouMean } from "../settings/suggest.ts"
import { CommandFailure, EXIT } from "./failure.ts"

export interface Flag {
  /** With its dashes: `--piece`. */
  readonly name: string
  readonly short?: string
  /** What stands for the value in the help; absent for a switch. */
  readonly value?: string
  readonly many?: boolean
  readonly oneOf?: ReadonlyArray<string>
  readonly help: string
}

export interface Arguments {
  readonly words: ReadonlyArray<string>
  /** Values by flag name without dashes; a switch has one empty value. */
  readonly flags: ReadonlyMap<string, ReadonlyArray<string>>
}

const usage = (message: string): CommandFailure => new CommandFailure(message, EXIT.usage)

/** Flags may stand anywhere before `--`; a lone `-` is a word. */
export const readArguments = (argv: ReadonlyArray<string>, known: ReadonlyArray<Flag>): Arguments => {
  const words: Array<string> = []
  const flags = new Map<string, Array<string>>()
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ""
    if (word === "--") {
      words.push(...argv.slice(i + 1))
      break
    }
    if (!word.startsWith("-") || word === "-") {
      words.push(word)
      continue
    }
    const equals = word.startsWith("--") ? word.indexOf("=") : -1
    const name = equals < 0 ? word : word.slice(0, equals)
    const flag = known.find((one) => one.name === name || one.short === name)
    if (flag === undefined) throw usage(`unknown option ${name}${didYouMean(name, known.map((one) => one.name))}`)
    let value = equals < 0 ? undefined : word.slice(equals + 1)
    if (flag.value === undefined && value !== undefined) throw usage(`${flag.name} takes no value`)
    if (flag.value !== undefined && value === undefined) {
      value = argv[i + 1]
      i += 1
      if (value === undefined || (value.startsWith("--") && value.length > 2)) throw usage(`${flag.name} needs a value: ${flag.name} ${flag.value}`)
    }
    if (flag.oneOf !== undefined && !flag.oneOf.includes(value ?? "")) throw usage(`${flag.name} must be one of ${flag.oneOf.join(", ")}, not "${value ?? ""}"${didYouMean(value ?? "", flag.oneOf)}`)
    const key = flag.name.slice(2)
    const values = flags.get(key) ?? []
    if (values.length > 0 && flag.many !== true) throw usage(`${flag.name} was given twice`)
    flags.set(key, [...values, value ?? ""])
  }
  return { words, flags }
}

export const has = (args: Arguments, name: string): boolean => args.flags.has(name)
export const valueOf = (args: Arguments, name: string): string | undefined => args.flags.get(name)?.[0]
export const valuesOf = (args: Arguments, name: string): ReadonlyArray<string> => args.flags.get(name) ?? []

/** Lines of a help text for flags, aligned. */
export const flagLines = (flags: ReadonlyArray<Flag>): Array<string> => {
  const heads = flags.map((flag) => `${flag.short === undefined ? "" : `${flag.short}, `}${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`)
  const width = Math.max(...heads.map((head) => head.length))
  return flags.map((flag, i) => `  ${(heads[i] ?? "").padEnd(width)}  ${flag.help}`)
}
