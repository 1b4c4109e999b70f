/** Whatever was started for a question is stopped after it. */

import { describe, expect, test } from '@jest/globals'
import { withTargets } from '../../bench/targets/use.ts'
import type { Target } from '../../bench/targets/port.ts'

const fakeTarget = (name: string, log: string[]): Target => ({
  name, pids: {},
  ask: () => Promise.reject(new Error('nobody asks here')),
  stop: async () => { log.push(`stop ${name}`) },
})

const start = (name: string, log: string[]) => async (): Promise<Target> => {
  log.push(`start ${name}`)
  return fakeTarget(name, log)
}

describe('targets', () => {
  test('are started in order and stopped when the work is done', async () => {
    const log: string[] = []
    await withTargets([start('a', log), start('b', log)], async (targets) => { log.push(targets.map(({ name }) => name).join()) })
    expect(log).toEqual(['start a', 'start b', 'a,b', 'stop a', 'stop b'])
  })

  test('are stopped when the work fails', async () => {
    const log: string[] = []
    await expect(withTargets([start('a', log)], () => Promise.reject(new Error('no figures')))).rejects.toThrow('no figures')
    expect(log).toEqual(['start a', 'stop a'])
  })

  test('are stopped when a later one does not start', async () => {
    const log: string[] = []
    await expect(withTargets([start('a', log), () => Promise.reject(new Error('no b'))], async () => {})).rejects.toThrow('no b')
    expect(log).toEqual(['start a', 'stop a'])
  })

  test('leave no listener for signals behind', async () => {
    const before = process.listenerCount('SIGINT')
    await withTargets([], async () => { expect(process.listenerCount('SIGINT')).toBe(before + 1) })
    expect(process.listenerCount('SIGINT')).toBe(before)
  })
})
