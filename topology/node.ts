/**
 * One node: the composition root. It performs the steps of the node's chart (actors/node/machine.ts) over the ports it is given, and
 * owns the node's parts (topology/nodeParts.ts), its ticks, its beacon and its answer to `kv.status`.
 *
 * The same function runs in production (cli/commands/node.ts gives it NATS, the disk and the system clock) and in the simulator
 * (sim/ gives it a heap clock, a simulated bus and a disk that forgets).
 */

import { silentRecorder } from '../actors/kernel/recorder.ts'
import { createShell } from '../actors/kernel/shell.ts'
import { createTicker } from '../actors/kernel/ticker.ts'
import { nodeMachine } from '../actors/node/machine.ts'
import { EXIT_FAILURE, EXIT_REFUSED } from '../actors/node/protocol.ts'
import { STATUS_OP, spanningSubject } from '../bus/subjects.ts'
import { createBeaconRadio } from './beaconRadio.ts'
import { createGossipRadio } from './gossipRadio.ts'
import { checkIdentity } from './identityCheck.ts'
import { createLeadership } from './leadership.ts'
import { levelProblem, ownLevels } from './level.ts'
import { createLiveMap } from './liveMap.ts'
import { createMapParts } from './mapParts.ts'
import { generationOf } from './ids.ts'
import { createNodeParts } from './nodeParts.ts'
import { ailingIn, countersOf, reportNode } from './nodeReport.ts'
import { connectionsOf, createGapsWatch, readinessOf } from './readiness.ts'
import { createPrefixWatch } from './prefixWatch.ts'
import { createObservation } from '../observe/recorder/observation.ts'
import { actorViews } from './actorViews.ts'
import { sampleNode } from './nodeSample.ts'
import { checkRouting, isNews } from './routingCheck.ts'
import { openStatusDesk } from './statusDesk.ts'
import { createTwinCheck } from './twinCheck.ts'
import type { Shell } from '../actors/kernel/shell.ts'
import type { Tick, Ticker } from '../actors/kernel/ticker.ts'
import type { NodeEffect, NodeEvent } from '../actors/node/protocol.ts'
import type { WalNotice } from '../actors/wal/protocol.ts'
import type { Readiness } from '../gateway/health.ts'
import type { Observation } from '../observe/recorder/observation.ts'
import type { BeaconRadio } from './beaconRadio.ts'
import type { ClusterAdmin } from './clusterAdmin.ts'
import type { GossipRadio } from './gossipRadio.ts'
import type { IdentityCheck } from './identityCheck.ts'
import type { Leadership } from './leadership.ts'
import type { LiveMap, LiveMapOptions } from './liveMap.ts'
import type { MapParts } from './mapParts.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { NodeParts } from './nodeParts.ts'
import type { NodeSample } from './nodeSample.ts'
import type { PrefixWatch } from './prefixWatch.ts'
import type { Proposals } from './proposals.ts'
import type { GapsWatch } from './readiness.ts'
import type { NodeReport, NodeState, Routing } from './report.ts'
import type { RoutingVerdict } from './routingCheck.ts'
import type { StatusDesk } from './statusDesk.ts'
import type { TwinCheck } from './twinCheck.ts'

export interface Node {
  readonly state: () => NodeState
  readonly report: () => NodeReport
  readonly readiness: () => Readiness
  /** What its metrics are read from. */
  readonly sample: () => NodeSample
  /** What people may ask of the cluster through this node; null while it starts, and after it has ended. */
  readonly admin: () => ClusterAdmin | null
  /** What people may see of the actors through this node; null while it starts, after it has ended, and when nothing is recorded. */
  readonly observation: () => Observation | null
  /** Hands leadership over, flushes, closes; ends in `onExit(0)`. */
  readonly drain: () => void
  /** Finds out anew how requests come, since a broker may be configured anew. Once at a time; nothing before it is known at all. */
  readonly checkRouting: () => void
  /** Asks the meta group to decide something; `done` with null when nobody who could answered. */
  readonly propose: Proposals['propose']
  /** Ends at once without another effect: what a crash does to a process. For the simulator. */
  readonly kill: () => void
  /** The live parts, for the simulator's invariants; null until the log is being opened. */
  readonly parts: () => NodeParts | null
}

