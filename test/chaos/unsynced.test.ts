/** What was written and not synced: readers see it, the file does not have it, and a flush carries it out. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createUnsynced } from '../../chaos/inside/unsynced.ts'
import type { File } from '../../storage/fileSystem.ts'

/** A file in memory that answers at once. */
const memoryFile = (): File & { readonly content: () => Uint8Array } => {
  let content = new Uint8Array(0)
  const resize = (length: number): void => {
    const next = new Uint8Array(length)
    next.set(content.subarray(0, length))
    content = next
  }
  return {
    content: () => content,
    writev: (buffers, position, done) => {
      const bytes = Buffer.concat(buffers)
      if (position + bytes.length > content.length) resize(position + bytes.length)
      content.set(bytes, position)
      done(null, bytes.length)
    },
    read: (position, length, done) => done(null, content.slice(position, position + length)),
    size: (done) => done(null, content.length),
    truncate: (length, done) => {
      resize(length)
      done(null)
    },
    datasync: (done) => done(null),
    close: (done) => done(null),
  }
}

const changes = fc.array(fc.oneof(
  fc.record({ kind: fc.constant('write' as const), position: fc.nat(40), bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
  fc.record({ kind: fc.constant('truncate' as const), length: fc.nat(50) }),
  fc.record({ kind: fc.constant('flush' as const) }),
))

describe('unsynced writes', () => {
  test('are read as if they were in the file, at every point, and are in it after a flush', () => {
    fc.assert(fc.property(changes, fc.nat(60), fc.nat(60), (all, position, length) => {
      const file = memoryFile()
      const model = memoryFile()
      const unsynced = createUnsynced()
      for (const change of all) {
        if (change.kind === 'write') {
          unsynced.write(change.position, change.bytes)
          model.writev([change.bytes], change.position, () => {})
        } else if (change.kind === 'truncate') {
          unsynced.truncate(change.length)
          model.truncate(change.length, () => {})
        } else unsynced.flush(file, () => {})
        unsynced.read(file, { position, length }, (_error, seen) =>
          expect(Buffer.from(seen)).toEqual(Buffer.from(model.content().subarray(position, position + length))))
        expect(unsynced.sizeOver(file.content().length)).toBe(model.content().length)
      }
      unsynced.flush(file, () => {})
      expect(file.content()).toEqual(model.content())
    }))
  })

  test('are not in the file before a flush: a SIGKILL loses them', () => {
    const file = memoryFile()
    const unsynced = createUnsynced()
    unsynced.write(0, Uint8Array.of(1, 2, 3))
    expect(file.content()).toHaveLength(0)
  })
})
