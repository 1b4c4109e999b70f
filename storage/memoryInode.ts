/**
 * One file of the memory file system: what readers see, what is on the platter, and which 4 KiB pages differ.
 *
 * A sync covers what was written before it began. At a crash every unsynced page is kept, lost, or torn, independently of its
 * neighbours (pages of one write survive in any order): of a torn page any of its sectors are the new ones, in any pattern.
 *
 * A sync that fails marks its pages clean and writes none, as Linux does: readers see them on, and no later sync writes them unless they
 * are written again. Whether they had got to the platter all the same is drawn at the crash.
 *
 * A sync of a range (O_DSYNC) makes those bytes durable and no others, where a kernel would write their pages whole: whoever counts on
 * what stood beside them is found out. No two syncs of one file are under way at once.
 */

export const PAGE_BYTES = 4_096
export const SECTOR_BYTES = 512

/** What a crash draws, for one page, size or name after another. */
export interface Survival {
  /** Whether it survives at all. */
  readonly survives: () => boolean
  /** Of a page that does, which sectors are the new ones: bit i for the one at i * SECTOR_BYTES. */
  readonly sectors: () => number
}

export const ALL_SECTORS = 2 ** (PAGE_BYTES / SECTOR_BYTES) - 1

export interface Inode {
  readonly sizeBytes: number
  readonly write: (position: number, bytes: Uint8Array) => void
  readonly read: (position: number, length: number) => Uint8Array
  readonly truncate: (length: number) => void
  /** Marks what is dirty now; the returned function makes exactly that durable. */
  readonly beginSync: () => () => void
  /** The same for the bytes of a range alone: what else is dirty in their pages stays so. */
  readonly beginSyncOf: (range: ByteRange) => () => void
  /** What is dirty now is clean, and not durable: everywhere, or in the pages of a range. */
  readonly failSync: (range?: ByteRange) => void
  readonly corrupt: (change: (bytes: Uint8Array) => void) => void
  readonly crash: (survival: Survival) => Uint8Array
}

export interface ByteRange {
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

interface Buffer { bytes: Uint8Array; size: number }

const grow = (buffer: Buffer, size: number): void => {
  if (size > buffer.bytes.length) {
    const bigger = new Uint8Array(Math.max(size, buffer.bytes.length * 2, PAGE_BYTES))
    bigger.set(buffer.bytes.subarray(0, buffer.size))
    buffer.bytes = bigger
  }
  buffer.size = Math.max(buffer.size, size)
}

const shrink = (buffer: Buffer, size: number): void => {
  if (size < buffer.size) buffer.bytes.fill(0, size, buffer.size)
  grow(buffer, size)
  buffer.size = size
}

export const inodeOf = (initial: Uint8Array): Inode => {
  const seen: Buffer = { bytes: Uint8Array.from(initial), size: initial.length }
  const platter: Buffer = { bytes: Uint8Array.from(initial), size: initial.length }
  /** Page to the number of its last change: a sync cleans it only when it was not changed since. */
  const dirty = new Map<number, number>()
  /** Pages that a failed sync has marked clean. */
  const forsaken = new Set<number>()
  let changes = 0

  const touch = (from: number, to: number): void => {
    changes += 1
    for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < to; page += 1) {
      dirty.set(page, changes)
      forsaken.delete(page)
    }
  }

  const isOnPlatter = (page: number): boolean => {
    const end = Math.min((page + 1) * PAGE_BYTES, seen.size)
    if (platter.size < end) return false
    for (let at = page * PAGE_BYTES; at < end; at += 1) if (seen.bytes[at] !== platter.bytes[at]) return false
    return true
  }

  const crash = ({ survives, sectors: drawSectors }: Survival): Uint8Array => {
    const size = survives() ? seen.size : platter.size
    const kept: { readonly page: number; readonly sectors: number }[] = []
    for (const page of [...dirty.keys(), ...forsaken].sort((a, b) => a - b)) {
      if (!survives()) continue
      kept.push({ page, sectors: drawSectors() })
    }
    const result: Buffer = { bytes: Uint8Array.from(platter.bytes.subarray(0, platter.size)), size: platter.size }
    shrink(result, size)
    for (const { page, sectors } of kept) {
      for (let sector = 0; sector < PAGE_BYTES / SECTOR_BYTES; sector += 1) {
        if (((sectors >> sector) & 1) === 0) continue
        const start = page * PAGE_BYTES + sector * SECTOR_BYTES
        const end = Math.min(start + SECTOR_BYTES, seen.size, size)
        if (end > start) result.bytes.set(seen.bytes.subarray(start, end), start)
      }
    }
    return result.bytes.slice(0, size)
  }

  return {
    get sizeBytes() { return seen.size },
    write: (position, bytes) => {
      if (bytes.length === 0) return
      const from = Math.min(position, seen.size)
      grow(seen, position + bytes.length)
      seen.bytes.set(bytes, position)
      touch(from, position + bytes.length)
    },
    read: (position, length) => seen.bytes.slice(position, Math.max(position, Math.min(position + length, seen.size))),
    truncate: (length) => {
      const from = Math.min(length, seen.size)
      const to = Math.max(length, seen.size)
      shrink(seen, length)
      touch(from, to)
    },
    beginSync: () => {
      const size = seen.size
      const covered = [...dirty].map(([page, change]) => ({
        page, change, bytes: seen.bytes.slice(page * PAGE_BYTES, Math.min((page + 1) * PAGE_BYTES, size)),
      }))
      return () => {
        shrink(platter, size)
        for (const { page, change, bytes } of covered) {
          if (bytes.length > 0) platter.bytes.set(bytes, page * PAGE_BYTES)
          if (dirty.get(page) === change) dirty.delete(page)
        }
      }
    },
    beginSyncOf: ({ from, to }) => {
      const bytes = seen.bytes.slice(from, to)
      const covered = [...dirty].filter(([page]) => isPageWithin(page, { from, to }))
      return () => {
        grow(platter, to)
        platter.bytes.set(bytes, from)
        for (const [page, change] of covered) if (dirty.get(page) === change && isOnPlatter(page)) dirty.delete(page)
      }
    },
    failSync: (range = { from: 0, to: Number.POSITIVE_INFINITY }) => {
      for (const page of dirty.keys()) {
        if (!isPageWithin(page, range)) continue
        forsaken.add(page)
        dirty.delete(page)
      }
    },
    corrupt: (change) => {
      change(seen.bytes.subarray(0, seen.size))
      change(platter.bytes.subarray(0, platter.size))
    },
    crash,
  }
}

/** Some byte of the page is in the range. */
const isPageWithin = (page: number, { from, to }: ByteRange): boolean => page * PAGE_BYTES < to && (page + 1) * PAGE_BYTES > from

export const createInode = (): Inode => inodeOf(new Uint8Array(0))
export const crashInode = (inode: Inode, survival: Survival): Uint8Array => inode.crash(survival)
export const inodeBytes = (inode: Inode): Uint8Array => inode.read(0, inode.sizeBytes)