/** What a node has become so far: each field is set by the step that makes it. */
interface Running {
  readonly options: NodeOptions
  readonly live: LiveMap
  life: Shell<NodeEvent> | null
  parts: NodeParts | null
  leadership: Leadership | null
  gaps: GapsWatch | null
  prefixes: PrefixWatch | null
  radio: BeaconRadio | null
  twinCheck: TwinCheck | null
  gossip: GossipRadio | null
  ticker: Ticker | null
  mapParts: MapParts | null
  observation: ReturnType<typeof createObservation> | null
  status: StatusDesk | null
  routing: Routing
  isMember: boolean
  isRoutingKnown: boolean
  isRoutingAsked: boolean
  isEnded: boolean
}

export const createNode = (options: NodeOptions): Node => {
  const running: Running = {
    options, live: openLiveMap(options, { onChange: () => followMap(running), onNewer: (reason) => fail(running, reason, EXIT_REFUSED) }),
    life: null, parts: null, leadership: null, gaps: null, prefixes: null, radio: null, twinCheck: null, gossip: null, mapParts: null,
    observation: null, ticker: null, status: null, routing: 'gateway', isMember: false, isRoutingKnown: false, isRoutingAsked: false,
    isEnded: false,
  }
  const effects: NodeEffect[] = []
  running.life = createShell({
    machine: nodeMachine,
    input: { effects },
    effects,
    perform: (effect: NodeEffect) => perform(running, effect),
    onFailure: (error) => end(running, EXIT_FAILURE, reasonOf(error)),
    onState: (state) => options.ports.log.info({ actor: 'node', state }, 'node state'),
    recording: { recorder: options.ports.recorder ?? silentRecorder, actor: 'node' },
  })
  return {
    state: () => stateOf(running),
    report: () => report(running),
    readiness: () => readinessIn(running),
    sample: () => sampleNode({
      report: report(running), parts: running.parts, state: running.live.state(), ports: options.ports,
    }),
    admin: () => (running.isEnded ? null : running.mapParts?.admin ?? null),
    observation: () => (running.isEnded ? null : running.observation),
    drain: () => running.life?.send({ type: 'node.drain' }),
    checkRouting: () => { if (running.isRoutingKnown && !running.isEnded) askForRouting(running) },
    propose: (command, done) => {
      if (running.mapParts === null) done(null)
      else running.mapParts.propose(command, done)
    },
    kill: () => release(running),
    parts: () => running.parts,
  }
}

/** Anybody who reaches the HTTP port may ask, as often as he likes: no report is made for it, which at 1,024 shards takes milliseconds. */
const readinessIn = (running: Running): Readiness => readinessOf({
  node: {
    state: stateOf(running), diskFull: running.parts?.wal.isFull() ?? false, memory: running.parts?.memoryWatch.report() ?? undefined,
  },
  broker: { routing: running.routing },
  otherPrefixes: running.prefixes?.others() ?? [],
  ...ailingIn({ replicas: running.parts?.host.all() ?? [], meta: running.parts?.host.meta(), placements: running.live.state() }),
}, {
  ...connectionsOf(running.options.ports), isAskingForPrefix: running.prefixes?.isAsking() ?? false,
}, running.gaps?.known() ?? null)

const perform = (running: Running, effect: NodeEffect): void => {
  switch (effect.type) {
    case 'node.checkIdentity': askIdentity(running); return
    case 'node.openReplicas': running.live.load(() => openReplicas(running)); return
    case 'node.join': join(running); return
    case 'node.serve': serve(running); return
    case 'node.handOver': startHandOver(running); return
    case 'node.closeLog': closeLog(running); return
    case 'node.exit': end(running, effect.code, effect.reason); return
  }
  effect satisfies never
}

/** Who else is there. */
const questionOf = ({ genesis, boot, ports, settings }: NodeOptions): Omit<IdentityCheck, 'inbox'> => ({
  bus: ports.controlBus,
  clock: ports.clock,
  identity: { cluster: genesis.cluster, node: genesis.node, boot },
  statusSubject: spanningSubject(settings.prefix, STATUS_OP),
})

