/**
 * One node: the composition root. It performs the steps of the node's chart (actors/node/machine.ts) over the ports it is given, and
 * owns the node's parts (topology/nodeParts.ts), its ticks, its beacon and its answer to `kv.status`.
 *
 * The same function runs in production (cli/commands/node.ts gives it NATS, the disk and the system clock) and in the simulator
 * (sim/ gives it a heap clock, a simulated bus and a disk that forgets).
 */

import { createShell } from '../actors/kernel/shell.ts'
import { createTicker } from '../actors/kernel/ticker.ts'
import { nodeMachine } from '../actors/node/machine.ts'
import { EXIT_FAILURE, EXIT_REFUSED } from '../actors/node/protocol.ts'
import { isReplyAllowed, statusSubject } from '../bus/subjects.ts'
import { createBeaconRadio } from './beaconRadio.ts'
import { mapOfGenesis } from './clusterMap.ts'
import { checkIdentity } from './identityCheck.ts'
import { createLeadership } from './leadership.ts'
import { createNodeParts } from './nodeParts.ts'
import { reportNode } from './nodeReport.ts'
import { checkRouting } from './routingCheck.ts'
import type { Tick, Ticker } from '../actors/kernel/ticker.ts'
import type { NodeEffect } from '../actors/node/protocol.ts'
import type { WalNotice } from '../actors/wal/protocol.ts'
import type { Readiness } from '../gateway/health.ts'
import type { Subscription } from '../bus/port.ts'
import type { BeaconRadio } from './beaconRadio.ts'
import type { Leadership } from './leadership.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { NodeParts } from './nodeParts.ts'
import type { NodeReport, NodeState, Routing } from './report.ts'

export interface Node {
  readonly state: () => NodeState
  readonly report: () => NodeReport
  readonly readiness: () => Readiness
  /** Hands leadership over, flushes, closes; ends in `onExit(0)`. */
  readonly drain: () => void
  /** Ends at once without another effect: what a crash does to a process. For the simulator. */
  readonly kill: () => void
  /** The live parts, for the simulator's invariants; null until the log is being opened. */
  readonly parts: () => NodeParts | null
}

