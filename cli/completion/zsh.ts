/** A completion script for zsh, from the shapes of the commands: names with their descriptions, values where they are known. */

import type { CommandShape, FlagShape, ProgramShape, ValueShape } from './shape.ts'

export const zshScript = ({ commands, leadingFlags }: ProgramShape): string => [
  '#compdef shardkv',
  '# zsh completion for shardkv. To load it now: source <(shardkv completion zsh)',
  '# For every shell: shardkv completion zsh > "${fpath[1]}/_shardkv"',
  '_shardkv() {',
  '  local state line',
  '  local -a leading commands',
  '  leading=(',
  ...leadingFlags.flatMap(flagSpecs).map((spec) => `    ${spec}`),
  '  )',
  '  commands=(',
  ...commands.map(({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(':', '\\:')}`)}`),
  '  )',
  `  ${THEN_WORDS} "1: :->command" "*:: :->rest"`,
  '  case "$state" in',
  '    command) _describe -t commands "shardkv command" commands ;;',
  '    rest)',
  '      case "${line[1]}" in',
  ...commands.flatMap((shape) => (shape.commands.length === 0 ? commandCase(shape) : familyCase(shape))),
  '      esac ;;',
  '  esac',
  '}',
  '# Loaded from fpath, this file is the function; sourced, it registers it.',
  'if [ "${funcstack[1]}" = "_shardkv" ]; then _shardkv "$@"; else compdef _shardkv shardkv; fi',
].join('\n')

/** Flags that stand before a word; those behind it are left to the command, whatever they are. */
const THEN_WORDS = '_arguments -C -A "-*" $leading'

const commandCase = ({ name, flags, values }: CommandShape): readonly string[] => [
  `        ${name})`,
  '          _arguments \\',
  ...[...flags.flatMap(flagSpecs), ...values.map((value, i) => quoted(`${i + 1}:${value.name}:${actionOf(value)}`))]
    .map((spec) => `            ${spec} \\`),
  '            ;;',
]

/** One level further down: the member is the first word that is left, and what follows is its own. */
const familyCase = ({ name, commands }: CommandShape): readonly string[] => [
  `        ${name})`,
  '          local -a members',
  '          members=(',
  ...commands.map((member) => `            ${quoted(`${member.name}:${member.description.replaceAll(':', '\\:')}`)}`),
  '          )',
  `          ${THEN_WORDS} "1: :->member" "*:: :->ofMember"`,
  '          case "$state" in',
  '            member) _describe -t commands "command" members ;;',
  '            ofMember)',
  '              case "${line[1]}" in',
  ...commands.flatMap(commandCase),
  '              esac ;;',
  '          esac',
  '          ;;',
]

/** `(--long -s)--long[description]:value:action`: either name excludes both from then on. */
const flagSpecs = ({ names, description, takes }: FlagShape): readonly string[] => names.map((name) => {
  const value = takes === null ? '' : `:${takes.name}:${actionOf(takes)}`
  return quoted(`(${names.join(' ')})${name}[${description.replaceAll(/[\][\\:]/g, '\\$&')}]${value}`)
})

const actionOf = ({ choices, isFile }: ValueShape): string => {
  if (choices.length > 0) return `(${choices.join(' ')})`
  return isFile ? '_files' : ' '
}

const quoted = (text: string): string => `'${text.replaceAll('\'', '\'\\\'\'')}'`
