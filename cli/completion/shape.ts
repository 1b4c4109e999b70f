/**
 * What can be typed, read from the commander program itself: a command or flag that is added is completed at once, in bash, in zsh and
 * in the interactive mode.
 */

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

const FILE_NAMES: ReadonlySet<string> = new Set(['file', 'path', 'directory'])

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
