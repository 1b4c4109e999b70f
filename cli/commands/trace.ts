/** `shardkv trace`: one request's conversation as a sequence diagram, or the requests that are worth one. */

import { createAdminClient } from '../admin/client.ts'
import { adminCommand } from '../admin/command.ts'
import { CliError, ExitCode } from '../exit.ts'
import { flag, wholeNumber } from '../flags.ts'
import { printResult, tabbed } from '../output.ts'
import { table } from '../table.ts'
import { millis, sequenceDiagram } from '../trace/diagram.ts'
import type { Command } from 'commander'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { KeptRequest } from '../../observe/recorder/requests.ts'
import type { AdminClient } from '../admin/client.ts'
import type { AdminCommandFlags } from '../admin/command.ts'
import type { CliIo } from '../io.ts'

const COLUMNS_DEFAULT = 110
const LIMIT_MAX = 500
const LIMIT_DEFAULT = 20

interface TraceFlags extends AdminCommandFlags {
  readonly probe?: boolean
  readonly key?: string
  readonly slowest?: boolean
  readonly failed?: boolean
  readonly limit: number
}

interface Journey {
  readonly trace: string
  readonly records: readonly ActorRecord[]
  readonly missing: readonly string[]
}

export const traceCommand = (io: CliIo): Command => adminCommand('trace')
  .description('shows the way of one request through the nodes, or a list of them')
  .argument('[id]', 'a trace id of 32 hex digits; without it the requests that are kept are listed')
  .addOption(flag('--probe', 'send a put and a get of a reserved key, and show them'))
  .addOption(flag('--key <key>', 'with --probe, only read this key; else list requests of this key'))
  .addOption(flag('--slowest', 'list the slowest first'))
  .addOption(flag('--failed', 'list only those that failed'))
  .addOption(flag('--limit <count>', 'how many to list').argParser(wholeNumber(1, LIMIT_MAX)).default(LIMIT_DEFAULT))
  .addHelpText('after', '\nKept are sampled requests (traceparent), those above 100 ms, and those that failed.\n'
    + '\nExamples:\n  $ shardkv trace --probe\n  $ shardkv trace --slowest\n  $ shardkv trace 4bf92f3577b34da6a3ce929d0e0e4736')
  .action(async (id: string | undefined, flags: TraceFlags) => {
    const client = createAdminClient(io, flags)
    if (flags.probe === true) await probe(io, client, flags)
    else if (id === undefined) await list(io, client, flags)
    else await show(io, flags, await journeyOf(client, id))
  })

const journeyOf = async (client: AdminClient, id: string): Promise<Journey> => {
  const journey = await client.get<Journey>(`/v1/requests/${encodeURIComponent(id)}`)
  if (journey.records.length > 0) return journey
  throw new CliError(ExitCode.notFound, `no node remembers a request with the trace ${id}: "shardkv trace" lists those that are kept`)
}

const probe = async (io: CliIo, client: AdminClient, flags: TraceFlags): Promise<void> => {
  const body = flags.key === undefined ? {} : { key: flags.key }
  const { trace } = await client.change<{ readonly trace: readonly string[] }>({ path: '/v1/probe', body })
  for (const id of trace) await show(io, flags, await journeyOf(client, id))
}

const show = (io: CliIo, flags: TraceFlags, { trace, records, missing }: Journey): Promise<void> => {
  const columns = io.terminal?.size().columns ?? COLUMNS_DEFAULT
  const lines = [titleOf(trace, records), '', ...sequenceDiagram(records, columns), '']
  if (missing.length > 0) lines.push(`without ${missing.join(', ')}, which did not answer`, '')
  return printResult(io, flags.writeOut, {
    raw: tabbed(records.map(({ at, node, actor, kind, event, peer = '', micros = '' }) => [at, node, actor, kind, event, peer, micros])),
    json: { trace, records, missing },
    table: lines.join('\n'),
  })
}

const titleOf = (trace: string, records: readonly ActorRecord[]): string => {
  const first = records.find(({ event }) => event === 'arrive')
  const last = records.find(({ event }) => event === 'reply')
  const { op = '', key = '', status = 'no answer recorded' } = { ...first?.detail, ...last?.detail }
  const took = last?.micros === undefined ? '' : ` in ${millis(last.micros / 1_000)}`
  return `${op} ${key}  shard ${last?.shard ?? first?.shard ?? '?'}  ${status}${took}  trace ${trace}`
}

const list = async (io: CliIo, client: AdminClient, { slowest, failed, key, limit, writeOut }: TraceFlags): Promise<void> => {
  const query = [
    `order=${slowest === true ? 'slowest' : 'newest'}`, `limit=${limit}`, ...(failed === true ? ['failed=1'] : []),
    ...(key === undefined ? [] : [`key=${encodeURIComponent(key)}`]),
  ]
  const answer = await client.get<{ readonly requests: readonly KeptRequest[] }>(`/v1/requests?${query.join('&')}`)
  const rows = answer.requests.map((request) => [
    request.trace, new Date(request.at).toISOString(), request.node, request.op, String(request.shard), request.status,
    millis(request.micros / 1_000), request.key,
  ])
  await printResult(io, writeOut, {
    raw: tabbed(rows), json: answer,
    table: rows.length === 0 ? 'nothing is kept: no request was sampled, slow, or failed; --probe sends one'
      : table(['TRACE', 'WHEN', 'NODE', 'OP', 'SHARD', 'STATUS', 'TOOK', 'KEY'], rows, { numeric: [4, 6] }),
  })
}
