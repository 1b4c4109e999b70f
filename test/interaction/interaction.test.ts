/**
 * Transcripts: each .txt file here is a story of one Raft group, a command, `----`, and exactly what it caused. The commands are
 * described in test/support/raftTranscript.ts. REWRITE=1 writes the files anew; read the difference before committing it.
 */

import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { createTranscript } from '../support/raftTranscript.ts'

const folder = dirname(fileURLToPath(import.meta.url))
const stories = readdirSync(folder).filter((name) => name.endsWith('.txt')).sort()

/** Runs every command of the story, and returns the story as it should read. */
const retell = (text: string): string => {
  const run = createTranscript()
  return `${text.trim().split(/\n\n+/).map((block) => {
    const lines = block.split('\n')
    const comments = lines.filter((line) => line.startsWith('#'))
    const rest = lines.filter((line) => !line.startsWith('#'))
    if (rest.length === 0) return comments.join('\n')
    const end = rest.indexOf('----')
    const command = (end < 0 ? rest : rest.slice(0, end)).join('\n')
    return [...comments, command, '----', run(command)].join('\n')
  }).join('\n\n')}\n`
}

describe('stories', () => {
  test('are there', () => {
    expect(stories.length).toBeGreaterThanOrEqual(36)
  })

  for (const name of stories) {
    const path = join(folder, name)
    const text = readFileSync(path, 'utf8')
    test(text.split('\n')[0]?.replace(/^# /, '') ?? name, () => {
      const told = retell(text)
      if (process.env['REWRITE'] === '1') writeFileSync(path, told)
      else expect(text).toBe(told)
    })
  }
})
