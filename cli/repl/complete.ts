/** What the Tab key offers in the interactive mode: commands, their flags, values that are known, keys that this session has named. */

import type { CommandShape } from '../completion/shape.ts'

export interface Vocabulary {
  readonly commands: readonly CommandShape[]
  /** Words of the interactive mode itself. */
  readonly extra: readonly string[]
  readonly keys: () => Iterable<string>
}

/** The candidates, and the end of the line that they replace. */
export const completeLine = (
  line: string, { commands, extra, keys }: Vocabulary,
): readonly [candidates: readonly string[], fragment: string] => {
  const words = line.split(/\s+/)
  const fragment = words.at(-1) ?? ''
  const matching = (all: Iterable<string>): readonly string[] =>
    [...all].filter((word) => word.startsWith(fragment)).map((word) => `${word} `).toSorted()
  const names = commands.map(({ name }) => name)
  if (words.length === 1) return [matching([...names, ...extra]), fragment]
  if (words[0] === 'help') return [words.length === 2 ? matching(names) : [], fragment]
  const first = commands.find(({ name }) => name === words[0])
  const members = first?.commands.map(({ name }) => name) ?? []
  if (members.length > 0 && words.length === 2) return [matching(members), fragment]
  const command = first?.commands.find(({ name }) => name === words[1]) ?? first
  if (command === undefined) return [[], fragment]
  const before = command.flags.find(({ names: flagNames, takes }) => takes !== null && flagNames.includes(words.at(-2) ?? ''))
  if (before?.takes) return [matching(before.takes.choices), fragment]
  if (fragment.startsWith('-')) return [matching(command.flags.flatMap((flag) => flag.names)), fragment]
  const isKey = words.length === 2 && command.values[0]?.name === 'key'
  return [matching(isKey ? keys() : command.values.flatMap(({ choices }) => choices)), fragment]
}
