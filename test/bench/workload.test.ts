/** What a workload asks its driver. */

import { describe, expect, test } from '@jest/globals'
import { createWorkload, keyName } from '../../bench/load/workload.ts'
import { runFill } from '../../bench/load/fill.ts'
import type { Driver } from '../../bench/drivers/port.ts'
import type { WorkloadSpec } from '../../bench/load/workload.ts'

const OPERATIONS = 2_000
const spec: WorkloadSpec = { readShare: 0.5, keys: 100, distribution: 'uniform', valueBytes: 128, seed: 1 }

interface Asked {
  readonly op: 'put' | 'get'
  readonly key: string
  readonly valueBytes: number
}

const recorder = (answers: ('ok' | 'overloaded')[] = []): { readonly driver: Driver; readonly asked: Asked[] } => {
  const asked: Asked[] = []
  const driver: Driver = {
    put: async (key, value) => {
      asked.push({ op: 'put', key, valueBytes: value.length })
      return answers.shift() ?? 'ok'
    },
    get: async (key) => {
      asked.push({ op: 'get', key, valueBytes: 0 })
      return 'ok'
    },
    close: async () => {},
  }
  return { driver, asked }
}

const ask = async (changes: Partial<WorkloadSpec>): Promise<readonly Asked[]> => {
  const { driver, asked } = recorder()
  const perform = createWorkload(driver, { ...spec, ...changes })
  for (let i = 0; i < OPERATIONS; i += 1) await perform()
  return asked
}

describe('a workload', () => {
  test('names keys of 16 bytes', () => {
    expect([0, 99_999, 9_999_999].map((n) => keyName(n).length)).toEqual([16, 16, 16])
  })

  test.each([[0, 0], [1, OPERATIONS]])('with a read share of %d asks %d reads', async (readShare, reads) => {
    expect((await ask({ readShare })).filter(({ op }) => op === 'get')).toHaveLength(reads)
  })

  test('mixes reads and writes by their share', async () => {
    const reads = (await ask({ readShare: 0.95 })).filter(({ op }) => op === 'get').length
    expect(reads / OPERATIONS).toBeGreaterThan(0.92)
    expect(reads / OPERATIONS).toBeLessThan(0.98)
  })

  test('asks for every key of a uniform distribution, and for nothing else', async () => {
    const names = new Set((await ask({})).map(({ key }) => key))
    expect(names).toEqual(new Set(Array.from({ length: spec.keys }, (_, n) => keyName(n))))
  })

  test('asks for few keys most often when it is zipfian', async () => {
    const first = (await ask({ distribution: 'zipfian' })).filter(({ key }) => key === keyName(0)).length
    expect(first).toBeGreaterThan(OPERATIONS / 10)
  })

  test('asks the same for the same seed', async () => {
    expect(await ask({ seed: 9 })).toEqual(await ask({ seed: 9 }))
    expect(await ask({ seed: 9 })).not.toEqual(await ask({ seed: 10 }))
  })
})

describe('a fill', () => {
  test('writes every key once, and again what was refused', async () => {
    const { driver, asked } = recorder(['overloaded', 'ok', 'overloaded'])
    const measured = await runFill(driver, { ...spec, keys: 20 }, { inFlight: 4 })
    expect(new Set(asked.map(({ key }) => key)).size).toBe(20)
    expect(asked).toHaveLength(22)
    expect(measured.done).toBe(20)
  })
})
