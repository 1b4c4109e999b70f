/**
 * The simulated machines: each has a disk that outlives its processes, clocks of its own, and runs the real node
 * (topology/node.ts) with its charts, cores and shells; only the ports are simulated.
 *
 * Two ways to die: `kill` (the process ends, the machine and its page cache live) and `losePower` (unsynced bytes are lost or torn;
 * `torn`: they tear for certain). A node that ends by itself is a failure of the run unless somebody said that it may (`mayExit`): a
 * failed sync must end the process.
 */

import { must } from '../actors/kernel/assert.ts'
import { createRandom, fraction, hex64 } from '../actors/kernel/random.ts'
import { createMemoryBroker } from '../bus/memory.ts'
import { nodesInbox } from '../bus/subjects.ts'
import { createGenesis } from '../topology/clusterMap.ts'
import { bootId, clusterId, nodeId } from '../topology/ids.ts'
import { createNode } from '../topology/node.ts'
import { defaultSettings } from '../topology/nodeOptions.ts'
import { createNodeClock, createProcess } from './clock.ts'
import { createDisk } from './disk.ts'
import { doorsOf } from './network.ts'
import { streamOf } from './stream.ts'
import { createTraceLogger } from './trace.ts'
import { WALL_START_MS } from './wallClock.ts'
import { createWire } from './wire.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Bus } from '../bus/port.ts'
import type { MemoryBroker } from '../bus/memory.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { Journeys } from '../topology/journeys.ts'
import type { GroupId, NodeId } from '../topology/ids.ts'
import type { Node } from '../topology/node.ts'
import type { NodeSettings } from '../topology/nodeOptions.ts'
import type { Process, Timeline } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Network } from './network.ts'
import type { SimRecording } from './recording.ts'
import { SIM_TICK_MS } from './options.ts'
import type { SimOptions } from './options.ts'
import type { Trace } from './trace.ts'
import type { Tap } from './wire.ts'

export interface Machine {
  readonly id: NodeId
  readonly disk: Disk
  /** Null between lives. */
  node: Node | null
  process: Process
  /** Lives so far. */
  lives: number
  wallOffsetMs: number
  /** Why the node may end by itself; empty when it must not. */
  mayExit: string
  /** Its disk was damaged: replicas of an earlier generation than `soundFrom` may be quarantined, and count for nothing. */
  isDamaged: boolean
  soundFrom: number
  /** Groups of which a snapshot was damaged, with the generation from which their replicas here are sound again. */
  readonly rotten: Map<GroupId, number>
  /** What its next life runs: today's, or another version where a cluster of two is looked at. */
  createNode: typeof createNode
  /** The map that was in force when its last life ended: on its disk. Null: none is, or its file is lost. */
  mapLeft: ClusterState | null
  /** It has a node: false before its first join, and after its node has left the cluster. */
  isInUse: boolean
  /** Its disk is lost: it is started again only as a machine that joins (calamities.ts). */
  isLost: boolean
  /** Its directory was begun to join (topology/joinCluster.ts). */
  hasJoined: boolean
  /** Its node is started to join: it asks to be added when the map does not name it. */
  isJoining: boolean
}

export interface Cluster {
  readonly machines: readonly Machine[]
  /** Somebody has asked for fewer replicas: no disk may be damaged any more (mapChanges.ts). */
  isThinned: boolean
  readonly genesis: readonly Genesis[]
  readonly broker: MemoryBroker
  readonly start: (machine: Machine) => void
  /** Starts a machine that is not in use: its node asks to be added. */
  readonly join: (machine: Machine) => void
  readonly kill: (machine: Machine) => void
  readonly losePower: (machine: Machine, how?: 'torn') => void
  readonly pause: (machine: Machine) => void
  readonly resume: (machine: Machine) => void
  readonly connectClient: (name: string) => { readonly process: Process; readonly bus: Bus }
}

