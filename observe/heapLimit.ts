/**
 * How much V8's old generation may have. V8 says only what both generations may have together, and how much of that is the young one's
 * depends on its version, its options and the memory of the machine:
 *
 *   young = three semi-spaces, each --max-semi-space-size, rounded up to a power of two, or an old generation's 64th, 64 MiB at most
 *
 * (Measured: at most 16 MiB on Node 20 and 22, 64 MiB on Node 24; a 128th of the old generation, and a 64th.) So what was asked for
 * counts, where it was, and otherwise the sum less the largest young generation: at most 4 % too little, never too much.
 *
 * Source: V8, heap/heap.cc (`ConfigureHeap`, `YoungGenerationSizeFromOldGenerationSize`); Node's `--max-old-space-size-percentage`.
 */

const MIB = 1_048_576
const SEMI_SPACES = 3
const SEMI_SPACE_BYTES_MAX = 64 * MIB
const OLD_PER_SEMI_SPACE = 64

export interface HeapLimits {
  /** V8's own limit: of both generations. */
  readonly heapBytes: number
  /** Of the machine, or of its container where that is less. */
  readonly machineBytes: number
  /** Node's, `NODE_OPTIONS` first: of several the last counts, as for Node. */
  readonly options: string
}

/** In bytes. */
export const oldGenerationLimit = ({ heapBytes, machineBytes, options }: HeapLimits): number => {
  const percent = optionIn(options, 'max-old-space-size-percentage')
  const asked = percent > 0 ? Math.floor(machineBytes * percent / 100) : optionIn(options, 'max-old-space-size') * MIB
  return asked > 0 ? Math.min(asked, heapBytes) : heapBytes - youngBytesMax(heapBytes, optionIn(options, 'max-semi-space-size') * MIB)
}

const youngBytesMax = (heapBytes: number, askedBytes: number): number => SEMI_SPACES * (askedBytes > 0
  ? 2 ** Math.ceil(Math.log2(askedBytes))
  : Math.min(SEMI_SPACE_BYTES_MAX, Math.floor(heapBytes / (OLD_PER_SEMI_SPACE + SEMI_SPACES))))

/** V8 takes dashes and underscores for the same; 0: as if it was not there. */
const optionIn = (options: string, name: string): number => {
  const pattern = new RegExp(`(?:^|[\\s"])--${name.replaceAll('-', '[-_]')}=([0-9.]+)`, 'g')
  return Number([...options.matchAll(pattern)].at(-1)?.[1] ?? 0)
}

/** Of this process, as it was started. */
export const ownOptions = (): string => [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ')
