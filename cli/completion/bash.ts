/** A completion script for bash (3.2 and newer), from the shapes of the commands. Plain words only: no process is started to complete. */

import type { CommandShape, ValueShape } from './shape.ts'

export const bashScript = (commands: readonly CommandShape[]): string => [
  '# bash completion for shardkv. To load it now: source <(shardkv completion bash)',
  '# For every shell: shardkv completion bash > ~/.local/share/bash-completion/completions/shardkv',
  '_shardkv() {',
  '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}"',
  '  COMPREPLY=()',
  '  if [ "$COMP_CWORD" -eq 1 ]; then',
  `    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name))} -- "$current"))`,
  '    return',
  '  fi',
  '  case "$command $previous" in',
  ...valueCases(commands),
  '  esac',
  '  case "$command" in',
  ...commands.flatMap(commandCase),
  '  esac',
  '}',
  'complete -F _shardkv shardkv',
].join('\n')

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
    `    ${name})`,
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