export interface ClusterInput {
  readonly options: SimOptions
  readonly timeline: Timeline
  readonly network: Network
  readonly random: Random
  readonly trace: Trace
  readonly tap: Tap
  /** Between the actors of a node's next life. */
  readonly wiresOf: (node: string) => Journeys
  readonly recording?: SimRecording | undefined
  /** A node starts to run, or runs again after a pause. */
  readonly onRunning: (name: string) => void
  /** A node stopped by itself. */
  readonly onExit: (machine: Machine, code: number, reason: string) => void
}

const NODES_INBOX = nodesInbox('_INBOX')

export const createCluster = (input: ClusterInput): Cluster => {
  const { options, timeline, network, random, trace } = input
  const members = Array.from({ length: options.nodes }, (_, i) => nodeId(`n${i + 1}`))
  const genesis = createGenesis({
    cluster: clusterId(hex64(random)), members, shardCount: options.shards,
    replicationFactor: options.replicationFactor, createdAtMs: WALL_START_MS,
  })
  const broker = createMemoryBroker({
    clock: brokerClock(timeline),
    maxPayloadBytes: options.maxPayloadBytes,
    ...(options.isMapped ? { mappings: { prefix: 'kv', shardCount: options.shards } } : {}),
    fate: ({ from, to, subject }) =>
      network.fate(from, to, { mayRepeat: mayRepeat(subject, options.isMapped), isAside: isGossip(subject) }),
  })
  const joiners = Array.from({ length: options.joiners }, (_, i) => nodeId(`n${options.nodes + i + 1}`))
  const machines = [...members, ...joiners].map((id): Machine => ({
    id, disk: createDisk(options.disk, { random, tears: streamOf(options.seed, `what tears on ${id}`) }, timeline),
    node: null, process: createProcess(id), lives: 0,
    wallOffsetMs: 0, mayExit: '', isDamaged: false, soundFrom: 0, rotten: new Map(), mapLeft: null, createNode,
    isInUse: members.includes(id), isLost: false, hasJoined: !members.includes(id), isJoining: false,
  }))
  const genesisFor = ({ id, hasJoined }: Machine): Genesis =>
    ({ ...must(genesis[0], 'a cluster has members'), node: id, ...(hasJoined ? { hasJoined } : {}) })
  const rates = machines.map(() => 1 + (fraction(random) * 2 - 1) * options.clockRateMax)
  let buses: ReadonlyMap<Process, readonly Bus[]> = new Map()

  const connect = (name: string, process: Process, inboxPrefix?: string): Bus => {
    const bus = broker.connect({ name, ...(inboxPrefix === undefined ? {} : { inboxPrefix }) })
    buses = new Map(buses).set(process, [...(buses.get(process) ?? []), bus])
    return createWire(bus, process, { timeline, tap: input.tap })
  }
  const start = (machine: Machine): void => {
    const at = machines.indexOf(machine)
    const process = createProcess(machine.id)
    machine.process = process
    machine.lives += 1
    const clock = createNodeClock({
      timeline, process, rate: rates[at] ?? 1, wallStartMs: WALL_START_MS, wallOffsetMs: () => machine.wallOffsetMs,
      turnMs: options.turnMs,
    })
    trace.line(machine.id, 'machine', `starts, life ${machine.lives}`)
    input.onRunning(machine.id)
    timeline.arrive(process, () => {
      machine.node = machine.createNode({
        genesis: genesisFor(machine),
        ...(machine.isJoining ? { join: { weight: 1, zone: '' } } : {}),
        boot: bootId(hex64(random)),
        pid: machine.lives,
        startedAtMs: clock.wall(),
        settings: settingsOf(options),
        ports: {
          clock,
          random: createRandom(random.uint32()),
          fileSystem: machine.disk.mount(process),
          bus: connect(machine.id, process, NODES_INBOX),
          doorsBus: connect(doorsOf(machine.id), process, NODES_INBOX),
          controlBus: connect(`${machine.id}/control`, process, NODES_INBOX),
          log: createTraceLogger(trace, machine.id, options.isVerbose),
          journeys: input.wiresOf(machine.id),
          ...(input.recording === undefined ? {} : { recorder: input.recording.recorderOf(machine.id) }),
        },
        onExit: (code, reason) => timeline.schedule(0, () => {
          if (machine.process === process && process.state !== 'dead') input.onExit(machine, code, reason)
        }),
      })
    })
  }
  const end = (machine: Machine): void => {
    const { process, node } = machine
    timeline.crash(process)
    machine.mapLeft = node?.parts()?.live.state() ?? machine.mapLeft
    node?.kill()
    for (const bus of buses.get(process) ?? []) bus.close()
    const left = new Map(buses)
    left.delete(process)
    buses = left
    machine.node = null
    machine.mayExit = ''
  }

  return {
    machines,
    isThinned: false,
    genesis,
    broker,
    start,
    join: (machine) => {
      machine.isInUse = true
      machine.isJoining = true
      start(machine)
    },
    kill: (machine) => {
      trace.line(machine.id, 'machine', 'is killed')
      end(machine)
      machine.disk.killed()
    },
    losePower: (machine, how) => {
      trace.line(machine.id, 'machine', 'loses power')
      end(machine)
      if (how === 'torn') machine.disk.tornPower()
      else machine.disk.lostPower()
    },
    pause: (machine) => {
      trace.line(machine.id, 'machine', 'is stopped')
      timeline.pause(machine.process)
    },
    resume: (machine) => {
      if (machine.process.state !== 'paused') return
      trace.line(machine.id, 'machine', 'runs again')
      // What the broker hands over at this instant comes before the timers that are due: Node's poll phase is first.
      input.onRunning(machine.id)
      timeline.resume(machine.process)
    },
    connectClient: (name) => {
      const process = createProcess(name)
      return { process, bus: connect(name, process) }
    },
  }
}

