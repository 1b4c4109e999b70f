/**
 * What the product uses of Node's Buffer, over a Uint8Array, for the simulator in the page: the codec's fixed-width numbers and binary
 * strings. The bundle puts it where a file of ours says `Buffer` (scripts/simulator.mjs); under Node the real one is used. Lengths, bytes
 * and views are the same, so a run has the same digest here and there (test/sim/page/bundle.test.ts).
 */

interface BrowserBuffer extends Uint8Array {
  toString(encoding?: string, start?: number, end?: number): string
  readonly copy: (target: Uint8Array, targetStart?: number, start?: number, end?: number) => number
  readonly readUInt16BE: (at: number) => number
  readonly readUInt32BE: (at: number) => number
  readonly writeUInt16BE: (value: number, at: number) => number
  readonly writeUInt32BE: (value: number, at: number) => number
  /** Binary strings only: one byte for each character. */
  readonly write: (text: string, at: number) => number
  readonly latin1Write: (text: string, at: number) => number
  readonly latin1Slice: (start: number, end: number) => string
}

/** Of one call of String.fromCharCode: engines bound their arguments. */
const CHARACTERS_MAX = 8_192

function latin1Write(this: Uint8Array, text: string, at: number): number {
  for (let i = 0; i < text.length; i += 1) this[at + i] = text.charCodeAt(i)
  return text.length
}

function latin1Slice(this: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at += CHARACTERS_MAX) {
    text += String.fromCharCode(...new Uint8Array(this.buffer, this.byteOffset + at, Math.min(end - at, CHARACTERS_MAX)))
  }
  return text
}

const methods = {
  subarray(this: Uint8Array, start = 0, end = this.length): BrowserBuffer {
    return made(this.buffer, this.byteOffset + start, Math.max(0, Math.min(end, this.length) - start))
  },
  copy(this: Uint8Array, target: Uint8Array, targetStart = 0, start = 0, end = this.length): number {
    target.set(new Uint8Array(this.buffer, this.byteOffset + start, end - start), targetStart)
    return end - start
  },
  readUInt16BE(this: Uint8Array, at: number): number {
    return byteAt(this, at) << 8 | byteAt(this, at + 1)
  },
  readUInt32BE(this: Uint8Array, at: number): number {
    return (byteAt(this, at) << 24 | byteAt(this, at + 1) << 16 | byteAt(this, at + 2) << 8 | byteAt(this, at + 3)) >>> 0
  },
  writeUInt16BE(this: Uint8Array, value: number, at: number): number {
    this[at] = value >>> 8
    this[at + 1] = value
    return at + 2
  },
  writeUInt32BE(this: Uint8Array, value: number, at: number): number {
    this[at] = value >>> 24
    this[at + 1] = value >>> 16
    this[at + 2] = value >>> 8
    this[at + 3] = value
    return at + 4
  },
  toString(this: Uint8Array, _encoding = 'latin1', start = 0, end = this.length): string {
    return latin1Slice.call(this, start, end)
  },
  write: latin1Write, latin1Write, latin1Slice,
}

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0

/** A kind of Uint8Array with these methods; what else it inherits makes plain ones. */
function Made(): void {}
Made.prototype = Object.assign(Object.create(Uint8Array.prototype) as object, methods)

const made = (...given: readonly unknown[]): BrowserBuffer => Reflect.construct(Uint8Array, given, Made) as BrowserBuffer

/** A view of an ArrayBuffer, or a copy of bytes. */
const from = (source: ArrayBufferLike | ArrayLike<number>, byteOffset = 0, length?: number): BrowserBuffer => {
  if (source instanceof ArrayBuffer) return made(source, byteOffset, length)
  return made(source)
}

export const Buffer = {
  allocUnsafeSlow: (length: number): BrowserBuffer => made(length),
  isBuffer: (value: unknown): value is BrowserBuffer => value instanceof Made,
  from,
  prototype: Made.prototype as unknown as BrowserBuffer,
} as const
