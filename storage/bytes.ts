/** Little-endian fields and alignment, shared by the encoders of storage/. */

const U32_RANGE = 0x1_0000_0000

/** A non-negative safe integer in eight bytes. */
export const setU64 = (view: DataView, offset: number, value: number): void => {
  view.setUint32(offset, value % U32_RANGE, true)
  view.setUint32(offset + 4, Math.floor(value / U32_RANGE), true)
}

/** Past 2^53 the result is rounded; no writer produces such a value, and the checksum covers the bytes. */
export const getU64 = (view: DataView, offset: number): number =>
  view.getUint32(offset, true) + view.getUint32(offset + 4, true) * U32_RANGE

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const align = (value: number, step: number): number => Math.ceil(value / step) * step

/** The offset just past the last byte that is not zero, at or after `from`; `from` when all are zero. */
export const endOfData = (bytes: Uint8Array, from: number): number => {
  let end = bytes.length
  while (end > from && bytes[end - 1] === 0) end -= 1
  return Math.max(end, from)
}
