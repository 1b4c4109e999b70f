/**
 * The interactive mode: a line is a command without "shardkv" before it, run on one connection that stays open. Errors are told where
 * they happen and end nothing. Ctrl-C stops waiting for a command: a command that can stop itself is asked first.
 */

import { CliError, ExitCode } from '../exit.ts'
import { otherName } from '../otherNames.ts'
import { messageColorsFor } from '../output.ts'
import { completeLine } from './complete.ts'
import { HISTORY_LINES_MAX, historyPath, openHistory } from './history.ts'
import { splitLine } from './words.ts'
import type { Bus } from '../../bus/port.ts'
import type { CommandShape } from '../completion/shape.ts'
import type { CliIo } from '../io.ts'
import type { Prompt } from './prompt.ts'

export interface ReplSession {
  readonly io: CliIo
  readonly bus: Bus
  readonly run: (args: readonly string[], io: CliIo) => Promise<number>
  /** The commands that make sense here. */
  readonly commands: readonly CommandShape[]
  /** Flags that every line gets unless its command does not know them; what the line itself says comes later and wins. */
  readonly defaults: Readonly<Record<string, string>>
  readonly prompt: string
}

const EXITS: ReadonlySet<string> = new Set(['exit', 'quit'])
const KEYS_MAX = 1_000

interface Running {
  readonly session: ReplSession
  /** Keys that lines have named, for Tab. */
  readonly keys: Set<string>
  /** What Ctrl-C asks of the command that runs; null when none does. */
  interrupt: (() => void) | null
}

/** Resolves with the exit code of the last command that failed, 0 when none did, once the user leaves. */
export const runRepl = async (session: ReplSession): Promise<number> => {
  const { io, commands } = session
  const running: Running = { session, keys: new Set(), interrupt: null }
  const history = await openHistory(io.files, io.isInputTty ? historyPath(io.env) : null)
  const vocabulary = { commands, extra: ['help', ...EXITS], keys: () => running.keys }
  const prompt: Prompt = io.openPrompt({
    history: history.lines,
    historyLinesMax: HISTORY_LINES_MAX,
    complete: (line) => completeLine(line, vocabulary),
    onInterrupt: () => running.interrupt?.(),
  })
  const release = io.beforeKilled(history.save)
  let code = 0
  for (;;) {
    const line = await prompt.ask(session.prompt)
    if (line === null) break
    history.add(line)
    const split = splitLine(line)
    if (split.ok && EXITS.has(split.words[0] ?? '')) break
    const lineCode = split.ok ? await runLine(running, split.words) : complain(io, split.reason)
    if (lineCode !== 0) code = lineCode
  }
  prompt.close()
  await history.save()
  release()
  if (io.isInputTty) io.say('\n')
  return code
}

const runLine = async (running: Running, words: readonly string[]): Promise<number> => {
  const { session, keys } = running
  const [name, ...rest] = withCommandFirst(words, session.commands)
  if (name === undefined || name.startsWith('#')) return 0
  if (name === 'help') return help(session, rest)
  const command = session.commands.find((one) => one.name === name)
  if (command === undefined) return complain(session.io, unknownText(name, session.commands))
  if (command.values[0]?.name === 'key' && rest[0] !== undefined && keys.size < KEYS_MAX) keys.add(rest[0])
  return runCommand(running, [name, ...defaultsFor(command, session.defaults), ...rest])
}

/** `-w json get k` is `get -w json k`, as at the shell (leadingFlags.ts). */
const withCommandFirst = (words: readonly string[], commands: readonly CommandShape[]): readonly string[] => {
  const flags = [...commands, ...commands.flatMap((command) => command.commands)].flatMap((command) => command.flags)
  const takesValue = (word: string): boolean => flags.some(({ names, takes }) => takes !== null && names.includes(word))
  let at = 0
  while (words[at]?.startsWith('-') === true) at += takesValue(words[at] ?? '') ? 2 : 1
  const name = words[at]
  return name === undefined ? words : [name, ...words.slice(0, at), ...words.slice(at + 1)]
}

const unknownText = (name: string, commands: readonly CommandShape[]): string => {
  const here = otherName(name)
  const isHere = here !== null && commands.some((command) => command.name === here.split(' ')[0])
  return isHere ? `"${name}" is "${here}" here; "help ${here}" tells more` : `"${name}" is no command here; "help" lists them`
}

const defaultsFor = ({ flags }: CommandShape, defaults: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(defaults).flatMap(([flag, value]) => (flags.some(({ names }) => names.includes(flag)) ? [flag, value] : []))

/** Runs it with a terminal of its own, which falls silent when the user stops waiting. */
const runCommand = (running: Running, args: readonly string[]): Promise<number> => new Promise((resolve, reject) => {
  const { session: { io, bus, run } } = running
  const handlers = new Set<(count: number) => void>()
  let interrupts = 0
  let isAbandoned = false
  const end = (code: number): void => {
    running.interrupt = null
    resolve(code)
  }
  running.interrupt = () => {
    interrupts += 1
    if (interrupts === 1 && handlers.size > 0) {
      for (const handler of handlers) handler(interrupts)
      return
    }
    isAbandoned = true
    io.say('no longer waiting for it; a write may yet happen\n')
    end(ExitCode.error)
  }
  const lineIo: CliIo = {
    ...io,
    endsValues: true,
    connect: async () => ({ ...bus, close: () => {} }),
    print: async (data) => { if (!isAbandoned) await io.print(data) },
    say: (text) => { if (!isAbandoned) io.say(text.replace(/^shardkv: /, messageColorsFor(io).red('error: '))) },
    readInput: async () => {
      throw new CliError(ExitCode.usage, '-x reads standard input, which is the prompt here: give the value itself')
    },
    onInterrupt: (handler) => {
      handlers.add(handler)
      return () => { handlers.delete(handler) }
    },
  }
  run(args, lineIo).then((code) => { if (!isAbandoned) end(code) }, reject)
})

const complain = (io: CliIo, reason: string): number => {
  io.say(`${messageColorsFor(io).red('error:')} ${reason}\n`)
  return ExitCode.usage
}

const help = async (session: ReplSession, topic: readonly string[]): Promise<number> => {
  const { io, commands, run } = session
  const [first] = topic
  if (first !== undefined) {
    if (!commands.some(({ name }) => name === first)) return complain(io, unknownText(first, commands))
    return run([...topic, '--help'], io)
  }
  const width = Math.max(...commands.map(usageOf).map(({ length }) => length)) + 2
  const rows = commands.map((command) => `  ${usageOf(command).padEnd(width)}${command.description}`)
  await io.print(`${rows.join('\n')}\n  ${'exit, quit, Ctrl-D'.padEnd(width)}leaves\n\n`
    + '"help put" tells more about put. Quote with \'...\' or "..."; Tab completes; Ctrl-C clears the line or stops waiting.\n')
  return 0
}

const usageOf = ({ name, values }: CommandShape): string => [
  name, ...values.map((value) => (value.isOptional ? `[${value.name}]` : `<${value.name}>`)),
].join(' ')
