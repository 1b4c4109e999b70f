/**
 * Scenarios as stories on the simulator: a calm cluster of real nodes, faults by hand, requests that are awaited
 * in virtual time. Every invariant of the simulator holds throughout; `end` heals everything and asks the
 * replicas to agree.
 *
 * A story asserts what users and operators see: answers, and what a node reports of itself. Cuts add up until
 * `heal`; they fall between nodes and leave clients alone, unless the verb names clients.
 */

import { must } from '../../actors/kernel/assert.ts'
import { requestSubject } from '../../bus/subjects.ts'
import { ownerOf } from '../../sim/network.ts'
import { shardId } from '../../topology/ids.ts'
import { harm } from '../../sim/atlas.ts'
import { calmOptions } from '../../sim/options.ts'
import { awaitTrue, disagreement } from '../../sim/liveness.ts'
import { createDoor } from '../../sim/door.ts'
import { createSimulation } from '../../sim/simulation.ts'
import type { Operation, OperationResult } from '../../actors/shard/operation.ts'
import type { HostedReplica } from '../../topology/hostedReplica.ts'
import type { ReplicaReport } from '../../topology/report.ts'
import type { Bus } from '../../bus/port.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { Simulation, SimulationInput } from '../../sim/simulation.ts'

export type Headers = Readonly<Record<string, string>>

export interface Answer {
  /** A `Kv-Status`, or `timeout`, `noResponders`, `closed`. */
  readonly status: string
  readonly definite: boolean
  readonly revision: number
  readonly value: string
}

export interface Pending {
  /** Null while nobody has answered. */
  readonly answer: () => Answer | null
}

type Machines = readonly Machine[]

export type UnreadSegment = 'the oldest' | 'the newest that was begun' | 'one made ahead'

export interface Story {
  readonly simulation: Simulation
  readonly nodes: Machines
  readonly run: (ms: number) => void
  /** Runs until it holds; fails after `withinMs` of virtual time. */
  readonly until: (what: string, isTrue: () => boolean, withinMs?: number) => void
  /** Runs until somebody leads shard 0 and serves. */
  readonly leader: () => Machine
  /** The same, but none of these. */
  readonly leaderBut: (...machines: Machines) => Machine
  /** Runs until leadership has not moved for a while, and returns who has it. */
  readonly settledLeader: () => Machine
  readonly followers: () => Machine[]
  /** What the machine reports of its replica of shard 0, as `kv.status` shows it. */
  readonly report: (machine: Machine) => ReplicaReport
  /** The revision its replica of shard 0 has reached; 0 while it is down. */
  readonly revision: (machine: Machine) => number
  /** Equal for two machines that hold the same of shard 0. */
  readonly contents: (machine: Machine) => string | undefined
  readonly send: (op: string, key: string, value?: string, headers?: Headers) => Pending
  readonly request: (op: string, key: string, value?: string, headers?: Headers) => Answer
  /** Requests until it is answered OK. */
  readonly insist: (op: string, key: string, value?: string, headers?: Headers) => Answer
  readonly put: (key: string, value: string) => void
  /** `<key>0` to `<key>N`, all acknowledged. */
  readonly putMany: (key: string, count: number, bytes?: number) => void
  readonly get: (key: string) => string
  /** One operation through the batch door, as the SDK sends it; null when nobody answered. */
  readonly operate: (operation: Operation) => OperationResult | null
  readonly isolate: (...machines: Machines) => void
  /** It hears no other node. */
  readonly deafen: (machine: Machine) => void
  /** No other node hears it. */
  readonly mute: (machine: Machine) => void
  /** These two do not hear each other. */
  readonly sever: (a: Machine, b: Machine) => void
  /** Nothing from clients reaches it; with `answers`, nothing from it reaches clients. */
  readonly hideFromClients: (machine: Machine, what: 'requests' | 'answers') => void
  /** What one sends to the other waits, and arrives all at once. */
  readonly holdBack: (from: Machine, to: Machine, ms: number) => void
  readonly heal: () => void
  readonly kill: (...machines: Machines) => void
  readonly losePower: (...machines: Machines) => void
  readonly start: (...machines: Machines) => void
  /** Between two lives a bit turns over in what was proven to be synced: it counts for nothing any more. */
  readonly damage: (machine: Machine, what: 'log' | 'snapshot') => void
  /** From now on its disk can not read that segment of its log: it may stop, and counts for nothing any more. */
  readonly failReads: (machine: Machine, segment: UnreadSegment) => void
  readonly pause: (...machines: Machines) => void
  readonly resume: (...machines: Machines) => void
  /** Somebody moves the leadership of shard 0 by hand. */
  readonly handOver: (from: Machine, to: Machine) => void
  /** Ends in agreement: everything is healed, everybody runs, and all unharmed replicas hold the same. */
  readonly end: () => void
}

const TIMEOUT_MS = 2_000
const PATIENCE_MS = 30_000
const STEP_MS = 5
const SETTLED_MS = 3_000
const SEGMENT_HEADER_BYTES = 4_096

