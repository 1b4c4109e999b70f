/** A completion script for bash (3.2 and newer), from the shapes of the commands. Plain words only: no process is started to complete. */

import type { CommandShape, FlagShape, ProgramShape, ValueShape } from './shape.ts'

export const bashScript = ({ commands, leadingFlags }: ProgramShape): string => {
  const leaves = commands.flatMap(leavesOf)
  return [
    '# bash completion for shardkv. To load it now: source <(shardkv completion bash)',
    '# For every shell: shardkv completion bash > ~/.local/share/bash-completion/completions/shardkv',
    ...skipper(leadingFlags),
    ...offerer(leadingFlags),
    '_shardkv() {',
    '  local words; words=("${COMP_WORDS[@]}")',
    '  local at="$COMP_CWORD" isValue= command=',
    '  local current="${words[at]}" previous="${words[at-1]}"',
    '  if [ "$current" = "=" ]; then current=; elif [ "$previous" = "=" ]; then previous="${words[at-2]}"; fi',
    '  COMPREPLY=()',
    '  _shardkv_skip 1',
    '  if [ -z "$isValue" ]; then',
    `    if [ "$at" -eq 1 ]; then _shardkv_offer ${quoted(commands.map(({ name }) => name))}; return; fi`,
    '    command="${words[1]}"',
    '  fi',
    ...familyCases(commands),
    '  case "$command $previous" in',
    ...valueCases([...leaves, beforeCommand(leadingFlags)]),
    '  esac',
    '  case "$command" in',
    ...leaves.flatMap(commandCase),
    '  esac',
    '}',
    'complete -F _shardkv shardkv',
  ].join('\n')
}

/** While a value of a flag before the command is typed, there is none. */
const beforeCommand = (flags: readonly FlagShape[]): CommandShape =>
  ({ name: '', description: '', flags, values: [], commands: [] })

/**
 * Takes flags and their values out of the line, from word $1 to the first that is none. Bash has cut values at `:` and `=`, where one
 * goes on. Where a value is what is being typed they stay, and `isValue` says so.
 */
const skipper = (flags: readonly FlagShape[]): readonly string[] => [
  '_shardkv_skip() {',
  '  local next="$1"',
  '  while [ "$next" -lt "$at" ]; do',
  '    case "${words[next]}" in',
  `      ${flags.flatMap(({ names, takes }) => (takes === null ? [] : names)).join('|')})`,
  '        next=$((next + 2)); if [ "${words[next-1]}" = "=" ]; then next=$((next + 1)); fi ;;',
  '      :|=) next=$((next + 2)) ;;',
  '      -*) next=$((next + 1)) ;;',
  '      *) break ;;',
  '    esac',
  '  done',
  '  if [ "$next" -gt "$at" ]; then isValue=1; return; fi',
  '  words=("${words[@]:0:$1}" "${words[@]:next}")',
  '  at=$((at - next + $1))',
  '}',
]

/** Words, or what may stand before them. */
const offerer = (flags: readonly FlagShape[]): readonly string[] => [
  '_shardkv_offer() {',
  `  if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W ${quoted(flags.flatMap(({ names }) => names))} -- "$current"))`,
  '  else COMPREPLY=($(compgen -W "$1" -- "$current")); fi',
  '}',
]

/** A family's members under both their words: `member drain`. */
const leavesOf = (shape: CommandShape): readonly CommandShape[] =>
  (shape.commands.length === 0 ? [shape] : shape.commands.map((member) => ({ ...member, name: `${shape.name} ${member.name}` })))

/** The second word of a family is one of its members, and both words are the command from then on. Flags may stand between them. */
const familyCases = (commands: readonly CommandShape[]): readonly string[] => {
  const families = commands.filter((shape) => shape.commands.length > 0)
  if (families.length === 0) return []
  return [
    '  local members=',
    '  case "$command" in',
    ...families.map((shape) => `    ${shape.name}) members=${quoted(shape.commands.map(({ name }) => name))} ;;`),
    '  esac',
    '  if [ -n "$members" ]; then',
    '    _shardkv_skip 2',
    '    if [ -n "$isValue" ]; then command=',
    '    elif [ "$at" -eq 2 ]; then _shardkv_offer "$members"; return',
    '    else command="$command ${words[2]}"; fi',
    '  fi',
  ]
}

/** After a flag that takes a value, only that value: nothing when nobody can guess it. Flags that mean the same are one case. */
const valueCases = (commands: readonly CommandShape[]): readonly string[] => {
  const byCure = new Map<string, string[]>()
  for (const { name, flags } of commands) {
    for (const { names, takes } of flags) {
      if (takes === null) continue
      const cure = replyOf(takes)
      byCure.set(cure, [...byCure.get(cure) ?? [], ...names.map((flag) => `"${name} ${flag}"`)])
    }
  }
  return [...byCure].flatMap(([cure, patterns]) => [`    ${patterns.join('|')})`, `      ${cure}`, '      return ;;'])
}

const commandCase = ({ name, flags, values }: CommandShape): readonly string[] => {
  const words = flags.flatMap(({ names }) => names)
  return [
    `    "${name}")`,
    `      if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W ${quoted(words)} -- "$current"))`,
    `      else ${values.map(replyOf).find((reply) => reply !== NOTHING) ?? NOTHING}`,
    '      fi ;;',
  ]
}

const NOTHING = ':'

const replyOf = ({ choices, isFile }: ValueShape): string => {
  if (choices.length > 0) return `COMPREPLY=($(compgen -W ${quoted(choices)} -- "$current"))`
  return isFile ? 'COMPREPLY=($(compgen -f -- "$current"))' : NOTHING
}

/** Names of commands, flags and choices hold no quotes. */
const quoted = (words: readonly string[]): string => `"${words.join(' ')}"`
