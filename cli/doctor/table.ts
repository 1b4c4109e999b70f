/** The doctor's findings for a person, in the order of the checks: what to do stands under what is wrong. */

import type { createColors } from 'picocolors'
import type { Finding } from './finding.ts'

type Colors = ReturnType<typeof createColors>

const LEVEL_COLUMNS = 9
const CHECK_COLUMNS = 13

export const findingsText = (findings: readonly Finding[], colors: Colors): string => findings.map(({ level, check, found, cure }) => {
  const paint = level === 'ok' ? colors.green : level === 'note' ? colors.yellow : colors.red
  const first = `${paint(level.padEnd(LEVEL_COLUMNS))}${check.padEnd(CHECK_COLUMNS)}${found}`
  return cure === undefined ? first : `${first}\n${' '.repeat(LEVEL_COLUMNS + CHECK_COLUMNS)}-> ${cure}`
}).join('\n')