/** The broker is nobody's process: it never pauses. */
const brokerClock = (timeline: Timeline): Clock => ({
  now: timeline.now,
  wall: () => WALL_START_MS + Math.floor(timeline.now()),
  after: (ms, fn) => timeline.schedule(ms, fn),
  defer: (fn) => { timeline.schedule(0, fn) },
})

/**
 * Core NATS never doubles a request by itself, and a request without an id that were doubled would rightly count
 * twice. Frames between nodes may be doubled, unless they may carry such a request (a gateway forwards in them);
 * answers may always be.
 */
const mayRepeat = (subject: string, isMapped: boolean): boolean =>
  subject.startsWith('_INBOX.') || (subject.startsWith('skv.') && isMapped)

/** `skv.<cluster>.gossip.<to>.<from>`. Asked of every message, hence without splitting it. */
const isGossip = (subject: string): boolean =>
  subject.startsWith('skv.') && subject.startsWith('.gossip.', subject.indexOf('.', 'skv.'.length))

const settingsOf = (options: SimOptions): NodeSettings => ({
  ...defaultSettings,
  tickMs: SIM_TICK_MS,
  wal: {
    segmentBytes: options.segmentBytes,
    groupBytesMax: options.segmentBytes / 2,
    copyForwardBytesMax: options.segmentBytes / 4,
    reserveBytes: options.segmentBytes / 4,
    segmentsWanted: 4,
  },
  raftTiming: options.raftTiming,
  raftLimits: options.raftLimits,
  topologyLimits: { snapshotLogBytes: options.snapshotLogBytes, ...(options.balance === undefined ? {} : { balance: options.balance }) },
  lostAfterMs: options.lostAfterMs,
  figuresEveryMs: options.balance?.everyMs ?? 0,
  shardLimits: { ...options.shardLimits, snapshotLogBytesMin: options.snapshotLogBytes, snapshotLogBytesMax: options.snapshotLogBytes * 4 },
})
