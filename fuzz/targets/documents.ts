/** What nodes say about themselves, read by other nodes (msgpack), the SDK and the command line (JSON). */

import { between, chance } from '../../actors/kernel/random.ts'
import { peerStates } from '../../actors/gossip/protocol.ts'
import { decodeControl, encodeControl } from '../../bus/codec/control.ts'
import { decodeGossip, encodeGossip } from '../../bus/codec/gossip.ts'
import { mergeReports } from '../../cli/status/merge.ts'
import { readMap } from '../../sdk/map.ts'
import { beaconOf } from '../../topology/beacon.ts'
import { nodeId } from '../../topology/ids.ts'
import { reportIn } from '../../topology/statusReading.ts'
import { drawHex, drawList, drawU32, drawWhole, drawWord, one } from '../draw.ts'
import { refused, utf8 } from '../target.ts'
import type { GossipMessage } from '../../actors/gossip/protocol.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Target } from '../target.ts'

const drawPlain = (random: Random, depth: number): unknown => {
  if (depth > 0 && chance(random, 0.4)) return drawList(random, 3, (r) => drawPlain(r, depth - 1))
  if (depth > 0 && chance(random, 0.4)) return Object.fromEntries(drawList(random, 3, (r) => [drawWord(r, 4), drawPlain(r, depth - 1)]))
  return one(random, [null, true, drawWhole(random), -1.5, drawWord(random, 6), ''])
}

const drawBeacon = (random: Random): unknown => ({
  boot: drawHex(random, 16), startedAtMs: drawWhole(random), state: one(random, ['serving', 'joining']),
  leads: drawList(random, 3, (r) => [between(r, 0, 15), drawWhole(r)]),
})

/** References, a record's definition and its use, dates, what is undefined: kinds that are never sent, and what they hang on. */
const packTokens = [
  [0xd6, 0x69, 0, 0, 0, 1], [0xd6, 0x70, 0, 0, 0, 1], [0xd4, 0x72, 0x40], [0xd5, 0x72, 0x40, 0], [0x40, 0x01],
  [0xd6, 0xff, 0, 0, 0, 0], [0xd4, 0, 0], [0xc7, 0, 0x65], [0xc1], [0x92], [0xdc, 0, 8], [0xdd, 0, 0, 0, 8], [0xde, 0, 2],
].map((token) => Uint8Array.from(token))

export const controlMessage: Target = {
  name: 'control message', share: 4, isCanonical: false, words: packTokens,
  example: (random) => encodeControl(chance(random, 0.6) ? drawBeacon(random) : drawPlain(random, 4)),
  decode: (bytes) => {
    const value = decodeControl(bytes)
    if (value === undefined) return refused('no control message')
    return { ok: true, shape: beaconOf(value) === null ? typeof value : 'beacon', again: encodeControl(value), value }
  },
}

const drawGossip = (random: Random): GossipMessage => {
  const sequence = drawU32(random)
  const rumours = drawList(random, 4, (r) => ({
    node: one(r, NAMES), state: one(r, peerStates), incarnation: drawU32(r), by: one(r, NAMES),
  }))
  return one<GossipMessage>(random, [
    { type: 'gossip.ping', sequence, rumours }, { type: 'gossip.ack', sequence, rumours }, { type: 'gossip.nack', sequence, rumours },
    { type: 'gossip.pingRequest', sequence, target: one(random, NAMES), rumours }, { type: 'gossip.news', rumours },
    { type: 'gossip.exchange', kind: one(random, ['question', 'answer']), rumours },
  ])
}

const NAMES = ['n1', 'n2', 'n10', 'a-longer-name-that-is-still-one'].map(nodeId)

export const gossipMessage: Target = {
  name: 'gossip message', share: 3, isCanonical: false, words: packTokens,
  example: (random) => encodeGossip(drawGossip(random)),
  decode: (bytes) => {
    const message = decodeGossip(bytes)
    if (message === null) return refused('no gossip message')
    return { ok: true, shape: `${message.type} ${Math.min(3, message.rumours.length)}`, again: encodeGossip(message), value: message }
  },
}

const words = [
  'null', '[]', '{}', '""', '-1', '1e999', '"shardCount":', '"leaders":', '"replicas":', '"members":', '"node":', '{"id":"n1"}', ',',
]

const drawMap = (random: Random): unknown => {
  const shardCount = between(random, 1, 4)
  return {
    cluster: drawHex(random, 16), epoch: drawWhole(random), shardCount,
    replicas: Array.from({ length: shardCount }, () => ['n1:1', 'n2:1']),
    leaders: Array.from({ length: shardCount }, () => (chance(random, 0.3) ? null : { node: 'n1', term: drawWhole(random) })),
  }
}

export const clusterMap: Target = {
  name: 'cluster map', share: 3, isCanonical: false, words,
  example: (random) => utf8(JSON.stringify(drawMap(random))),
  decode: (bytes) => {
    const map = readMap(bytes)
    if (typeof map === 'string') return refused(map)
    if (map.leaders.length !== map.shardCount || map.replicas.length !== map.shardCount) throw new Error('a map has gaps')
    return { ok: true, shape: `${Math.min(4, map.shardCount)} shards`, again: utf8(JSON.stringify(map)), value: map }
  },
}

const drawReport = (random: Random): unknown => ({
  cluster: drawHex(random, 16), epoch: 1, shardCount: 2, members: ['n1', 'n2'],
  broker: { url: 'nats://x', version: '2.10.0', routing: one(random, ['broker', 'gateway', 'mismatch']) },
  node: {
    id: 'n1', pid: 7, state: 'serving', bootId: drawHex(random, 16), startedAtMs: 1, wallMs: 2, diskFull: false, walBytes: 1,
    walBacklogBytes: 0, counters: {},
  },
  replicas: [0, 1].map((shard) => ({
    shard, role: one(random, ['leader', 'follower']), state: 'following', term: drawWhole(random), leader: 'n1', commitIndex: 1,
    appliedIndex: 1, keys: 0, revision: 0, waiting: 0, ...(chance(random, 0.5) ? { matchIndex: { n1: 1, n2: 1 } } : {}),
    ...(chance(random, 0.2) ? { quarantined: 'it forgot' } : {}),
  })),
  ...(chance(random, 0.7) ? { gossip: drawGossipReport(random) } : {}),
})

const drawGossipReport = (random: Random): unknown => ({
  state: 'running', incarnation: drawWhole(random), health: 0,
  peers: drawList(random, 3, (r) => ({ node: one(r, NAMES), state: one(r, peerStates), incarnation: drawWhole(r) })),
})

/** Anybody who may publish to the inbox can answer `kv.status`: what is taken for a report must not end the command that shows it. */
export const nodeReport: Target = {
  name: 'node report', share: 2, isCanonical: false, words,
  example: (random) => utf8(JSON.stringify(drawReport(random))),
  decode: (bytes) => {
    const report = reportIn({ data: bytes })
    if (report === null) return refused('no report')
    const status = mergeReports([report])
    return { ok: true, shape: `${Math.min(3, status?.shards.length ?? 0)} shards`, value: status }
  },
}