export const createNode = (options: NodeOptions): Node => {
  const { genesis, boot, ports, settings, onExit } = options
  const { clock, log, bus, controlBus } = ports
  const map = mapOfGenesis(genesis)
  const self = genesis.node
  let parts: NodeParts | null = null
  let leadership: Leadership | null = null
  let radio: BeaconRadio | null = null
  let ticker: Ticker | null = null
  let status: Subscription | null = null
  let routing: Routing = 'gateway'
  let isEnded = false
  let wasStalled = false

  const fail = (reason: string, code: number): void => {
    if (!isEnded) life.send({ type: 'node.failed', reason, code })
  }
  const onFailure = (error: unknown): void => {
    log.error({ actor: 'node', err: error }, 'an actor failed: the process ends')
    fail(error instanceof Error ? error.message : String(error), EXIT_FAILURE)
  }
  const state = (): NodeState => (life.state().split('.')[0] as NodeState)

  const report = (): NodeReport => reportNode({
    options,
    map,
    state: state(),
    routing,
    replicas: parts?.host.all() ?? [],
    walBytes: parts?.wal.bytes() ?? 0,
    diskFull: parts?.wal.isFull() ?? false,
    counters: parts === null ? {} : countersOf(parts),
  })

  const onTick = (tick: Tick): void => {
    if (parts === null || leadership === null) return
    const isStalled = parts.diskWatch.isStalled(tick.now)
    if (isStalled !== wasStalled) {
      wasStalled = isStalled
      for (const { raft } of parts.host.all()) raft.send({ type: 'wal.stalled', stalled: isStalled })
    }
    parts.host.onTick(tick)
    parts.raw.send({ type: 'tick', now: tick.now })
    radio?.onTick(tick.now)
    if (state() === 'serving') leadership.balance(tick.now)
    if (life.state() === 'draining.handingOver' && leadership.isHandedOver(tick.now)) life.send({ type: 'node.handedOver' })
  }

  const onWalNotice = (notice: WalNotice): void => {
    if (isEnded || parts === null) return
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
        fail(notice.reason, EXIT_FAILURE)
        return
      default:
        parts.host.onWalNotice(notice)
    }
  }

  const openReplicas = (): void => {
    parts = createNodeParts(options, map, {
      onWalNotice,
      onFailure,
      catchUp: () => ticker?.catchUp(),
      onLeadershipChanged: () => radio?.changed(),
    })
    leadership = createLeadership({ node: self, map, host: parts.host, beacon: parts.beacon })
    status = controlBus.subscribe(statusSubject(settings.prefix), ({ reply }) => {
      if (!isReplyAllowed(reply, settings.inboxPrefix)) return
      controlBus.publish(reply, new TextEncoder().encode(JSON.stringify(report())))
    })
    parts.wal.send({ type: 'wal.open' })
  }

  const join = (): void => {
    if (parts === null) return
    const { host, beacon } = parts
    ticker = createTicker(clock, settings.tickMs, onTick)
    radio = createBeaconRadio({
      bus: controlBus,
      clock,
      cluster: genesis.cluster,
      self,
      members: map.nodes,
      beacon,
      message: () => ({
        boot,
        startedAtMs: options.startedAtMs,
        state: state(),
        leads: host.all().filter(({ actor }) => actor.status().serving).map(({ shard, raft }) => [shard, raft.status().term]),
      }),
      onTwin: () => fail(`an older process already runs as ${self}: this one stops`, EXIT_REFUSED),
    })
    checkRouting({ from: controlBus, to: bus, clock, boot, prefix: settings.prefix, shardCount: map.shardCount }, (verdict) => {
      if (isEnded) return
      routing = verdict.routing
      const fields = { actor: 'node', routing, broker: bus.status().server.version }
      if (verdict.finding === undefined) log.info(fields, 'routing is known')
      else log.error({ ...fields, finding: verdict.finding }, 'the broker does not route as this cluster needs')
      life.send({ type: 'node.joined' })
    })
  }

  const closeLog = (): void => {
    parts?.gateway.close()
    parts?.host.stop()
    parts?.wal.send({ type: 'wal.close' })
  }

  const end = (code: number, reason: string): void => {
    kill()
    onExit(code, reason)
  }

  const perform = (effect: NodeEffect): void => {
    switch (effect.type) {
      case 'node.checkIdentity':
        checkIdentity({
          bus: controlBus,
          clock,
          identity: { cluster: genesis.cluster, node: self, boot },
          statusSubject: statusSubject(settings.prefix),
          inbox: `${settings.inboxPrefix}${boot}.identity`,
        }, (refusal) => {
          if (isEnded) return
          if (refusal === null) life.send({ type: 'node.identityClear' })
          else fail(refusal, EXIT_REFUSED)
        })
        return
      case 'node.openReplicas': openReplicas(); return
      case 'node.join': join(); return
      case 'node.serve': parts?.gateway.open(); return
      case 'node.handOver':
        parts?.raw.send({ type: 'connection.drain' })
        parts?.gateway.drain()
        for (const { actor } of parts?.host.all() ?? []) actor.send({ type: 'shard.drain' })
        leadership?.startHandOver(clock.now())
        return
      case 'node.closeLog': closeLog(); return
      case 'node.exit': end(effect.code, effect.reason); return
    }
    effect satisfies never
  }

  const kill = (): void => {
    if (isEnded) return
    isEnded = true
    ticker?.stop()
    radio?.stop()
    status?.unsubscribe()
    parts?.gateway.close()
    parts?.host.stop()
    parts?.raw.stop()
    parts?.post.close()
    parts?.wal.stop()
  }

  const effects: NodeEffect[] = []
  const life = createShell({
    machine: nodeMachine,
    input: { effects },
    effects,
    perform,
    onFailure: (error) => end(EXIT_FAILURE, error instanceof Error ? error.message : String(error)),
    onState: (to) => log.info({ actor: 'node', state: to }, 'node state'),
  })

  return {
    state,
    report,
    readiness: () => readinessOf(report(), bus.status().connected),
    drain: () => life.send({ type: 'node.drain' }),
    kill,
    parts: () => parts,
  }
}

const countersOf = (parts: NodeParts): Record<string, number> => {
  const { framesSent, messagesSent, framesReceived, droppedFull, refused } = parts.post.counters()
  const counters: Record<string, number> = { framesSent, messagesSent, framesReceived, droppedFull, misdirected: parts.misdirected() }
  for (const [reason, count] of Object.entries(refused)) counters[`post.refused.${reason}`] = count
  for (const [name, count] of Object.entries(parts.gateway.counters())) counters[`gateway.${name}`] = count
  return counters
}

const readinessOf = (report: NodeReport, isConnected: boolean): Readiness => {
  const waitingFor: string[] = []
  const warnings: string[] = []
  if (!isConnected) waitingFor.push('the broker')
  if (report.node.state !== 'serving') waitingFor.push(`the node to serve (it is ${report.node.state})`)
  const leaderless = report.replicas.filter((replica) => replica.leader === '' && replica.quarantined === undefined).map(({ shard }) => shard)
  if (leaderless.length > 0) waitingFor.push(`a leader of shards ${leaderless.join(', ')}`)
  if (report.node.diskFull) warnings.push('NO_SPACE: the disk is full, writes are refused until there is room')
  if (report.broker.routing === 'mismatch') warnings.push('the broker routes keys to the wrong shards')
  for (const { shard, quarantined } of report.replicas) if (quarantined !== undefined) warnings.push(`shard ${shard} is quarantined: ${quarantined}`)
  return { ready: waitingFor.length === 0, waitingFor, warnings }
}
