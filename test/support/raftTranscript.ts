/**
 * Runs the commands of an interaction transcript on the Raft harness and returns what happened, a line per event.
 *
 *   cluster nodes=3 [tail=N] [append=BYTES] [window=N] [cold]   a new group; `window`: appends in flight to one peer;
 *                         `cold`: members have just started
 *   elect N               N leads, in one line
 *   campaign N            everybody loses sight of the leader, N's election timer runs out
 *   expire N              only N's election timer runs out
 *   tick [COUNT]          time passes for everybody
 *   sleep N TICKS         N wakes after so many ticks, in one piece; the others were awake and are not shown
 *   partition 1 | 2 3     members of different sides lose each other's messages
 *   heal
 *   lose TYPE [A->B]      messages of this type are lost, on one link or on all
 *   freeze N, thaw N      N's disk completes nothing; `write N` completes one write
 *   propose N TEXT, read N, lease N, flush N
 *   reads N               how N's reads ended
 *   deliver [A->B]        the oldest message in flight, or the oldest on a link
 *   forget                everything in flight is lost
 *   stabilize             messages, writes and flushes until nothing is left
 *   crash N, restart N, snapshot N, transfer N TO
 *   old-disk N            from the next restart on, N has the disk it had when this was last said with `keep-disk N`
 *   keep-disk N
 *   members A,B[ A,B]     N=leader appends a configuration: voters, and outgoing ones while joint
 *   log [N...]            the logs, with what is applied
 */

import { encodeConfiguration } from '../../actors/raft/membership.ts'
import { appendOwn } from '../../actors/raft/replication.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createHarness, idOf, numberOf } from './raftHarness.ts'
import { copyImage, createRaftDisk } from './raftDisk.ts'
import { heldBy } from './raftSafety.ts'
import type { DiskImage } from './raftDisk.ts'
import type { Harness, Mail } from './raftHarness.ts'

interface Stage {
  harness: Harness
  lines: string[]
  sides: number[][]
  losses: { readonly type: string, readonly link: string | undefined }[]
  readonly kept: Map<number, DiskImage>
}

/** A function that runs one command after the other on the same group. */
export const createTranscript = (): ((command: string) => string) => {
  const stage: Stage = { harness: createHarness(), lines: [], sides: [], losses: [], kept: new Map() }
  return (command) => {
    stage.lines = []
    for (const line of command.split('\n')) run(stage, line.trim().split(/\s+/))
    return stage.lines.length === 0 ? 'ok' : stage.lines.join('\n')
  }
}

type Command = (stage: Stage, words: readonly string[]) => void

const run = (stage: Stage, [name, ...words]: readonly string[]): void => {
  const command = commands[name ?? '']
  if (command === undefined) throw new Error(`unknown command "${name}"`)
  command(stage, words)
}

const numberIn = (words: readonly string[], at = 0): number => Number(must(words[at], 'the command names a member'))

const cluster: Command = (stage, words) => {
  const settings = new Map(words.map((word) => word.split('=') as [string, string]))
  const size = Number(settings.get('nodes') ?? 3)
  const tail = settings.get('tail')
  const append = settings.get('append')
  const window = settings.get('window')
  stage.harness = createHarness({
    size, isWarm: !settings.has('cold'),
    limits: {
      ...(tail === undefined ? {} : { tailEntriesMax: Number(tail), chunkBytesMax: 64 }),
      ...(append === undefined ? {} : { appendBytesMax: Number(append) }),
      ...(window === undefined ? {} : { appendsInFlightMax: Number(window) }),
    },
    onLine: (line) => stage.lines.push(line),
  })
  stage.lines = []
  stage.harness.setRoute((mail) => isDelivered(stage, mail))
}

const elect: Command = (stage, words) => {
  stage.harness.campaign(numberIn(words))
  const { number, core } = stage.harness.leader()
  stage.lines = [`${number} leads term ${core.term}`]
}

const isDelivered = ({ sides, losses }: Stage, { from, to, message }: Mail): boolean => {
  const sideOf = (number: number): number => sides.findIndex((side) => side.includes(number))
  if (sides.length > 0 && sideOf(numberOf(from)) !== sideOf(numberOf(to))) return false
  return !losses.some(({ type, link }) => type === message.type && (link === undefined || link === `${numberOf(from)}->${numberOf(to)}`))
}

const deliver: Command = ({ harness, lines }, [link]) => {
  const at = harness.network.findIndex(({ from, to }) => link === undefined || link === `${numberOf(from)}->${numberOf(to)}`)
  const [mail] = at < 0 ? [] : harness.network.splice(at, 1)
  if (mail === undefined) lines.push('nothing is in flight')
  else harness.deliver(mail)
}

