/** Messages of a journey as arrows: each sending with the receiving that answers to it, as far as both were recorded. */

import type { ActorRecord } from '../../observe/recorder/record.ts'

export interface Arrow {
  readonly from: string
  readonly to: string
  readonly event: string
  /** Where it stands in the diagram: when it was sent, or heard where the sending was not recorded. */
  readonly at: number
  /** On its way; null when one end is missing, or the clocks of the two disagree by more. */
  readonly transitMs: number | null
  /** Nobody recorded that it arrived. */
  readonly isUnheard: boolean
}

export const arrowsOf = (records: readonly ActorRecord[]): readonly Arrow[] => {
  const receipts = records.filter(({ kind }) => kind === 'receive')
  const taken = new Set<ActorRecord>()
  const arrows = records.filter(({ kind, peer }) => kind === 'send' && peer !== undefined).map((sent): Arrow => {
    const heard = receipts.find((receipt) =>
      !taken.has(receipt) && receipt.event === sent.event && receipt.node === sent.peer && receipt.peer === sent.node)
    if (heard !== undefined) taken.add(heard)
    const transit = heard === undefined ? null : heard.at - sent.at
    return {
      from: sent.node, to: sent.peer ?? '', event: sent.event, at: sent.at, isUnheard: heard === undefined,
      transitMs: transit !== null && transit >= 0 ? transit : null,
    }
  })
  const unsent = receipts.filter((receipt) => !taken.has(receipt) && receipt.peer !== undefined).map((receipt): Arrow =>
    ({ from: receipt.peer ?? '', to: receipt.node, event: receipt.event, at: receipt.at, transitMs: null, isUnheard: false }))
  return [...arrows, ...unsent]
}
