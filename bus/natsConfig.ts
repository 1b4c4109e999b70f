/**
 * The text of nats-server's configuration: the mappings that make the broker route, the permissions that keep clients and nodes
 * to their own subjects, and a whole file for a server that the launcher starts.
 *
 * Publish permissions are checked on the *mapped* subject, which is why what a client's request becomes stays under its prefix.
 * A node may speak under its own name only: the last token of every internal subject is the sender. Replies and requests
 * share one account: account imports rewrite replies and bypass mappings.
 */

import { assert } from '../actors/kernel/assert.ts'
import { SHARD_COUNT_MAX, isShardCount } from '../topology/ids.ts'
import { ROUTING_CHECK_OP, STATUS_OP, nodesInbox, prefixProblem, serviceWildcard } from './subjects.ts'
import type { ClusterId, NodeId } from '../topology/ids.ts'

/** `$NAME` as a password is left to nats-server, which takes it from its environment. */
export interface BrokerUser {
  readonly user: string
  readonly password: string
}

export interface NodeUser extends BrokerUser {
  readonly node: NodeId
}

export interface MappingsInput {
  readonly prefix: string
  readonly shardCount: number
}

export interface PermissionsInput {
  readonly cluster: ClusterId
  readonly prefix: string
  readonly nodes: readonly NodeUser[]
  readonly clients: readonly BrokerUser[]
}

export interface ServerConfigInput extends MappingsInput {
  readonly host: string
  readonly port: number
  readonly pidFile?: string
  readonly maxPayloadBytes?: number
  readonly permissions?: Omit<PermissionsInput, 'prefix'>
}

interface Allowed {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
  /** Of what `subscribe` covers: answers between nodes are not for clients. */
  readonly unheard?: readonly string[]
}

const MAX_PAYLOAD_BYTES = 1_024 * 1_024
const INBOX = '_INBOX'
const INBOXES = `${INBOX}.>`

export const mappingsBlock = ({ prefix, shardCount }: MappingsInput): string => {
  assert(prefixProblem(prefix) === null, prefixProblem(prefix) ?? '')
  assert(isShardCount(shardCount), `shard count ${shardCount} is 1 to ${SHARD_COUNT_MAX}`)
  const slot = `${prefix}.slot.{{partition(${shardCount},2)}}.{{wildcard(1)}}.{{wildcard(2)}}`
  return [
    'mappings = {',
    `  "${prefix}.*.*":   "${slot}"`,
    `  "${prefix}.*.*.*": "${slot}.{{wildcard(3)}}"`,
    '}',
    '',
  ].join('\n')
}

/** What a node may do: speak under its own name, hear what is for it, answer clients, and find out how the broker routes. */
export const nodePermissions = (cluster: ClusterId, prefix: string, node: NodeId): Allowed => ({
  publish: [
    `skv.${cluster}.*.*.${node}`,
    INBOXES,
    `${prefix}-changed.>`,
    `${prefix}.${STATUS_OP}`,
    `${prefix}.${ROUTING_CHECK_OP}.*`,
    `${prefix}.slot.*.${ROUTING_CHECK_OP}.*`,
  ],
  subscribe: [
    `skv.${cluster}.*.${node}.*`,
    `skv.${cluster}.*.all.*`,
    `${prefix}.slot.>`,
    `${prefix}.to.${node}.>`,
    `${prefix}.*`,
    `${prefix}.*.*`,
    `${prefix}.*.*.*`,
    serviceWildcard,
    INBOXES,
  ],
})

export const clientPermissions = (prefix: string): Allowed => ({
  publish: [`${prefix}.>`, serviceWildcard],
  subscribe: [INBOXES, `${prefix}-changed.>`],
  unheard: [`${nodesInbox(INBOX)}.>`],
})

/** An `authorization` block: whoever is not named may not connect, and what is not allowed is denied. */
export const permissionsBlock = ({ cluster, prefix, nodes, clients }: PermissionsInput): string => [
  'authorization = {',
  '  users = [',
  ...nodes.flatMap((user) => userLines(user, nodePermissions(cluster, prefix, user.node))),
  ...clients.flatMap((user) => userLines(user, clientPermissions(prefix))),
  '  ]',
  '}',
  '',
].join('\n')

const userLines = ({ user, password }: BrokerUser, allowed: Allowed): readonly string[] => [
  '    {',
  `      user = ${quoted(user)}, password = ${isVariable(password) ? password : quoted(password)}`,
  '      permissions = {',
  ...allowLines('publish', allowed.publish),
  ...allowLines('subscribe', allowed.subscribe, allowed.unheard),
  '      }',
  '    }',
]

const allowLines = (what: 'publish' | 'subscribe', subjects: readonly string[], denied: readonly string[] = []): readonly string[] => [
  `        ${what} = { allow = [`,
  ...subjects.map((subject) => `          ${quoted(subject)}`),
  denied.length === 0 ? '        ] }' : `        ], deny = [${denied.map(quoted).join(', ')}] }`,
]

const isVariable = (text: string): boolean => /^\$[A-Z][A-Z0-9_]*$/.test(text)

/** JSON's escapes are nats-server's for quotes and backslashes; control characters have no business in a name or a password. */
const quoted = (text: string): string => {
  assert(/^[\x20-\x7e]+$/.test(text), 'a name or password in a configuration is printable ASCII')
  return JSON.stringify(text)
}

/** A whole configuration. No JetStream: ShardKV never puts it on the data path. */
export const serverConfig = (input: ServerConfigInput): string => [
  `listen = ${quoted(`${input.host}:${input.port}`)}`,
  ...(input.pidFile === undefined ? [] : [`pid_file = ${quoted(input.pidFile)}`]),
  `max_payload = ${input.maxPayloadBytes ?? MAX_PAYLOAD_BYTES}`,
  '',
  '# A client that stops answering is cut after two of these.',
  'ping_interval = "5s"',
  'ping_max = 2',
  '',
  '# A request for a key goes straight to the leader of its shard.',
  mappingsBlock(input),
  ...(input.permissions === undefined ? [] : [permissionsBlock({ ...input.permissions, prefix: input.prefix })]),
].join('\n')