const read = (isLease: boolean): Command => ({ harness, lines }, words) => {
  const number = numberIn(words)
  const member = harness.member(number)
  const id = harness.read(number, isLease)
  const refusal = member.refusedReads.get(id)
  const index = member.readyReads.get(id)
  if (refusal !== undefined) lines.push(`${number} refuses the read: ${refusal}`)
  if (index !== undefined) lines.push(`${number} answers the read at ${index}`)
  if (refusal === undefined && index === undefined) lines.push(`${number} holds the read`)
}

const showReads: Command = ({ harness, lines }, words) => {
  const member = harness.member(numberIn(words))
  for (const index of member.readyReads.values()) lines.push(`${member.number} has answered a read at ${index}`)
  for (const reason of member.refusedReads.values()) lines.push(`${member.number} has refused a read: ${reason}`)
}

const propose: Command = ({ harness, lines }, [number, ...text]) => {
  const at = Number(number)
  const proposal = harness.propose(at, text.join(' '))
  const entry = harness.member(at).proposed.get(proposal)
  lines.push(entry === undefined
    ? `${at} refuses the proposal: ${harness.member(at).refusedProposals.get(proposal)}`
    : `${at} appends ${entry.index}/${entry.term} ${text.join(' ')}`)
}

const members: Command = (stage, words) => {
  const [voters, outgoing] = words.map((list) => list.split(',').map((number) => idOf(Number(number))))
  const leader = stage.harness.leader()
  const index = appendOwn(leader.core, EntryKind.configuration,
    encodeConfiguration({ epoch: 0, voters: must(voters, 'voters are named'), outgoing: outgoing ?? [], learners: [] }))
  leader.isFlushWanted = true
  stage.lines.push(`${leader.number} appends ${index}/${leader.core.term} configuration`)
}

const log: Command = ({ harness, lines }, words) => {
  for (const member of harness.members) {
    if (words.length > 0 && !words.includes(String(member.number))) continue
    const { log: { base }, commitIndex, emittedIndex } = member.core
    const shown = heldBy(member).map(({ index, term }) => `${index}/${term}`).join(' ')
    lines.push(`${member.number}: base=${base.index}/${base.term} [${shown}] commit=${commitIndex} applied=${emittedIndex}`)
  }
}

const keepDisk: Command = ({ harness, kept }, words) => {
  const image = createRaftDisk().durable
  copyImage(harness.member(numberIn(words)).disk.durable, image)
  kept.set(numberIn(words), image)
}

const commands: Readonly<Record<string, Command>> = {
  cluster,
  elect,
  deliver,
  propose,
  members,
  log,
  read: read(false),
  lease: read(true),
  reads: showReads,
  'keep-disk': keepDisk,
  'old-disk': ({ harness, kept }, words) =>
    copyImage(must(kept.get(numberIn(words)), 'the disk was kept'), harness.member(numberIn(words)).disk.durable),
  campaign: ({ harness }, words) => {
    for (const { core } of harness.members) core.ticksSinceLeader = Number.POSITIVE_INFINITY
    harness.expire(numberIn(words))
  },
  expire: ({ harness }, words) => harness.expire(numberIn(words)),
  tick: ({ harness }, [count]) => harness.tick(Number(count ?? 1)),
  sleep: ({ harness }, words) => {
    harness.advance(numberIn(words, 1) * 50)
    // Those that were awake have looked at their clocks.
    for (const { core, wallMs } of harness.members) core.wallMs = wallMs + harness.now()
    harness.tickOnly(numberIn(words), numberIn(words, 1))
  },
  partition: (stage, words) => {
    stage.sides = words.join(' ').split('|').map((side) => side.trim().split(' ').map(Number))
  },
  heal: (stage) => {
    stage.sides = []
    stage.losses = []
  },
  lose: ({ losses }, words) => {
    losses.push({ type: must(words[0], 'a type is named'), link: words[1] })
  },
  freeze: ({ harness }, words) => {
    harness.frozenDisks.add(numberIn(words))
  },
  thaw: ({ harness }, words) => {
    harness.frozenDisks.delete(numberIn(words))
  },
  write: ({ harness }, words) => {
    harness.writeOne(numberIn(words))
  },
  flush: ({ harness }, words) => harness.flush(numberIn(words)),
  forget: ({ harness }) => {
    harness.network.splice(0)
  },
  stabilize: ({ harness }) => harness.stabilize(),
  crash: ({ harness }, words) => harness.crash(numberIn(words)),
  restart: ({ harness }, words) => harness.restart(numberIn(words)),
  snapshot: ({ harness }, words) => harness.snapshot(numberIn(words)),
  transfer: ({ harness }, words) =>
    harness.send(numberIn(words), { type: 'raft.transferLeadership', to: idOf(numberIn(words, 1)) }),
}
