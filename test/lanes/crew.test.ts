/** A crew whose workers do not do what they took has failed, however they end (lanes/crew.ts). */

import { describe, expect, test } from '@jest/globals'
import { runCrew } from '../../lanes/crew.ts'
import { planOf } from '../../lanes/plan.ts'

/** A worker's module as text, with the counter of tasks that a crew shares. */
const entryOf = (body: string): string => `data:text/javascript,${encodeURIComponent(`
  import { parentPort, workerData } from 'node:worker_threads'
  const next = new Int32Array(workerData.next)
  const take = () => Atomics.add(next, 0, 1)
  ${body}
`)}`

const run = async (body: string, { tasks = 4, workers = 2 } = {}): Promise<readonly unknown[]> => {
  const reports: unknown[] = []
  await runCrew({ entry: entryOf(body), data: null, tasks, workers }, (report) => { reports.push(report) })
  return reports
}

describe('a crew', () => {
  test('ends when every task is done', async () => {
    const reports = await run('for (let task = take(); task < workerData.tasks; task = take()) parentPort.postMessage(task)')
    expect(reports.toSorted()).toEqual([0, 1, 2, 3])
  })

  test('fails when a worker ends with an exit code in the middle', async () => {
    await expect(run('take(); process.exit(3)')).rejects.toThrow('exit code 3')
  })

  test('fails when a worker ends as if all were well, and has not done what it took', async () => {
    await expect(run('take(); process.exit(0)', { workers: 1 })).rejects.toThrow('of 1 tasks that were begun, 1 have no result')
  })

  test('fails when a worker throws', async () => {
    await expect(run('take(); throw new Error("out of reach")')).rejects.toThrow('out of reach')
  })

  test('has somebody in it', async () => {
    await expect(run('', { workers: 0 })).rejects.toThrow('at least one worker')
  })
})

describe('a plan', () => {
  const kinds = [3, 9, 2, 1].map((share) => ({ share, sizeOf: () => 1_000 }))

  test('has as many items as were asked for, and some of each kind', () => {
    for (const total of [4, 5, 17, 100, 999, 40_000]) {
      const items = planOf(kinds, total)
      expect([items.length, new Set(items.map(({ kind }) => kind)).size]).toEqual([total, kinds.length])
    }
    expect(planOf(kinds, 0)).toHaveLength(kinds.length)
  })
})
