/**
 * What is the same in most batches of an actor: who tells them, what they are, of which shard, what their one detail is called. It stands
 * here once, under a number, and a packed batch has the number (packedBatches.ts).
 *
 * Nothing leaves the table before the ring does, so it is bounded in bytes, and an actor may have so many only: they are looked for one
 * after the other. What finds no place is kept unpacked.
 */

import type { Happening } from '../../actors/kernel/recorder.ts'

export interface BatchTemplate extends Pick<Happening, 'actor' | 'event' | 'because' | 'peer' | 'shard'> {
  readonly number: number
  /** Of its one detail; absent: there is none. */
  readonly detailName: string | undefined
}

export interface BatchTemplates {
  /** Makes it when it is new; undefined: there is no place for another. */
  readonly of: (what: Happening, detailName: string | undefined) => BatchTemplate | undefined
  readonly numbered: (number: number) => BatchTemplate | undefined
  readonly bytes: () => number
}

/** The template, its places in the lists and in the map, which may be half empty, and what texts have beside their characters. */
const TEMPLATE_BYTES = 320
const CHARACTER_BYTES = 2
/** An actor has one or two; gossip one for each node. */
const TEMPLATES_OF_AN_ACTOR_MAX = 64

export const createBatchTemplates = (bytesMax: number): BatchTemplates => {
  const all: BatchTemplate[] = []
  const byActor = new Map<string, BatchTemplate[]>()
  let bytes = 0

  const add = (what: Happening, detailName: string | undefined, others: BatchTemplate[] | undefined): BatchTemplate | undefined => {
    const size = bytesOf(what, detailName)
    if (bytes + size > bytesMax || (others !== undefined && others.length >= TEMPLATES_OF_AN_ACTOR_MAX)) return undefined
    const { actor, event, because, peer, shard } = what
    const template = { number: all.length, actor, event, because, peer, shard, detailName } as BatchTemplate
    if (others === undefined) byActor.set(actor, [template])
    else others.push(template)
    all.push(template)
    bytes += size
    return template
  }
  return {
    of: (what, detailName) => {
      const known = byActor.get(what.actor)
      if (known !== undefined) for (const template of known) if (isOf(template, what, detailName)) return template
      return add(what, detailName, known)
    },
    numbered: (number) => all[number],
    bytes: () => bytes,
  }
}

const isOf = (template: BatchTemplate, { event, because, peer, shard }: Happening, detailName: string | undefined): boolean =>
  template.event === event && template.detailName === detailName && template.peer === peer && template.because === because
  && Object.is(template.shard, shard)

const bytesOf = ({ actor, event, because = '', peer = '' }: Happening, detailName = ''): number =>
  TEMPLATE_BYTES + CHARACTER_BYTES * (actor.length + event.length + because.length + peer.length + detailName.length)
