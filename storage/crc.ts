/** CRC-32 (IEEE 802.3, reflected), the one checksum of every file ShardKV writes. `seed` continues a running checksum. */

import { crc32 as zlibCrc32 } from 'node:zlib'

export const crc32 = (bytes: Uint8Array, seed = 0): number => zlibCrc32(bytes, seed)
