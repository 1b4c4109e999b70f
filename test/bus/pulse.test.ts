/** When connections ping: together, and how many answers each may miss. */

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createLiveness, createPulse } from '../../bus/pulse.ts'

beforeEach(() => { jest.useFakeTimers() })
afterEach(() => { jest.useRealTimers() })

describe('a pulse', () => {
  test('beats for all who joined by one timer, and by none when nobody is left', () => {
    const pulse = createPulse(1_500)
    const beats: string[] = []
    expect(jest.getTimerCount()).toBe(0)
    const leaveData = pulse.join(() => beats.push('data'))
    jest.advanceTimersByTime(700)
    const leaveDoors = pulse.join(() => beats.push('doors'))
    expect(jest.getTimerCount()).toBe(1)
    jest.advanceTimersByTime(799)
    expect(beats).toEqual([])
    jest.advanceTimersByTime(1)
    expect(beats).toEqual(['data', 'doors'])
    leaveData()
    jest.advanceTimersByTime(1_500)
    expect(beats).toEqual(['data', 'doors', 'doors'])
    leaveDoors()
    expect(jest.getTimerCount()).toBe(0)
    jest.advanceTimersByTime(3_000)
    expect(beats).toHaveLength(3)
  })

  test('comes a little sooner in a process that is awake, and then not again for a whole interval', () => {
    const pulse = createPulse(1_500)
    let beats = 0
    pulse.offer()
    const leave = pulse.join(() => { beats += 1 })
    const awakeAfter = (ms: number): number => {
      jest.advanceTimersByTime(ms)
      pulse.offer()
      return beats
    }
    expect([awakeAfter(1_399), awakeAfter(1), awakeAfter(1)]).toEqual([0, 1, 1])
    jest.advanceTimersByTime(1_498)
    expect([beats, jest.getTimerCount()]).toEqual([1, 1])
    jest.advanceTimersByTime(1)
    expect(beats).toBe(2)
    leave()
    expect([awakeAfter(9_000), jest.getTimerCount()]).toEqual([2, 0])
  })

  test('goes on for the others when one leaves at its beat', () => {
    const pulse = createPulse(10)
    const beats: string[] = []
    const leave = pulse.join(() => {
      beats.push('first')
      leave()
    })
    pulse.join(() => beats.push('second'))
    jest.advanceTimersByTime(20)
    expect(beats).toEqual(['first', 'second', 'second'])
  })

  test('stops when the last one leaves at its beat', () => {
    const leave = createPulse(10).join(() => leave())
    jest.advanceTimersByTime(10)
    expect(jest.getTimerCount()).toBe(0)
  })
})

describe('liveness', () => {
  const world = (pingsOutMax: number) => {
    const pings: { resolve: () => void; reject: (error: Error) => void }[] = []
    let [isConnected, givenUp] = [true, 0]
    const beat = createLiveness({
      ping: () => new Promise((resolve, reject) => { pings.push({ resolve, reject }) }),
      isConnected: () => isConnected, pingsOutMax, giveUp: () => { givenUp += 1 },
    })
    return { beat, pings, givenUp: () => givenUp, setConnected: (is: boolean) => { isConnected = is } }
  }
  const settled = async (): Promise<void> => { for (let i = 0; i < 5; i += 1) await Promise.resolve() }

  test('gives a connection up at the beat after so many pings without an answer', () => {
    const { beat, pings, givenUp } = world(2)
    beat()
    beat()
    expect([pings.length, givenUp()]).toEqual([2, 0])
    beat()
    expect([pings.length, givenUp()]).toEqual([2, 1])
  })

  test('any answer excuses all pings before it', async () => {
    const { beat, pings, givenUp } = world(2)
    beat()
    beat()
    pings[0]?.resolve()
    await settled()
    beat()
    beat()
    expect([pings.length, givenUp()]).toEqual([4, 0])
    beat()
    expect(givenUp()).toBe(1)
  })

  test('a lost connection is not asked, and begins anew when it is back', async () => {
    const { beat, pings, givenUp, setConnected } = world(2)
    beat()
    beat()
    setConnected(false)
    for (const { reject } of pings) reject(new Error('the connection is lost'))
    await settled()
    beat()
    beat()
    expect(pings).toHaveLength(2)
    setConnected(true)
    beat()
    beat()
    expect([pings.length, givenUp()]).toEqual([4, 0])
  })
})
