/**
 * The life of a node's log.
 *
 *   opening ──scanned──▶ replaying ──replayed──▶ open ◀── disk full in mid-group ──▶ blocked
 *                                                 │        and room for it again
 *                                          close, │ and nothing is under way
 *                                                 ▼
 *                                              closing ──▶ closed          any failure ──▶ halted (the process ends)
 *
 * Whether a group is under way is data of the core (`inFlight`), not a state: it begins and ends with every group, some hundred times a
 * second, and a change of state costs more than the group's own bookkeeping (actors/kernel/hotPath.ts). One group is under way at most;
 * what arrives meanwhile collects in the core. A failed sync is never retried: Linux marks the pages clean after a failed write-back, so
 * a second sync would succeed and lie. Lack of space is no such failure, whichever half of a write that syncs met it: the group is
 * written again, which makes its pages dirty again.
 */

import { setup } from 'xstate'
import {
  handleAppend, handleCompact, handleInstallSnapshot, handleLevel, handleQuarantine, notify,
} from './core.ts'
import type { WalCore, WalInput } from './core.ts'
import {
  abandonWrite, becomeClosing, canClose, handleFlushWithoutRoom, handlePrepareStarved, handleReplayed, handleSegmentPrepared,
  handleSegmentsRemoved, handleSpaceRetry, handleWriteStarved, handleWritten, isSealDue, isWriting, mustFlushToClose, mustSealToClose,
  rearmSeal, retryWrite, startFlush, startSeal,
} from './plan.ts'
import { copyForward, handleDamageReplaced } from './reclaim.ts'
import { handleAdopt, handleRetire } from './replica.ts'
import { canFlush } from './take.ts'

/** xstate copies the outermost object of a context: the core, which is changed in place, hangs below it. */
interface WalContext { readonly core: WalCore }

interface Args { readonly context: WalContext; readonly event: WalInput }

/** Narrows the event once, instead of a cast in every handler. */
const on = <Type extends WalInput['type']>(
  type: Type, handle: (core: WalCore, event: Extract<WalInput, { readonly type: Type }>) => void,
) => ({ context, event }: Args): void => {
  if (event.type === type) handle(context.core, event as Extract<WalInput, { readonly type: Type }>)
}

const submissions = {
  'wal.append': { actions: 'append' },
  'wal.installSnapshot': { actions: 'installSnapshot' },
  'wal.compact': { actions: 'compact' },
  'wal.quarantine': { actions: 'quarantine' },
  'wal.adopt': { actions: 'adopt' },
  'wal.retire': { actions: 'retire' },
  'wal.damageReplaced': { actions: 'damageReplaced' },
} as const

const background = {
  'wal.segmentPrepared': { actions: 'segmentPrepared' },
  'wal.prepareStarved': { actions: 'prepareStarved' },
  'wal.segmentsRemoved': { actions: 'segmentsRemoved' },
  'wal.entriesRead': { actions: 'copyForward' },
} as const

