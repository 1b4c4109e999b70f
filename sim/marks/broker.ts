/** The broker between everybody: each shape of a partition, clogs, bursts, and messages lost, doubled and out of order. */

import { defineSubject } from './mark.ts'

const shapes = [
  [/^isolate leader/, 'a leader was cut off from the other nodes, not from its clients'],
  [/^isolate \S+ also from clients/, 'a node was cut off from everybody'],
  [/^isolate n\d+ for/, 'a node was cut off from the other nodes, not from its clients'],
  [/ \| /, 'the nodes were cut into two parts'],
  [/^(?:ring|chain) /, 'every node heard its neighbours only'],
  [/^bridge /, 'two parts saw each other through one node'],
  [/ is deaf /, 'a node was heard and did not hear'],
  [/ is mute /, 'a node heard and was not heard'],
  [/^clients cut/, 'clients were cut off from all nodes'],
  [/^broker gone/, 'the broker was gone'],
  [/^data path of /, 'a node lost its data path and kept its control path'],
] as const

export const broker = defineSubject('broker', [
  ...shapes.map(([, mark]) => mark),
  'a cut healed after somebody else led',
  'a cut healed before anybody else led',
  'a link was half open until somebody noticed',
  'a leader had a link that was half open',
  'some nodes lost their broker at once',
  'most nodes lost their broker at once',
  'messages came again after their sender had connected again',
  'a link was clogged',
  'a leader heard everything late, in one burst',
  'a message was lost for no reason',
  'a message was doubled',
  'a message overtook another of its link',
], (hit, world) => {
  /** Terms of all shards when the cut began; null while nothing is cut. */
  let termsAtCut: readonly number[] | null = null
  let isCut = false
  const terms = (): number[] => Array.from({ length: world.shards }, (_, shard) => world.leaderOf(shard)?.term ?? 0)

  const onPartition = (details: string): void => {
    for (const [pattern, mark] of shapes) if (pattern.test(details)) hit(mark)
    termsAtCut = terms()
    isCut = true
  }
  const onHealed = (): void => {
    const before = termsAtCut
    if (before === null) return
    const isNewer = terms().some((term, shard) => term > (before[shard] ?? 0))
    hit(isNewer ? 'a cut healed after somebody else led' : 'a cut healed before anybody else led')
    termsAtCut = null
  }
  const onPeersLost = (details: string): void => {
    const lost = details.split(' ').filter((word) => /^n\d+$/.test(word)).length
    hit(lost > world.nodes / 2 ? 'most nodes lost their broker at once' : 'some nodes lost their broker at once')
  }
  return {
    onLine: ({ what, details }) => {
      if (what !== 'fault') return
      const space = details.indexOf(' ')
      const kind = details.slice(0, space)
      const rest = details.slice(space + 1)
      if (kind === 'partition') onPartition(rest)
      if (kind === 'halfOpen') isCut = true
      if (kind === 'healed') onHealed()
      if (kind === 'halfOpen') hit('a link was half open until somebody noticed')
      if (kind === 'halfOpen' && world.isLeading(rest.split(' ')[0] ?? '')) hit('a leader had a link that was half open')
      if (kind === 'peersLost') onPeersLost(rest)
      if (kind === 'clog') hit('a link was clogged')
      if (kind === 'lateBurst' && world.isLeading(rest.split(' ')[0] ?? '')) hit('a leader heard everything late, in one burst')
    },
    onEnd: () => {
      const { lost, doubled, echoed, overtaken } = world.network()
      if (echoed > 0) hit('messages came again after their sender had connected again')
      if (lost > 0 && !isCut) hit('a message was lost for no reason')
      if (doubled > 0) hit('a message was doubled')
      if (overtaken > 0) hit('a message overtook another of its link')
    },
  }
})
