/** Marks can stay unhit, and are hit by what they are named after; a lane demands them. */

import { expect, test } from '@jest/globals'
import { lanePlan } from '../../sim/lane.ts'
import { markNames, subjects } from '../../sim/marks/marks.ts'
import { createMarkSums, rareMarks } from '../../sim/marks/report.ts'
import { drawOptions } from '../../sim/options.ts'
import { runSeed } from '../../sim/run.ts'
import { tellStory } from './story.ts'
import type { Subject } from '../../sim/marks/mark.ts'

const marksOf = (...names: string[]): readonly string[] =>
  subjects.filter(({ name }: Subject) => names.includes(name)).flatMap(({ marks }) => marks)

test('there are at least sixty marks, and each is named once', () => {
  expect(new Set(markNames).size).toBe(markNames.length)
  expect(markNames.length).toBeGreaterThanOrEqual(60)
  expect([...rareMarks].filter((mark) => !markNames.includes(mark))).toEqual([])
})

test('a run without faults hits no mark of a fault', () => {
  const drawn = drawOptions(42, { faults: [], safetyMs: 3_000 })
  const network = { ...drawn.network, loss: 0, duplication: 0, reorderMsMax: 0 }
  const { violation, figures } = runSeed({ ...drawn, network })
  expect(violation).toBe(null)
  const hit = Object.keys(figures.marks).filter((mark) => figures.marks[mark] !== 0)
  const faults = marksOf('broker', 'disks', 'files beside the log', 'process faults')
  // Healing ends machines that the majority can spare.
  const spared = [
    'a leader was killed', 'a follower was killed', 'two machines were down at once',
    'a leader died with entries that nobody had committed',
  ]
  expect(hit.filter((mark) => faults.includes(mark) && !spared.includes(mark))).toEqual([])
  expect(hit).toContain('a compare-and-set won')
})

test('a leader that is stopped until another leads hits the marks of that, and none of a death', () => {
  const story = tellStory(3)
  story.insist('put', 'k', 'v')
  const old = story.leader()
  story.simulation.cluster.pause(old)
  story.insist('put', 'k', 'w')
  story.simulation.cluster.resume(old)
  story.run(2_000)
  story.end()
  const counts = story.simulation.marks.end()
  expect(counts).toMatchObject({
    'a leader was stopped': 1, 'another led before a stopped leader ran again': 1, 'a stopped leader ran again before anybody else led': 0,
    'a leader was killed': 0, 'a deposed leader had not noticed its successor yet': 1,
  })
})

test('a request id that comes again after its leader died meets its result', () => {
  const story = tellStory(4)
  const headers = { 'Kv-Request-Id': 'q1' }
  const first = story.insist('incr', 'n', '5', headers)
  const old = story.leader()
  story.simulation.cluster.kill(old)
  story.until('another leads', () => story.nodes.some(({ node }) => node?.parts()?.host.all()[0]?.actor.status().serving === true))
  expect(story.insist('incr', 'n', '5', headers).value).toBe(first.value)
  story.end()
  const counts = story.simulation.marks.end()
  expect(counts['a request id met its result after a change of leader']).toBeGreaterThan(0)
  expect(counts).toMatchObject({ 'a leader was killed': 1, 'a follower was killed': 0, 'a key expired': 0 })
})

test('a mark that no run hit is missing, and a rare one only at night', () => {
  const sums = createMarkSums()
  sums.add(Object.fromEntries(markNames.map((mark, i) => [mark, i === 0 ? 0 : 1])))
  expect(sums.missing(true)).toEqual([markNames[0]])
  expect(sums.hits()).toBe(markNames.length - 1)
  expect(sums.lines()[0]).toContain(`marks: ${markNames.length - 1} of ${markNames.length} hit`)
})

test('a lane draws the same seeds from the same tree, and more of them begin with the same', () => {
  const plan = (seed: string, count: number): readonly number[] =>
    lanePlan(['--ci', '--count', String(count)], { commit: 'c', environment: { SHARDKV_SEED: seed } }).seeds
  expect(plan('7', 5)).toEqual(plan('7', 50).slice(0, 5))
  expect(plan('7', 5)).not.toEqual(plan('8', 5))
})
