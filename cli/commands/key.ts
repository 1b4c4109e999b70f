/** `put`, `get`, `del`, `incr` and `touch`: one request on one key each. */

import { Command, InvalidArgumentError } from 'commander'
import { TTL_MS_MAX } from '../../actors/shard/operation.ts'
import { DECIMAL_MAX, requestIdProblem } from '../../bus/headers.ts'
import { createKvClient } from '../client.ts'
import { answerOrThrow } from '../answers.ts'
import { CliError, ExitCode } from '../exit.ts'
import { duration, flag, wholeNumber, withClusterFlags, withFormatFlag, withTimeoutFlag } from '../flags.ts'
import { withBus } from '../session.ts'
import { fullName } from '../keyName.ts'
import { printResult, recordResult } from '../output.ts'
import { readableOf, textOf } from '../valueText.ts'
import type { KvAnswer, KvRequest } from '../client.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface KeyFlags extends ClusterFlags {
  readonly timeout: number
  readonly partition?: string
  readonly writeOut: OutputFormat
  readonly requestId?: string
}

interface WriteFlags extends KeyFlags {
  readonly ttl?: number
  readonly ifRevision?: number
  readonly x?: boolean
}

interface GetFlags extends KeyFlags {
  readonly consistency?: string
}

export const keyCommands = (io: CliIo): Command[] => [putCommand(io), getCommand(io), delCommand(io), incrCommand(io), touchCommand(io)]

const putCommand = (io: CliIo): Command => keyCommand(io, 'put', 'writes a value and prints its revision')
  .argument('<key>').argument('[value]')
  .option('-x', 'read the value from standard input, byte for byte')
  .addOption(flag('--ttl <time>', 'expires after so long: milliseconds, or with a unit (30s)').argParser(duration(1, TTL_MS_MAX)))
  .addOption(ifRevisionFlag())
  .addOption(requestIdFlag())
  .addHelpText('after', '\nExamples:\n  $ shardkv put user42 Ada\n  $ shardkv put email ada@example.org --partition user42\n'
    + '  $ shardkv put config -x < config.json\n  $ shardkv put lock me --if-revision 0 --ttl 30s')
  .action(async (key: string, value: string | undefined, flags: WriteFlags) => {
    const data = await valueOf(io, value, flags.x === true)
    await run(io, flags, {
      op: 'put', key: fullName(key, flags.partition), value: data, requestId: flags.requestId ?? io.newId(),
      headers: { ...ttlHeader(flags.ttl), ...revisionHeader(flags.ifRevision) },
    })
  })

const getCommand = (io: CliIo): Command => keyCommand(io, 'get', 'prints the value of a key')
  .argument('<key>')
  .addOption(flag('--consistency <level>', 'how fresh the answer must be').choices(['linearizable', 'lease', 'stale']))
  .addHelpText('after', '\nExamples:\n  $ shardkv get user42\n  $ shardkv get user42 -w json\n  $ shardkv get user42 --consistency stale')
  .action(async (key: string, flags: GetFlags) => {
    const headers = flags.consistency === undefined ? {} : { 'Kv-Consistency': flags.consistency }
    await run(io, flags, { op: 'get', key: fullName(key, flags.partition), headers })
  })

const delCommand = (io: CliIo): Command => keyCommand(io, 'del', 'deletes a key and prints the revision of the deletion')
  .argument('<key>')
  .addOption(ifRevisionFlag())
  .addOption(requestIdFlag())
  .addHelpText('after', '\nExamples:\n  $ shardkv del user42\n  $ shardkv del user42 --if-revision 17')
  .action(async (key: string, flags: WriteFlags) => {
    await run(io, flags, {
      op: 'del', key: fullName(key, flags.partition), requestId: flags.requestId ?? io.newId(), headers: revisionHeader(flags.ifRevision),
    })
  })

const incrCommand = (io: CliIo): Command => keyCommand(io, 'incr', 'adds to a number and prints the sum; a missing key counts as 0')
  .argument('<key>').argument('[amount]', 'a whole number of 64 bits, also a negative one (default: 1)')
  .option('-x', 'read the amount from standard input')
  .addOption(requestIdFlag())
  .addHelpText('after', '\nExamples:\n  $ shardkv incr visits\n  $ shardkv incr visits 10\n  $ shardkv incr stock -3')
  .action(async (key: string, given: string | undefined, flags: WriteFlags) => {
    const isGiven = given !== undefined || flags.x === true
    const amount = isGiven ? new TextDecoder().decode(await valueOf(io, given, flags.x === true)).trim() : '1'
    if (!isInt64(amount)) {
      throw new CliError(ExitCode.usage,
        `"${amount}" is no whole number of 64 bits, without a plus and leading zeros; try: shardkv incr ${key} 1`)
    }
    await run(io, flags, {
      op: 'incr', key: fullName(key, flags.partition), value: new TextEncoder().encode(amount), requestId: flags.requestId ?? io.newId(),
    })
  })

