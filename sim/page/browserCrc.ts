/** `crc32` of node:zlib for the simulator in the page: by table, a byte at a time (storage/crc.ts says which polynomial). */

const POLYNOMIAL = 0xedb8_8320

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? value >>> 1 ^ POLYNOMIAL : value >>> 1
  return value
})

export const crc32 = (bytes: Uint8Array, seed = 0): number => {
  let value = ~seed
  for (const byte of bytes) value = value >>> 8 ^ (table[(value ^ byte) & 0xff] ?? 0)
  return ~value >>> 0
}
