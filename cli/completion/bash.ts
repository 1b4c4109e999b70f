/** A completion script for bash (3.2 and newer), from the shapes of the commands. Plain words only: no process is started to complete. */

import type { CommandShape, ValueShape } from './shape.ts'

export const bashScript = (commands: readonly CommandShape[]): string => {
  const leaves = commands.flatMap(leavesOf)
  return [
    '# bash completion for shardkv. To load it now: source <(shardkv completion bash)',
    '# For every shell: shardkv completion bash > ~/.local/share/bash-completion/completions/shardkv',
    '_shardkv() {',
    '  local words; words=("${COMP_WORDS[@]}")',
    '  local at="$COMP_CWORD"',
    '  COMPREPLY=()',
    ...withoutLeadingFlags(leaves),
    '  local current="${words[at]}" previous="${words[at-1]}" command="${words[1]}"',
    '  if [ "$at" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name))} -- "$current"))`,
    '    return',
    '  fi',
    ...familyCases(commands),
    '  case "$command $previous" in',
    ...valueCases(leaves),
    '  esac',
    '  case "$command" in',
    ...leaves.flatMap(commandCase),
    '  esac',
    '}',
    'complete -F _shardkv shardkv',
  ].join('\n')
}

/**
 * Flags before the command are passed over, with their values. Bash has cut those at `:` and `=`, where an address goes on. Where one of
 * them is being typed there is nothing to offer.
 */
const withoutLeadingFlags = (leaves: readonly CommandShape[]): readonly string[] => {
  const valued = new Set(leaves.flatMap(({ flags }) => flags.flatMap(({ names, takes }) => (takes === null ? [] : names))))
  return [
    '  local first=1',
    '  while [ "$first" -lt "$at" ]; do',
    '    case "${words[first]}" in',
    `      ${[...valued].join('|')}) first=$((first + 2)); if [ "\${words[first-1]}" = "=" ]; then first=$((first + 1)); fi ;;`,
    '      :|=) first=$((first + 2)) ;;',
    '      -*) first=$((first + 1)) ;;',
    '      *) break ;;',
    '    esac',
    '  done',
    '  if [ "$first" -gt "$at" ]; then return; fi',
    '  words=("${words[0]}" "${words[@]:first}")',
    '  at=$((at - first + 1))',
  ]
}

/** A family's members under both their words: `member drain`. */
const leavesOf = (shape: CommandShape): readonly CommandShape[] =>
  (shape.commands.length === 0 ? [shape] : shape.commands.map((member) => ({ ...member, name: `${shape.name} ${member.name}` })))

/** The second word of a family is one of its members, and both words are the command from then on. */
const familyCases = (commands: readonly CommandShape[]): readonly string[] => {
  const families = commands.filter((shape) => shape.commands.length > 0)
  if (families.length === 0) return []
  return [
    '  local members=',
    '  case "$command" in',
    ...families.map((shape) => `    ${shape.name}) members=${quoted(shape.commands.map(({ name }) => name))} ;;`),
    '  esac',
    '  if [ -n "$members" ]; then',
    '    if [ "$at" -eq 2 ]; then COMPREPLY=($(compgen -W "$members" -- "$current")); return; fi',
    '    command="$command ${words[2]}"',
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