const askIdentity = (running: Running): void => {
  const { boot, settings } = running.options
  checkIdentity({ ...questionOf(running.options), inbox: `${settings.ownInboxPrefix}.${boot}.identity` }, (refusal) => {
    if (running.isEnded) return
    if (refusal === null) running.life?.send({ type: 'node.identityClear' })
    else fail(running, refusal, EXIT_REFUSED)
  })
}

const openLiveMap = (
  { genesis, ports: { fileSystem, clock, log } }: NodeOptions, hooks: Pick<LiveMapOptions, 'onChange' | 'onNewer'>,
): LiveMap => createLiveMap({ genesis, fileSystem, clock, log: log.child({ actor: 'topology' }), ...hooks })

/** A newer map is in force, and on the disk: only now may anything be written at its level. */
const followMap = (running: Running): void => {
  const { parts, live } = running
  if (isRefusedByLevel(running)) return
  parts?.wal.send({ type: 'wal.level', level: live.state().level })
  parts?.host.follow()
  running.mapParts?.noteMap()
  parts?.post.noteMembers()
  parts?.doors.noteMap()
}

const isRefusedByLevel = (running: Running): boolean => {
  const problem = levelProblem(ownLevels, running.live.state().level)
  if (problem !== null) fail(running, problem, EXIT_REFUSED)
  return problem !== null
}

const openReplicas = (running: Running): void => {
  if (running.isEnded) return
  if (stateOf(running) === 'draining') {
    // Told to stop before there was a log to close.
    running.life?.send({ type: 'node.logClosed' })
    return
  }
  if (isRefusedByLevel(running)) return
  const { ports, settings } = running.options
  const parts = createNodeParts(running.options, running.live, {
    onWalNotice: (notice) => onWalNotice(running, notice),
    onFailure: (error) => onFailure(running, error),
    catchUp: () => running.ticker?.catchUp(),
    onLeadershipChanged: () => running.radio?.changed(),
    onOrder: (order) => running.mapParts?.order(order),
    onShardQuiet: (shard) => running.leadership?.onQuiet(shard, ports.clock.now()),
  })
  running.parts = parts
  running.leadership = createLeadership({
    node: running.options.genesis.node, map: running.live.map, host: parts.host, beacon: parts.beacon,
    isMoving: (shard) => running.live.state().shards[shard]?.move !== null,
    isDiskFull: parts.wal.isFull, isIdle: parts.doors.isIdle,
  })
  running.gaps = createGapsWatch({ host: parts.host, placements: running.live.state })
  running.mapParts = createMapParts({
    node: running.options, live: running.live, parts, leadership: running.leadership,
    present: () => running.gossip?.present() ?? new Set(),
    onMember: () => noteJoined(running, 'isMember'),
    onLeft: () => running.life?.send({ type: 'node.drain' }),
    onRefused: (reason) => fail(running, reason, EXIT_REFUSED),
  })
  running.observation = openObservation(running)
  running.status = openStatusDesk({
    bus: ports.controlBus, clock: ports.clock, log: ports.log.child({ actor: 'node' }), inboxPrefix: settings.inboxPrefix,
    nodesInbox: settings.ownInboxPrefix, subject: spanningSubject(settings.prefix, STATUS_OP), report: () => report(running),
  })
  parts.wal.send({ type: 'wal.level', level: running.live.state().level })
  parts.wal.send({ type: 'wal.open' })
}

const openObservation = (running: Running): Running['observation'] => {
  const { genesis, settings, ports: { recorder, requests, operationTimes, clock, controlBus, log } } = running.options
  if (recorder === undefined) return null
  return createObservation({
    bus: controlBus, clock, log: log.child({ actor: 'recorder' }), cluster: genesis.cluster, self: genesis.node,
    inboxPrefix: settings.inboxPrefix, recorder, members: () => running.live.map().nodes,
    requests: (wish) => requests?.kept(wish) ?? [],
    probe: (request, done) => {
      if (running.parts === null) done(null)
      else running.parts.doors.probe(request, done)
    },
    actors: () => ({
      node: genesis.node, at: clock.wall(),
      actors: actorViews({ states: recorder.states(), parts: running.parts, gossip: running.gossip }),
      operations: operationTimes?.() ?? [],
    }),
  })
}