export const tellStory = (seed: number, options: Partial<SimOptions> = {}, more: Omit<SimulationInput, 'options'> = {}): Story => {
  const simulation = createSimulation({ options: calmOptions(seed, options), ...more })
  const { timeline, cluster } = simulation
  const client = cluster.connectClient('c1')
  for (const machine of cluster.machines) if (machine.isInUse) cluster.start(machine)
  const time = createTime(simulation)
  const talk = createTalk(client.bus, time)
  const door = createDoor({
    client: 9, ...cluster.connectClient('c9'), timeline, nodes: () => cluster.machines.map(({ id }) => id), timeoutMs: TIMEOUT_MS,
  })
  const cast = createCast(simulation, time)
  return {
    simulation,
    nodes: cluster.machines,
    ...time,
    ...cast,
    ...talk,
    ...createCuts(simulation),
    operate: (operation) => {
      let answer: OperationResult | null | undefined
      door.send(shardId(0), operation, (result) => { answer = result })
      time.until('the door answers', () => answer !== undefined)
      return answer ?? null
    },
    kill: (...machines) => machines.forEach(cluster.kill),
    losePower: (...machines) => machines.forEach((machine) => cluster.losePower(machine)),
    start: (...machines) => machines.forEach(cluster.start),
    damage: (machine, what) => damage(simulation, machine, what),
    failReads: (machine, segment) => failReads(simulation, machine, segment),
    pause: (...machines) => machines.forEach(cluster.pause),
    resume: (...machines) => machines.forEach(cluster.resume),
    handOver: (from, to) => timeline.arrive(from.process, () =>
      memberOf(from).raft.send({ type: 'raft.transferLeadership', to: memberOf(to).id })),
    end: () => {
      simulation.network.heal()
      for (const machine of cluster.machines) {
        cluster.resume(machine)
        if (machine.node === null && machine.isInUse) cluster.start(machine)
      }
      awaitTrue(simulation, {
        withinMs: PATIENCE_MS, isTrue: () => disagreement(simulation, cluster.machines) === null,
        problem: () => disagreement(simulation, cluster.machines) ?? '',
      })
      time.run(0)
    },
  }
}

/** Its replica of shard 0. */
export const memberOf = ({ id, node }: Machine): HostedReplica =>
  must(node?.parts()?.host.of(shardId(0)), `${id} runs and has a replica of shard 0`)

type Time = Pick<Story, 'run' | 'until'>

const createTime = ({ timeline, violation }: Simulation): Time => {
  const run = (ms: number): void => {
    timeline.runUntil(timeline.now() + ms)
    const found = violation()
    if (found !== null) throw new Error(`${found.invariant}: ${found.text}`)
  }
  return {
    run,
    until: (what, isTrue, withinMs = PATIENCE_MS) => {
      const deadline = timeline.now() + withinMs
      while (!isTrue()) {
        if (timeline.now() > deadline) throw new Error(`${what}: not within ${withinMs} virtual milliseconds`)
        run(STEP_MS)
      }
    },
  }
}

type Cast = Pick<Story, 'leader' | 'leaderBut' | 'settledLeader' | 'followers' | 'report' | 'revision' | 'contents'>

const createCast = ({ cluster: { machines }, timeline }: Simulation, { until }: Time): Cast => {
  const reportOf = ({ node }: Machine): ReplicaReport | undefined => node?.report().replicas.find(({ shard }) => shard === 0)
  const serving = (but: Machines): Machine | undefined => machines.find((machine) =>
    !but.includes(machine) && machine.process.state === 'running' && reportOf(machine)?.state === 'leading.serving')
  const leaderBut = (...but: Machines): Machine => {
    until('a leader serves', () => serving(but) !== undefined)
    return must(serving(but), 'somebody serves')
  }
  return {
    leader: leaderBut,
    leaderBut,
    settledLeader: () => {
      let found = leaderBut()
      let since = timeline.now()
      until('leadership rests', () => {
        const now = leaderBut()
        if (now !== found) since = timeline.now()
        found = now
        return timeline.now() - since >= SETTLED_MS
      })
      return found
    },
    followers: () => {
      const leader = leaderBut()
      return machines.filter((machine) => machine !== leader && reportOf(machine) !== undefined)
    },
    report: (machine) => must(reportOf(machine), `${machine.id} runs and has a replica of shard 0`),
    revision: (machine) => reportOf(machine)?.revision ?? 0,
    contents: ({ node }) => node?.parts()?.host.all().find(({ shard }) => shard === 0)?.actor.stateHash(),
  }
}

type Talk = Pick<Story, 'send' | 'request' | 'insist' | 'put' | 'putMany' | 'get'>

