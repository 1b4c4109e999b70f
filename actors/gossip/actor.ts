/** The failure detector's shell: messages go to the bus through a port, verdicts to the log, and nowhere else. */

import { silentRecorder } from '../kernel/recorder.ts'
import { createShell } from '../kernel/shell.ts'
import { gossipConfig } from './config.ts'
import { gossipMachine } from './machine.ts'
import { createGossipCore } from './state.ts'
import type { Logger } from '../kernel/log.ts'
import type { Random } from '../kernel/random.ts'
import type { Recorder } from '../kernel/recorder.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GossipConfig } from './config.ts'
import type { GossipEffect, GossipEvent, GossipMessage, Incarnation, PeerView, VerdictChange } from './protocol.ts'

export interface GossipOptions {
  readonly self: NodeId
  /** Of its own: what is drawn here must not change what others draw. */
  readonly random: Random
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  readonly config?: Partial<GossipConfig>
  readonly send: (to: NodeId, message: GossipMessage) => void
  /** For whoever watches; nothing may act on it. */
  readonly onVerdict?: (change: VerdictChange) => void
  readonly onFailure: (error: unknown) => void
}

export interface GossipStatus {
  readonly state: string
  readonly incarnation: Incarnation
  /** 0 is well (localHealth.ts). */
  readonly health: number
  /** In the order of their names. */
  readonly peers: readonly PeerView[]
  /** Claims that this node still passes on. */
  readonly rumours: number
}

export interface Gossip {
  readonly send: (event: GossipEvent) => void
  readonly status: () => GossipStatus
  readonly stop: () => void
}

export const createGossip = (options: GossipOptions): Gossip => {
  const { self, random, log, send, onVerdict, recorder = silentRecorder } = options
  const core = createGossipCore({ self, random, config: gossipConfig(options.config) })
  const shell = createShell({
    machine: gossipMachine,
    input: { core },
    effects: core.effects,
    perform: (effect: GossipEffect) => {
      if (effect.type === 'gossip.send') {
        recordSent(recorder, effect)
        send(effect.to, effect.message)
      } else {
        logVerdict(log, effect)
        recordVerdict(recorder, effect)
        onVerdict?.(effect)
      }
    },
    onFailure: options.onFailure,
    onState: (state) => log.debug({ state }, 'gossip state'),
    recording: { recorder, actor: 'gossip' },
  })
  return {
    send: shell.send,
    status: () => ({
      state: shell.state(),
      incarnation: core.incarnation,
      health: core.health,
      rumours: core.queue.tierOf.size,
      peers: [...core.peers.values()].map(({ id, state, incarnation }) => ({ node: id, state, incarnation }))
        .sort((a, b) => (a.node < b.node ? -1 : 1)),
    }),
    stop: shell.stop,
  }
}

/** A probe of its own is a round: one or two a second. Whatever else is said comes of somebody's round. */
const recordSent = (recorder: Recorder, { to, message }: Extract<GossipEffect, { type: 'gossip.send' }>): void => {
  if (message.type === 'gossip.ping') recorder.record({ actor: 'gossip', kind: 'batch', event: 'round', peer: to })
  if (recorder.isDetailed()) recorder.record({ actor: 'gossip', kind: 'send', event: message.type, peer: to })
}

const recordVerdict = (recorder: Recorder, { peer, from, to, incarnation, by }: VerdictChange): void => recorder.record({
  actor: 'gossip', kind: 'note', event: `${peer} ${verdictWords[to]}`, peer, detail: { was: from, is: to, incarnation, by },
})

const verdictWords: Readonly<Record<VerdictChange['to'], string>> = {
  alive: 'is alive', suspect: 'is suspected', dead: 'is held for dead', left: 'has left',
}

/** Only a death asks for a person's eye: suspicions come and go on a busy machine. */
const logVerdict = (log: Logger, { peer, from, to, incarnation, by }: VerdictChange): void => {
  const fields = { peer, was: from, incarnation, by }
  switch (to) {
    case 'alive': log.info(fields, `${peer} is alive`); return
    case 'suspect': log.info(fields, `${peer} is suspected`); return
    case 'dead': log.warn(fields, `${peer} is held for dead`); return
    case 'left': log.info(fields, `${peer} has left`); return
  }
  to satisfies never
}
