/**
 * What can be typed, read from the commander program itself: a command or flag that is added is completed at once, in bash, in zsh and
 * in the interactive mode.
 */

import { everyCommand } from '../leadingFlags.ts'
import type { Command, Option } from 'commander'

export interface FlagShape {
  /** `--write-out`, and `-w` where there is one. */
  readonly names: readonly string[]
  readonly description: string
  readonly takes: ValueShape | null
}

export interface ValueShape {
  readonly name: string
  readonly choices: readonly string[]
  readonly isFile: boolean
  readonly isOptional: boolean
}

export interface CommandShape {
  readonly name: string
  readonly description: string
  readonly flags: readonly FlagShape[]
  readonly values: readonly ValueShape[]
  /** Of a command that is a family, such as `member`: `list`, `drain` and so on. It takes nothing itself. */
  readonly commands: readonly CommandShape[]
}

export interface ProgramShape {
  readonly commands: readonly CommandShape[]
  /** What may stand before the command: the flags of all of them, and those of the program itself, each once. */
  readonly leadingFlags: readonly FlagShape[]
}

const FILE_NAMES: ReadonlySet<string> = new Set(['file', 'path', 'directory'])

export const programShapeOf = (program: Command): ProgramShape => {
  const flags = everyCommand(program).flatMap((command) => command.createHelp().visibleOptions(command).map(flagShape))
  const byName = new Map<string, FlagShape>()
  for (const flag of flags) byName.set(flag.names[0] ?? '', better(byName.get(flag.names[0] ?? ''), flag))
  return { commands: shapesOf(program), leadingFlags: [...byName.values()] }
}

/** Of two flags of one name the one whose value can be completed. */
const better = (known: FlagShape | undefined, flag: FlagShape): FlagShape =>
  (known === undefined || (!isCompleted(known) && isCompleted(flag)) ? flag : known)

const isCompleted = ({ takes }: FlagShape): boolean => takes !== null && (takes.isFile || takes.choices.length > 0)

export const shapesOf = (program: Command): readonly CommandShape[] => {
  const visible = program.createHelp().visibleCommands(program)
  const names = visible.map((command) => command.name())
  return visible.map((command): CommandShape => ({
    name: command.name(),
    description: command.description(),
    flags: command.createHelp().visibleOptions(command).map(flagShape),
    values: command.name() === 'help'
      ? [valueShape('command', names.filter((name) => name !== 'help'), true)]
      : command.registeredArguments.map((argument) => valueShape(argument.name(), argument.argChoices, !argument.required)),
    commands: command.commands.length === 0 ? [] : shapesOf(command),
  }))
}

const flagShape = (option: Option): FlagShape => ({
  names: [option.long, option.short].filter((name) => name !== undefined && name !== null),
  description: option.description,
  takes: option.required || option.optional
    ? valueShape(/<([^>]+)>/.exec(option.flags)?.[1] ?? 'value', option.argChoices, option.optional)
    : null,
})

const valueShape = (name: string, choices: readonly string[] | undefined, isOptional: boolean): ValueShape =>
  ({ name, choices: choices ?? [], isFile: FILE_NAMES.has(name), isOptional })