const createTalk = (bus: Bus, { until }: Time): Talk => {
  const send = (op: string, key: string, value = '', headers: Headers = {}): Pending => {
    let answer: Answer | null = null
    const built = requestSubject('kv', op, key)
    const options = { timeoutMs: Number(headers['Kv-Timeout-Ms'] ?? TIMEOUT_MS), headers: new Map(Object.entries(headers)) }
    bus.request(built.ok ? built.subject : '', new TextEncoder().encode(value), options, (failure, message) => {
      answer = {
        status: failure ?? message?.headers?.get('Kv-Status') ?? '',
        definite: failure === 'noResponders' || message?.headers?.get('Kv-Definite') === 'true',
        revision: Number(message?.headers?.get('Kv-Revision') ?? 0),
        value: message === null ? '' : new TextDecoder().decode(message.data),
      }
    })
    return { answer: () => answer }
  }
  const request: Story['request'] = (...args) => {
    const pending = send(...args)
    until('an answer', () => pending.answer() !== null)
    return must(pending.answer(), 'there is an answer')
  }
  const insist: Story['insist'] = (...args) => {
    let answer = request(...args)
    until('an OK', () => {
      if (answer.status !== 'OK') answer = request(...args)
      return answer.status === 'OK'
    })
    return answer
  }
  return {
    send,
    request,
    insist,
    put: (key, value) => { insist('put', key, value) },
    putMany: (key, count, bytes = 1) => {
      for (let i = 0; i < count; i += 1) insist('put', `${key}${i}`, String(i).padEnd(bytes, '.'))
    },
    get: (key) => insist('get', key).value,
  }
}

/** The first group of the oldest segment (docs/WAL_FORMAT.md), which its successor seals; or the middle of the newest snapshot. */
const damage = ({ watch }: Simulation, machine: Machine, what: 'log' | 'snapshot'): void => {
  const { files, directories } = machine.disk.copy()
  const paths = [...files.keys()].filter((path) => path.endsWith(what === 'log' ? '.wal' : '.snap')).sort()
  const path = must(what === 'log' ? paths[0] : paths.at(-1), `${machine.id} has a ${what}`)
  const bytes = Uint8Array.from(must(files.get(path), 'it has bytes'))
  const at = what === 'log' ? SEGMENT_HEADER_BYTES + 8 : Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  machine.disk.restore({ files: new Map(files).set(path, bytes), directories })
  harm(machine, watch.newestMap(), path)
}

const failReads = ({ watch }: Simulation, machine: Machine, segment: UnreadSegment): void => {
  const all = [...machine.disk.copy().files].filter(([path]) => path.endsWith('.wal')).sort(([a], [b]) => (a < b ? -1 : 1))
  const begun = all.filter(([, bytes]) => bytes.some((byte) => byte !== 0))
  const [path] = must(segment === 'the oldest' ? begun[0] : (segment === 'one made ahead' ? all : begun).at(-1), `${machine.id} has a log`)
  machine.disk.failReads(path)
  harm(machine, watch.newestMap(), path)
  machine.mayExit = 'damaged'
}

type Cuts = Pick<Story, 'isolate' | 'deafen' | 'mute' | 'sever' | 'hideFromClients' | 'holdBack' | 'heal'>
type Link = (from: string, to: string) => boolean

const isClient = (owner: string): boolean => owner.startsWith('c')

const createCuts = ({ network, timeline }: Simulation): Cuts => {
  let cuts: readonly Link[] = []
  const cut = (link: Link): void => {
    cuts = [...cuts, link]
    network.cut((from, to) => cuts.some((isCut) => isCut(ownerOf(from), ownerOf(to))))
  }
  const cutBetweenNodes = (link: Link): void => cut((from, to) => from !== to && !isClient(from) && !isClient(to) && link(from, to))
  return {
    isolate: (...machines) => {
      const inside: ReadonlySet<string> = new Set(machines.map(({ id }) => id))
      cutBetweenNodes((from, to) => inside.has(from) !== inside.has(to))
    },
    deafen: ({ id }) => cutBetweenNodes((_from, to) => to === id),
    mute: ({ id }) => cutBetweenNodes((from) => from === id),
    sever: (a, b) => cutBetweenNodes((from, to) => (from === a.id && to === b.id) || (from === b.id && to === a.id)),
    hideFromClients: ({ id }, what) =>
      cut((from, to) => (what === 'requests' ? isClient(from) && to === id : from === id && isClient(to))),
    holdBack: (from, to, ms) => network.clog((a, b) => ownerOf(a) === from.id && ownerOf(b) === to.id, timeline.now() + ms),
    heal: () => {
      cuts = []
      network.heal()
    },
  }
}

/** A follower comes back on the disk that it had before ten writes which it has promised to keep: `k` is `new9` since. */
export const putBackOldCopy = (story: Story): Machine => {
  story.put('k', 'old')
  const victim = must(story.followers()[0], 'there is a follower')
  story.losePower(victim)
  const copy = victim.disk.copy()
  story.start(victim)
  story.run(3_000)
  for (let i = 0; i < 10; i += 1) story.put('k', `new${i}`)
  story.run(1_000)
  story.losePower(victim)
  victim.disk.restore(copy)
  harm(victim, story.simulation.watch.newestMap())
  story.start(victim)
  return victim
}
