/**
 * The bodies of the floor's frames. A batch of writes is logged, replicated and applied as it came: nobody encodes it twice.
 *
 *   put:      id u32 | count u16, each: key length u16 | value length u32 | key | value        id: the client's, then the log index
 *   putDone:  id u32 | count u16, each: revision u32
 *   get:      id u32 | count u16, each: key length u16 | key
 *   getDone:  id u32 | count u16, each: value length u32 (NO_VALUE: no such key) | value
 *   number:   u32                                                                              appended, confirmed
 *   confirm:  round u32 | count u16, each: shard u16
 */

const HEAD_BYTES = 6
const NO_VALUE = 0xffff_ffff

export interface Write {
  readonly key: string
  readonly value: Buffer
}

export const idOf = (batch: Buffer): number => batch.readUInt32LE(0)
export const setId = (batch: Buffer, id: number): void => {
  batch.writeUInt32LE(id, 0)
}
export const countOf = (batch: Buffer): number => batch.readUInt16LE(4)

const newBatch = (id: number, count: number, bodyBytes: number): Buffer => {
  const batch = Buffer.allocUnsafe(HEAD_BYTES + bodyBytes)
  batch.writeUInt32LE(id, 0)
  batch.writeUInt16LE(count, 4)
  return batch
}

export const encodePut = (id: number, writes: readonly Write[]): Buffer => {
  let bytes = 0
  for (const { key, value } of writes) bytes += 6 + key.length + value.length
  const batch = newBatch(id, writes.length, bytes)
  let at = HEAD_BYTES
  for (const { key, value } of writes) {
    batch.writeUInt16LE(key.length, at)
    batch.writeUInt32LE(value.length, at + 2)
    batch.write(key, at + 6, 'latin1')
    value.copy(batch, at + 6 + key.length)
    at += 6 + key.length + value.length
  }
  return batch
}

/** The values stay views of the batch. */
export const applyPut = (map: Map<string, Buffer>, batch: Buffer): void => {
  let at = HEAD_BYTES
  for (let left = countOf(batch); left > 0; left -= 1) {
    const valueAt = at + 6 + batch.readUInt16LE(at)
    const end = valueAt + batch.readUInt32LE(at + 2)
    map.set(batch.toString('latin1', at + 6, valueAt), batch.subarray(valueAt, end))
    at = end
  }
}

export const encodePutDone = (id: number, count: number, revision: number): Buffer => {
  const done = newBatch(id, count, count * 4)
  for (let i = 0; i < count; i += 1) done.writeUInt32LE(revision, HEAD_BYTES + i * 4)
  return done
}

export const encodeGet = (id: number, keys: readonly string[]): Buffer => {
  const batch = newBatch(id, keys.length, keys.reduce((sum, key) => sum + 2 + key.length, 0))
  let at = HEAD_BYTES
  for (const key of keys) {
    batch.writeUInt16LE(key.length, at)
    batch.write(key, at + 2, 'latin1')
    at += 2 + key.length
  }
  return batch
}

/** The answer to a batch of reads from this map. */
export const answerGet = (map: ReadonlyMap<string, Buffer>, batch: Buffer): Buffer => {
  const values: (Buffer | undefined)[] = []
  let bytes = 0
  let at = HEAD_BYTES
  for (let left = countOf(batch); left > 0; left -= 1) {
    const end = at + 2 + batch.readUInt16LE(at)
    const value = map.get(batch.toString('latin1', at + 2, end))
    values.push(value)
    bytes += 4 + (value?.length ?? 0)
    at = end
  }
  const done = newBatch(idOf(batch), values.length, bytes)
  at = HEAD_BYTES
  for (const value of values) {
    done.writeUInt32LE(value?.length ?? NO_VALUE, at)
    value?.copy(done, at + 4)
    at += 4 + (value?.length ?? 0)
  }
  return done
}

/** The values of an answer, in order: views; undefined where there is no such key. */
export const readGetDone = (done: Buffer): (Buffer | undefined)[] => {
  const values: (Buffer | undefined)[] = []
  let at = HEAD_BYTES
  for (let left = countOf(done); left > 0; left -= 1) {
    const length = done.readUInt32LE(at)
    at += 4
    values.push(length === NO_VALUE ? undefined : done.subarray(at, at + length))
    if (length !== NO_VALUE) at += length
  }
  return values
}

export const encodeNumber = (value: number): Buffer => {
  const body = Buffer.allocUnsafe(4)
  body.writeUInt32LE(value, 0)
  return body
}

export const encodeConfirm = (round: number, shards: ReadonlySet<number>): Buffer => {
  const body = newBatch(round, shards.size, shards.size * 2)
  let at = HEAD_BYTES
  for (const shard of shards) {
    body.writeUInt16LE(shard, at)
    at += 2
  }
  return body
}
