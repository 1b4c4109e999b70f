/**
 * What makes a node more. A process that runs somewhere adds itself (topology/ownMembership.ts), so this command line can but say which
 * line to type there, once it has looked whether that would be taken.
 */

import { CliError, ExitCode } from '../exit.ts'
import type { NodesAnswer } from '../../gateway/admin/views.ts'

interface NodeToAdd {
  /** Undefined: it shall choose a name. */
  readonly id: string | undefined
  readonly weight: number
  readonly zone: string
}

/** For the new machine, where the broker's address is known. */
export const joinLine = ({ id, weight, zone }: NodeToAdd): string => [
  'shardkv node --join',
  ...(id === undefined ? [] : [`--id ${id} --dir ./${id}`]),
  '--servers nats://HOST:4222',
  ...(weight === 1 ? [] : [`--weight ${weight}`]),
  ...(zone === '' ? [] : [`--zone ${zone}`]),
].join(' ')

/** Throws where a node of that name is there already. */
export const refuseMember = ({ nodes }: NodesAnswer, { id }: NodeToAdd): void => {
  const known = nodes.find((node) => node.id === id)
  if (known === undefined || known.state === 'left') return
  const cure = known.state === 'draining' ? `it drains: "shardkv member activate ${known.id}" ends that`
    : `start it where its data is; if that is lost, choose another name, and then "shardkv member drain ${known.id}"`
  throw new CliError(ExitCode.error, `nodeExists: ${known.id} is a member already\n  ${cure}`)
}

export const addingText = (node: NodeToAdd): string => [
  'nothing was changed: a node adds itself. On its machine, with the broker\'s address in place of HOST:',
  '',
  `  ${joinLine(node)}`,
  '',
  ...(node.id === undefined ? ['it chooses a name and says it; --id gives it one'] : []),
  'a broker that asks for a login needs a user for it first: "shardkv nats-config --nodes ..." names all nodes',
  'then "shardkv plan --follow" here shows its replicas arrive',
].join('\n')