const join = (running: Running): void => {
  const { parts, options, live } = running
  if (parts === null) return
  const { boot, ports, settings, genesis, startedAtMs } = options
  const { clock, bus, controlBus } = ports
  running.ticker = createTicker(clock, settings.tickMs, (tick) => onTick(running, tick))
  running.twinCheck = createTwinCheck({
    ...questionOf(running.options), inboxPrefix: `${settings.ownInboxPrefix}.`,
    onTwin: () => fail(running, `an older process already runs as ${genesis.node}: this one stops`, EXIT_REFUSED),
  })
  running.radio = createBeaconRadio({
    bus: controlBus,
    clock,
    log: ports.log.child({ actor: 'beacon' }),
    cluster: genesis.cluster,
    self: genesis.node,
    members: () => live.map().nodes,
    beacon: parts.beacon,
    onEpoch: (from, epoch) => running.mapParts?.heardEpoch(from, epoch),
    hasDataPath: () => bus.status().connected,
    epoch: () => live.map().epoch,
    message: () => ({
      boot,
      startedAtMs,
      state: stateOf(running),
      epoch: live.map().epoch,
      levels: ownLevels,
      ...(options.addresses === undefined ? {} : { addresses: options.addresses }),
      prefix: settings.prefix,
      leads: parts.host.all().filter(({ actor }) => actor.isServing()).map(({ shard, raft }) => [shard, raft.leadership().term]),
      damaged: parts.host.damaged().map(({ group, id }) => [group, generationOf(id)]),
      loading: parts.host.all().filter(({ raft }) => raft.isLoading()).map(({ shard, id }) => [shard, generationOf(id)]),
    }),
    onOlder: (suspect, prefix) => running.twinCheck?.suspect(suspect, prefix),
  })
  running.prefixes = createPrefixWatch({
    self: genesis.node, prefix: settings.prefix, members: () => live.map().nodes, beacon: parts.beacon,
    log: ports.log.child({ actor: 'beacon' }),
  })
  running.gossip = createGossipRadio({
    bus: controlBus,
    clock,
    log: ports.log.child({ actor: 'gossip' }),
    recorder: ports.recorder,
    cluster: genesis.cluster,
    self: genesis.node,
    boot,
    tickMs: settings.tickMs,
    members: () => live.map().nodes,
    onFailure: (error) => onFailure(running, error),
  })
  askForRouting(running)
}

const askForRouting = (running: Running): void => {
  if (running.isRoutingAsked) return
  running.isRoutingAsked = true
  const { boot, ports, settings: { prefix }, genesis: { shardCount } } = running.options
  const { clock, controlBus: from, doorsBus: to, newToken } = ports
  checkRouting({ from, to, clock, token: newToken?.() ?? boot, prefix, shardCount }, (verdict) => {
    running.isRoutingAsked = false
    if (!running.isEnded) noteRouting(running, verdict)
  })
}

const noteRouting = (running: Running, verdict: RoutingVerdict): void => {
  if (!isNews(running.isRoutingKnown ? running.routing : null, verdict)) return
  const { routing, finding } = verdict
  running.routing = routing
  const { bus, log } = running.options.ports
  const fields = { actor: 'node', routing, broker_version: bus.status().server.version }
  if (finding === undefined) log.info(fields, 'routing is known')
  else log.error({ ...fields, finding }, 'the broker does not route as this cluster needs')
  noteJoined(running, 'isRoutingKnown')
}

/** The map names this node, and it is known how requests come: it may serve. */
const noteJoined = (running: Running, fact: 'isMember' | 'isRoutingKnown'): void => {
  running[fact] = true
  if (running.isMember && running.isRoutingKnown) running.life?.send({ type: 'node.joined' })
}

const serve = ({ parts }: Running): void => {
  parts?.doors.open()
  parts?.micro.open()
}

