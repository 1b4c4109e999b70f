/** `shardkv record` saves what all nodes remember; `shardkv replay` tells such a file as a story. */

import { Command, InvalidArgumentError } from 'commander'
import { happeningKinds } from '../../actors/kernel/recorder.ts'
import { gapsIn, mayBeGap } from '../../observe/recorder/gaps.ts'
import { storyOf } from '../../observe/recorder/story.ts'
import { createAdminClient } from '../admin/client.ts'
import { adminCommand } from '../admin/command.ts'
import { CliError, ExitCode } from '../exit.ts'
import { flag, wholeNumber, withFormatFlag } from '../flags.ts'
import { printResult, recordResult, tabbed } from '../output.ts'
import { readRecording } from '../trace/recordingFile.ts'
import type { ActorRecord, RecordKind } from '../../observe/recorder/record.ts'
import type { RecordingHead } from '../../observe/recorder/recording.ts'
import type { AdminCommandFlags } from '../admin/command.ts'
import type { OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

const SECONDS_MAX = 86_400
const SHARD_MAX = 1_023
const MS_PER_SECOND = 1_000

interface RecordFlags extends AdminCommandFlags {
  readonly seconds?: number
  readonly kind?: readonly RecordKind[]
}

export const recordCommand = (io: CliIo): Command => adminCommand('record')
  .description('saves what all nodes remember of their actors to a file')
  .argument('<file>', 'written as a whole, or not at all')
  .addOption(flag('--seconds <count>', 'only the last so many seconds').argParser(wholeNumber(1, SECONDS_MAX)))
  .addOption(flag('--kind <kinds>', `only these, separated by commas: ${happeningKinds.join(', ')}`).argParser(recordKinds))
  .addHelpText('after', '\nNo values of keys are in it; names of keys of requests that were kept are.\n'
    + '\nExamples:\n  $ shardkv record incident.ndjson\n  $ shardkv record incident.ndjson --seconds 60 && shardkv replay incident.ndjson')
  .action(async (file: string, flags: RecordFlags) => {
    const wanted = [
      ...(flags.seconds === undefined ? [] : [`from=${io.clock.wall() - flags.seconds * MS_PER_SECOND}`]),
      ...(flags.kind === undefined ? [] : [`kind=${flags.kind.join(',')}`]),
    ]
    const text = await createAdminClient(io, flags).text(`/v1/recording${wanted.length === 0 ? '' : `?${wanted.join('&')}`}`)
    const lineEnd = text.indexOf('\n')
    const head = JSON.parse(text.slice(0, lineEnd)) as RecordingHead
    await io.files.writeAtomically(file, text)
    const lines = text.slice(lineEnd + 1).split('\n').filter((line) => line !== '')
    const gaps = lines.filter(mayBeGap).map((line) => JSON.parse(line) as ActorRecord)
    for (const gap of gapsIn(head, gaps)) io.say(`${gap}\n`)
    const records = lines.length
    await printResult(io, flags.writeOut, recordResult({ file, records, nodes: head.nodes.join(' ') }, `${file}\t${records}`))
  })

const recordKinds = (text: string): readonly RecordKind[] => text.split(',').map((each) => {
  const kind = happeningKinds.find((known) => known === each.trim())
  if (kind === undefined) throw new InvalidArgumentError(`It is a list of ${happeningKinds.join(', ')}.`)
  return kind
})

interface ReplayFlags {
  readonly node?: string
  readonly actor?: string
  readonly shard?: number
  readonly all?: boolean
  readonly writeOut: OutputFormat
}

export const replayCommand = (io: CliIo): Command => withFormatFlag(new Command('replay'), 'table')
  .description('tells a recording as a story, a line for each event')
  .argument('<file>', 'of "shardkv record", the viewer, or "npm run sim -- --record"')
  .addOption(flag('--node <id>', 'only what happened on this node'))
  .addOption(flag('--actor <name>', 'only of raft/7, or of all whose name begins with raft'))
  .addOption(flag('--shard <number>', 'only what concerns this shard').argParser(wholeNumber(0, SHARD_MAX)))
  .addOption(flag('--all', 'batches, messages and phases too, not only states and notes'))
  .addHelpText('after', '\nTimes are seconds since the first record.\n\nExamples:\n  $ shardkv replay incident.ndjson\n'
    + '  $ shardkv replay incident.ndjson --shard 3 --all')
  .action(async (file: string, flags: ReplayFlags) => {
    const { head, records } = await readRecording(io.files, file)
    const [first] = records
    if (first === undefined) throw new CliError(ExitCode.error, `${file} holds no records`)
    const lines = storyOf(records.filter((record) => isWanted(record, flags)))
    const told = lines.map(({ at, node, who, what }) => [((at - first.at) / MS_PER_SECOND).toFixed(3), node, who, what] as const)
    const nothing = `none of its ${records.length} records is asked for${flags.all === true ? '' : '; --all asks for every kind'}`
    const title = `cluster ${head.cluster}, nodes ${head.nodes.join(' ')}, from ${new Date(first.at).toISOString()}`
    await printResult(io, flags.writeOut, {
      raw: tabbed(told), json: lines,
      table: [
        title, ...gapsIn(head, records), '',
        ...told.map(([at, node, who, what]) => `${at.padStart(10)}  ${node.padEnd(6)}  ${who.padEnd(14)}  ${what}`),
        ...(told.length > 0 ? [] : [nothing]),
      ].join('\n'),
    })
  })

const isWanted = ({ kind, node, actor, shard }: ActorRecord, flags: ReplayFlags): boolean =>
  (flags.all === true || kind === 'note' || (kind === 'state' && actor !== 'wal'))
  && (flags.node === undefined || node === flags.node)
  && (flags.actor === undefined || actor === flags.actor || actor.startsWith(`${flags.actor}/`))
  && (flags.shard === undefined || shard === flags.shard)
