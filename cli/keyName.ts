/** From what a person typed to a key's full name. */

import { CliError, ExitCode } from './exit.ts'

/** UTF-8 bytes as a binary string; with a partition, `{partition}key`. */
export const fullName = (key: string, partition?: string): string => {
  const name = binary(key)
  if (partition === undefined) {
    if (name.startsWith('{')) throw new CliError(ExitCode.usage, 'a key does not start with {; give the partition with --partition')
    return name
  }
  if (partition === '' || partition.includes('}')) throw new CliError(ExitCode.usage, 'a partition is not empty and holds no }')
  return `{${binary(partition)}}${name}`
}

const binary = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