const onTick = (running: Running, tick: Tick): void => {
  const { parts, leadership, life } = running
  if (parts === null || leadership === null || life === null) return
  parts.host.noteStalled(parts.diskWatch.isStalled(tick.now))
  parts.memoryWatch.onTick(tick.now)
  running.options.ports.vitals?.noteTick(tick)
  parts.host.onTick(tick)
  parts.doors.onTick(tick.now)
  running.radio?.onTick(tick.now)
  running.mapParts?.onTick(tick.now)
  running.gossip?.onTick(tick)
  running.gaps?.onTick(tick.now)
  if (isRefusedByPrefix(running, tick.now)) return
  if (life.state() === 'serving') leadership.onTick(tick.now)
  if (life.state() === 'draining.handingOver' && leadership.isHandedOver(tick.now)) life.send({ type: 'node.handedOver' })
}

const isRefusedByPrefix = (running: Running, now: number): boolean => {
  // Whoever drains ends anyway, and cleanly.
  const refusal = stateOf(running) === 'draining' ? null : running.prefixes?.onTick(now) ?? null
  if (refusal !== null) fail(running, refusal.reason, refusal.isOutvoted ? EXIT_REFUSED : EXIT_FAILURE)
  return refusal !== null
}

const onWalNotice = (running: Running, notice: WalNotice): void => {
  const { parts, life } = running
  if (running.isEnded || parts === null || life === null) return
  const { clock, log } = running.options.ports
  parts.diskWatch.noticed(notice, clock.now())
  switch (notice.type) {
    case 'wal.recovered':
      for (const finding of notice.report.findings) log.warn({ actor: 'wal', finding }, 'the log was not as it was left')
      parts.host.open(notice.report, () => life.send({ type: 'node.replicasOpened' }))
      return
    case 'wal.closed':
      life.send({ type: 'node.logClosed' })
      return
    case 'wal.failed':
      log.error({ actor: 'wal', reason: notice.reason }, 'the log failed: the process ends')
      fail(running, notice.reason, EXIT_FAILURE)
      return
    default:
      parts.host.onWalNotice(notice)
  }
}

const startHandOver = ({ parts, leadership, gossip, options }: Running): void => {
  if (parts === null) return
  gossip?.leave()
  parts.micro.close()
  parts.doors.drain()
  leadership?.startHandOver(options.ports.clock.now())
}

const closeLog = ({ parts, gossip }: Running): void => {
  gossip?.leave()
  parts?.doors.close()
  parts?.host.stop()
  parts?.wal.send({ type: 'wal.close' })
}

const onFailure = (running: Running, error: unknown): void => {
  running.options.ports.log.error({ actor: 'node', err: error }, 'an actor failed: the process ends')
  fail(running, reasonOf(error), EXIT_FAILURE)
}

const fail = (running: Running, reason: string, code: number): void => {
  if (!running.isEnded) running.life?.send({ type: 'node.failed', reason, code })
}

const end = (running: Running, code: number, reason: string): void => {
  if (running.isEnded) return
  release(running)
  running.options.onExit(code, reason)
}

const release = (running: Running): void => {
  running.isEnded = true
  running.live.stop()
  running.ticker?.stop()
  running.radio?.stop()
  running.twinCheck?.stop()
  running.mapParts?.stop()
  running.observation?.stop()
  running.gossip?.stop()
  running.status?.stop()
  running.parts?.micro.close()
  running.parts?.doors.close()
  running.parts?.host.stop()
  running.parts?.post.close()
  running.parts?.wal.stop()
}

const stateOf = ({ life }: Running): NodeState => (life?.state().split('.')[0] ?? 'booting') as NodeState

const report = (running: Running): NodeReport => reportNode({
  options: running.options,
  map: running.live.map(),
  level: running.live.state().level,
  members: running.live.state().nodes,
  state: stateOf(running),
  routing: running.routing,
  replicas: running.parts?.host.all() ?? [],
  meta: running.parts?.host.meta(),
  placements: running.live.state(),
  walBytes: running.parts?.wal.bytes() ?? 0,
  walBacklogBytes: running.parts?.wal.backlogBytes() ?? 0,
  diskFull: running.parts?.wal.isFull() ?? false,
  memory: running.parts?.memoryWatch.report() ?? null,
  counters: running.parts === null ? {} : { ...countersOf(running.parts, running.radio), ...running.gossip?.counters() },
  gossip: running.gossip?.report(),
  otherPrefixes: running.prefixes?.others() ?? [],
})

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