export const walMachine = setup({
  types: { context: {} as WalContext, input: {} as WalCore, events: {} as WalInput },
  guards: {
    isWriting: ({ context }) => isWriting(context.core),
    isClosing: ({ context }) => context.core.isClosing,
    canFlush: ({ context }) => canFlush(context.core),
    isSealDue: ({ context }) => isSealDue(context.core),
    mustFlushToClose: ({ context }) => mustFlushToClose(context.core),
    mustSealToClose: ({ context }) => mustSealToClose(context.core),
    canClose: ({ context }) => canClose(context.core),
  },
  actions: {
    scan: ({ context }) => { context.core.effects.push({ type: 'wal.scan' }) },
    replayed: on('wal.replayed', (core, event) => handleReplayed(core, event.recovery)),
    noteLevel: on('wal.level', handleLevel),
    append: on('wal.append', handleAppend),
    installSnapshot: on('wal.installSnapshot', handleInstallSnapshot),
    compact: on('wal.compact', handleCompact),
    quarantine: on('wal.quarantine', handleQuarantine),
    adopt: on('wal.adopt', handleAdopt),
    retire: on('wal.retire', handleRetire),
    damageReplaced: ({ context }) => handleDamageReplaced(context.core),
    startFlush: ({ context }) => startFlush(context.core),
    flushWithoutRoom: ({ context }) => handleFlushWithoutRoom(context.core),
    flushLater: ({ context }) => { context.core.isFlushRequested = false },
    written: ({ context }) => handleWritten(context.core),
    writtenThenFlush: ({ context }) => {
      handleWritten(context.core)
      startFlush(context.core)
    },
    writeStarved: ({ context }) => handleWriteStarved(context.core),
    retryWrite: ({ context }) => retryWrite(context.core),
    startSeal: ({ context }) => startSeal(context.core),
    rearmSeal: ({ context }) => rearmSeal(context.core),
    segmentPrepared: on('wal.segmentPrepared', (core, { segment, sizeBytes }) => handleSegmentPrepared(core, { segment, sizeBytes })),
    prepareStarved: ({ context }) => handlePrepareStarved(context.core),
    segmentsRemoved: ({ context }) => handleSegmentsRemoved(context.core),
    spaceRetry: ({ context }) => handleSpaceRetry(context.core),
    copyForward: on('wal.entriesRead', (core, { segment, records }) => copyForward(core, segment, records)),
    becomeClosing: ({ context }) => becomeClosing(context.core),
    abandonWrite: ({ context }) => abandonWrite(context.core),
    closeFiles: ({ context }) => { context.core.effects.push({ type: 'wal.closeFiles' }) },
    tellClosed: ({ context }) => notify(context.core, { type: 'wal.closed' }),
    tellFailed: on('wal.diskFailed', (core, { reason }) => notify(core, { type: 'wal.failed', reason })),
  },
}).createMachine({
  id: 'wal',
  context: ({ input }) => ({ core: input }),
  initial: 'opening',
  on: { 'wal.diskFailed': { target: '.halted' }, 'wal.level': { actions: 'noteLevel' } },
  states: {
    opening: {
      on: { 'wal.open': { actions: 'scan' }, 'wal.scanned': 'replaying', 'wal.close': { actions: 'becomeClosing' } },
    },
    replaying: {
      on: { 'wal.replayed': { target: 'open', actions: 'replayed' }, 'wal.close': { actions: 'becomeClosing' } },
    },
    open: {
      always: [
        { guard: 'mustFlushToClose', actions: 'startFlush' },
        { guard: 'mustSealToClose', actions: 'startSeal' },
        { guard: 'canClose', target: 'closing' },
      ],
      on: {
        ...submissions,
        ...background,
        'wal.flush': [
          { guard: 'isWriting', actions: 'flushLater' }, { guard: 'canFlush', actions: 'startFlush' }, { actions: 'flushWithoutRoom' },
        ],
        'wal.written': [{ guard: 'canFlush', actions: 'writtenThenFlush' }, { actions: 'written' }],
        'wal.writeStarved': [{ guard: 'isClosing', actions: 'abandonWrite' }, { target: 'blocked', actions: 'writeStarved' }],
        'wal.sealDue': [{ guard: 'isSealDue', actions: 'startSeal' }, { actions: 'rearmSeal' }],
        'wal.spaceRetryDue': { actions: 'spaceRetry' },
        'wal.close': { actions: 'becomeClosing' },
      },
    },
    blocked: {
      on: {
        ...submissions,
        ...background,
        'wal.flush': { actions: 'flushLater' },
        'wal.sealDue': { actions: 'rearmSeal' },
        'wal.spaceRetryDue': { target: 'open', actions: 'retryWrite' },
        'wal.close': { target: 'open', actions: ['becomeClosing', 'abandonWrite'] },
      },
    },
    closing: {
      entry: 'closeFiles',
      on: { 'wal.filesClosed': 'closed' },
    },
    closed: { entry: 'tellClosed', on: { '*': {} } },
    halted: { entry: 'tellFailed', on: { '*': {} } },
  },
})
