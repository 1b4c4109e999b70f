/** Colors: for a person at a terminal who has not said NO_COLOR, and for nobody else. */

import { describe, expect, test } from '@jest/globals'
import { fakeCluster, fakeTerminal } from './fakes.ts'
import { replica, report } from './reports.ts'
import type { CliIo } from '../../cli/io.ts'

const ESCAPE = '\u001b['
const reports = ['n1', 'n2'].map((id) => report(id, [replica(0, { role: id === 'n1' ? 'leader' : 'follower' }), replica(1)]))
const said = async (words: readonly string[], io: Partial<CliIo>): Promise<string> => {
  const { out, err } = await fakeTerminal(fakeCluster(() => 'timeout', reports), io).run(...words)
  expect(out + err).toContain('n1')
  return out + err
}

const drawing = [['status'], ['ring'], ['top', '--once', '--interval', '200'], ['doctor']]

// Each takes its second or two of the real clock: all at once.
describe.each(drawing.map((words) => [words.join(' '), words] as const))('shardkv %s', (_name, words) => {
  test.concurrent('is colored at a terminal, unless NO_COLOR has a value', async () => {
    const [plain, empty, set] = await Promise.all([{}, { env: { NO_COLOR: '' } }, { env: { NO_COLOR: '1' } }]
      .map((io) => said(words, { isOutputTty: true, ...io })))
    expect(plain).toContain(ESCAPE)
    expect(empty).toContain(ESCAPE)
    expect(set).not.toContain(ESCAPE)
  })

  test.concurrent('is plain in a pipe, and as JSON everywhere', async () => {
    const [piped, json] = await Promise.all([said(words, { isOutputTty: false }), said([...words, '-w', 'json'], { isOutputTty: true })])
    expect(piped).not.toContain(ESCAPE)
    expect(json).not.toContain(ESCAPE)
  })
})

test('an error at the prompt is colored where the messages go to a terminal, whatever becomes of the data', async () => {
  const lines = (): Partial<CliIo> => {
    const left = ['nosuch', 'get']
    return { openPrompt: () => ({ ask: async () => left.shift() ?? null, close: () => {} }) }
  }
  const messages = async (io: Partial<CliIo>): Promise<string> =>
    (await fakeTerminal(fakeCluster(() => 'timeout', reports), { ...lines(), ...io }).run('repl')).err
  expect(await messages({ isErrorTty: true })).toContain(`${ESCAPE}31merror:${ESCAPE}39m "nosuch"`)
  expect(await messages({ isErrorTty: true, env: { NO_COLOR: '1' } })).not.toContain(ESCAPE)
  expect(await messages({ isOutputTty: true, isErrorTty: false })).not.toContain(ESCAPE)
})
