/**
 * One of the floor's three nodes: what a replicated write and a confirmed read cost without a database. No elections, no checks, no
 * state machine beyond a map. Node n leads every shard whose number modulo 3 is n, for ever.
 *
 *   write: client ─put─▶ leader ─put─▶ followers; each logs it (log.ts); durable on two: applied, ─putDone─▶ client
 *   read:  client ─get─▶ leader ─confirm─▶ followers; the first ─confirmed─▶ decides, ─getDone─▶ client
 *
 * All reads of a turn of the event loop share one round. All frames of a turn for one destination are one message.
 *
 * Started as a process of its own: node.js <number> <broker url> <log path>. It ends with its standard input.
 */

import { connect } from 'nats'
import { watchSupervisor } from '../../topology/launcher/supervised.ts'
import { answerGet, applyPut, countOf, encodeConfirm, encodeNumber, encodePutDone, idOf, setId } from './batches.ts'
import { FrameKind, createOutbox, readFrames } from './frames.ts'
import { openFloorLog } from './log.ts'
import { FLOOR_NODES, FLOOR_READY_LINE, FLOOR_SHARDS, nodeSubject, requestSubject } from './layout.ts'
import type { Msg } from 'nats'
import type { Frame } from './frames.ts'

/** The leader and one follower. */
const MAJORITY = 2

interface PendingWrite {
  readonly batch: Buffer
  readonly client: string
  readonly id: number
  durableOn: number
}

interface PendingRead {
  readonly shard: number
  readonly batch: Buffer
  readonly client: string
}

interface Shard {
  readonly map: Map<string, Buffer>
  readonly pending: Map<number, PendingWrite>
  lastIndex: number
}

const runNode = async (self: number, server: string, logPath: string): Promise<void> => {
  const connection = await connect({ servers: server, noEcho: true, name: `floor/${self}` })
  const log = openFloorLog(logPath)
  const shards: readonly Shard[] = Array.from({ length: FLOOR_SHARDS }, () => ({ map: new Map(), pending: new Map(), lastIndex: 0 }))
  const peers = Array.from({ length: FLOOR_NODES }, (_, n) => n).filter((n) => n !== self)
  const peerSubjects = peers.map((peer) => nodeSubject(peer, self))
  const rounds = new Map<number, readonly PendingRead[]>()
  let readsOfTurn: PendingRead[] = []
  let lastRound = 0
  let isTurnOpen = false

  const openTurn = (): void => {
    if (!isTurnOpen) setImmediate(endTurn)
    isTurnOpen = true
  }
  const endTurn = (): void => {
    if (readsOfTurn.length > 0) startRound()
    outbox.flush()
    isTurnOpen = false
  }
  const outbox = createOutbox((subject, message) => connection.publish(subject, message), openTurn)
  const toPeers = (frame: Frame): void => {
    for (const subject of peerSubjects) outbox.add(subject, frame)
  }

  const countDurable = (shard: number, index: number): void => {
    const { pending, map } = shardAt(shards, shard)
    const write = pending.get(index)
    if (write === undefined) return
    write.durableOn += 1
    if (write.durableOn < MAJORITY) return
    pending.delete(index)
    applyPut(map, write.batch)
    outbox.add(write.client, { kind: FrameKind.putDone, shard, body: encodePutDone(write.id, countOf(write.batch), index) })
  }

  const lead = (shard: number, batch: Buffer, client: string): void => {
    const state = shardAt(shards, shard)
    state.lastIndex += 1
    const index = state.lastIndex
    state.pending.set(index, { batch, client, id: idOf(batch), durableOn: 0 })
    setId(batch, index)
    toPeers({ kind: FrameKind.put, shard, body: batch })
    log.append(batch, () => countDurable(shard, index))
  }
  const follow = (shard: number, batch: Buffer, leader: string): void => {
    const body = encodeNumber(idOf(batch))
    log.append(batch, () => outbox.add(leader, { kind: FrameKind.appended, shard, body }))
    applyPut(shardAt(shards, shard).map, batch)
  }

  const read = (pending: PendingRead): void => {
    readsOfTurn.push(pending)
    openTurn()
  }
  const startRound = (): void => {
    lastRound += 1
    rounds.set(lastRound, readsOfTurn)
    toPeers({ kind: FrameKind.confirm, shard: 0, body: encodeConfirm(lastRound, new Set(readsOfTurn.map(({ shard }) => shard))) })
    readsOfTurn = []
  }
  const endRound = (round: number): void => {
    const reads = rounds.get(round)
    if (reads === undefined) return
    rounds.delete(round)
    for (const { shard, batch, client } of reads) {
      outbox.add(client, { kind: FrameKind.getDone, shard, body: answerGet(shardAt(shards, shard).map, batch) })
    }
  }

  const hear = (frame: Frame, sender: string): void => {
    const { kind, shard, body } = frame
    switch (kind) {
      case FrameKind.put: follow(shard, body, sender); break
      case FrameKind.appended: countDurable(shard, idOf(body)); break
      case FrameKind.confirm: outbox.add(sender, { kind: FrameKind.confirmed, shard, body: encodeNumber(idOf(body)) }); break
      case FrameKind.confirmed: endRound(idOf(body)); break
    }
  }
  connection.subscribe(requestSubject(self), {
    callback: (_, message) => {
      const client = message.reply ?? ''
      readFrames(ownBytesOf(message), ({ kind, shard, body }) => {
        if (kind === FrameKind.put) lead(shard, body, client)
        else read({ shard, batch: body, client })
      })
    },
  })
  for (const peer of peers) {
    const sender = nodeSubject(peer, self)
    connection.subscribe(nodeSubject(self, peer), {
      callback: (_, message) => readFrames(ownBytesOf(message), (frame) => hear(frame, sender)),
    })
  }
  await connection.flush()
}

const shardAt = (shards: readonly Shard[], number: number): Shard => {
  const shard = shards[number]
  if (shard === undefined) throw new Error(`there is no shard ${number}`)
  return shard
}

/** The library's buffer is gone with the callback; log and map keep what they get. */
const ownBytesOf = (message: Msg): Buffer => Buffer.from(message.data)

const [self, server, logPath] = process.argv.slice(2)
await runNode(Number(self), server ?? '', logPath ?? '')
watchSupervisor(process.env, process.stdin, () => process.exit())
process.once('SIGTERM', () => process.exit())
process.stdout.write(`${FLOOR_READY_LINE}\n`)
