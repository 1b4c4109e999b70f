/**
 * `shardkv --servers X get k`: flags before the command, as users of the `nats` command write them, are put behind it, where commander
 * expects them. Whether the word behind a flag is its value is read from the commands themselves.
 */

import type { Command } from 'commander'

/** The command line with its command first. What is neither flag nor command stays where it is, for commander to complain about. */
export const commandFirst = (args: readonly string[], program: Command, isInteractive: boolean): readonly string[] => {
  const { flags, names, path, command, rest } = split(args, program)
  if (names.some(isVersion)) return ['version']
  const [word = ''] = rest
  if (command.commands.length > 0 && word !== '' && !isFlag(word)) {
    // `help member drain` is `member drain --help`: commander's own takes one word.
    if (word === 'help') return rest.length === 1 ? args : commandFirst([...path, ...rest.slice(1), '--help'], program, isInteractive)
    // No command: where help is asked for, commander would show that of what stands before it, and be content.
    return args.filter((arg) => !isHelp(arg))
  }
  // `shardkv` alone: a prompt for a person, the help (and exit code 2) for a script.
  if (path.length === 0) return isInteractive && rest.length === 0 && !names.some(isHelp) ? ['repl', ...flags] : args
  // What a bench measures is the first of its own words, and its flags are that question's.
  const question = command.name() === 'bench' ? rest.slice(0, 1).filter((word) => !isFlag(word)) : []
  return [...path, ...question, ...flags, ...rest.slice(question.length)]
}

interface Split {
  /** Before the command, with their values. */
  readonly flags: readonly string[]
  /** The same without: a password may be called -V. */
  readonly names: readonly string[]
  /** The words of the command: `member`, `drain`. */
  readonly path: readonly string[]
  readonly command: Command
  readonly rest: readonly string[]
}

const split = (args: readonly string[], program: Command): Split => {
  const takesValue = flagsOf(program)
  const flags: string[] = []
  const names: string[] = []
  const path: string[] = []
  let command = program
  let at = 0
  while (at < args.length && command.commands.length > 0) {
    const word = args[at] ?? ''
    const member = command.commands.find((one) => one.name() === word)
    if (member !== undefined) {
      path.push(word)
      command = member
      at += 1
    } else if (isFlag(word)) {
      const width = isAlone(word, args[at + 1], { takesValue, command }) ? 1 : 2
      flags.push(...args.slice(at, at + width))
      names.push(word)
      at += width
    } else break
  }
  return { flags, names, path, command, rest: args.slice(at) }
}

const isFlag = (word: string): boolean => /^-./.test(word) && word !== '--'
const isVersion = (word: string): boolean => word === '-V' || word === '--version'
const isHelp = (word: string): boolean => word === '-h' || word === '--help'

interface Known {
  readonly takesValue: ReadonlyMap<string, boolean>
  /** Whose members may follow. */
  readonly command: Command
}

/** The word after it is not its value. Of a flag that nobody knows the next word is taken for its value unless that is a command. */
const isAlone = (word: string, next: string | undefined, { takesValue, command }: Known): boolean => {
  const isJoined = word.startsWith('--') ? word.includes('=') : word.length > 2
  if (isJoined || next === undefined || isVersion(word) || isHelp(word)) return true
  return !(takesValue.get(word) ?? !command.commands.some((one) => one.name() === next))
}

/** By name, whether a flag takes a value: the same for all commands that have one of the name (test/cli/leadingFlags.test.ts). */
const flagsOf = (program: Command): ReadonlyMap<string, boolean> => new Map(everyCommand(program).flatMap(({ options }) =>
  options.flatMap(({ long, short, required, optional }) =>
    [long, short].filter((name) => typeof name === 'string').map((name) => [name, required || optional] as const))))

export const everyCommand = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(everyCommand)]