/** As the cluster reads it (actors/shard/counter.ts): in its one form. */
const isInt64 = (text: string): boolean => /^(?:0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)

const touchCommand = (io: CliIo): Command => keyCommand(io, 'touch', 'sets when a key expires, and keeps its value')
  .argument('<key>')
  .addOption(flag('--ttl <time>', 'expires after so long: milliseconds, or with a unit (30s); 0: never')
    .argParser(duration(0, TTL_MS_MAX)).makeOptionMandatory())
  .addOption(requestIdFlag())
  .addHelpText('after', '\nExamples:\n  $ shardkv touch session7 --ttl 30m\n  $ shardkv touch session7 --ttl 0')
  .action(async (key: string, flags: WriteFlags) => {
    await run(io, flags, {
      op: 'touch', key: fullName(key, flags.partition), requestId: flags.requestId ?? io.newId(), headers: ttlHeader(flags.ttl),
    })
  })

const keyCommand = (io: CliIo, name: string, description: string): Command => {
  const command = withFormatFlag(withTimeoutFlag(withClusterFlags(new Command(name), io.env)), 'raw')
  return command.description(description)
    .addOption(flag('--partition <partition>', 'the partition of the key: all keys of one partition share a shard'))
}

const ifRevisionFlag = () => flag('--if-revision <revision>', 'only when the key is at this revision; 0: only when it does not exist')
  .argParser(wholeNumber(0, DECIMAL_MAX))

const requestIdFlag = () => flag('--request-id <id>',
  'names this write: repeated with it, it takes effect once; another write under it, in the same shard, is refused with '
  + 'REQUEST_ID_REUSED (default: a fresh one; so never export SHARDKV_REQUEST_ID)').argParser(requestId)

const requestId = (text: string): string => {
  const problem = requestIdProblem(text)
  if (problem !== null) throw new InvalidArgumentError(`An id ${problem}.`)
  return text
}

const ttlHeader = (ttl: number | undefined): Record<string, string> => (ttl === undefined ? {} : { 'Kv-Ttl-Ms': String(ttl) })

const revisionHeader = (revision: number | undefined): Record<string, string> =>
  (revision === undefined ? {} : { 'Kv-If-Revision': String(revision) })

const valueOf = async (io: CliIo, value: string | undefined, fromInput: boolean): Promise<Uint8Array> => {
  if (fromInput && value !== undefined) throw new CliError(ExitCode.usage, 'give the value as an argument or with -x, not both')
  if (fromInput) return await io.readInput()
  if (value === undefined) throw new CliError(ExitCode.usage, 'the value is missing; give it after the key, or -x to read standard input')
  return new TextEncoder().encode(value)
}

const run = async (io: CliIo, flags: KeyFlags, request: KvRequest): Promise<void> => {
  await withBus(io, flags, async (bus) => {
    const client = createKvClient({ bus, clock: io.clock, prefix: flags.prefix, timeoutMs: flags.timeout })
    const answer = answerOrThrow(await client.send(request), request.requestId)
    const raw = request.op === 'get' ? answer.value : hasValue(request) ? readableOf(answer.value) : String(answer.revision)
    await printResult(io, flags.writeOut, recordResult(fieldsOf(request, answer), raw, jsonOf(request, answer)))
  })
}

const hasValue = ({ op }: KvRequest): boolean => op === 'get' || op === 'incr'

const fieldsOf = (request: KvRequest, { revision, shard, value }: KvAnswer): Record<string, string | number> => {
  const key = readableOf(Buffer.from(request.key, 'latin1'))
  return { key, revision, shard, ...(hasValue(request) ? { value: readableOf(value) } : {}) }
}

const jsonOf = (request: KvRequest, { revision, shard, value }: KvAnswer): object => {
  const base = { key: Buffer.from(request.key, 'latin1').toString(), revision, shard }
  if (!hasValue(request)) return base
  const text = textOf(value)
  return text === null ? { ...base, valueBase64: Buffer.from(value).toString('base64') } : { ...base, value: text }
}
