/**
 * `npm run scoreboard`: what the lanes of proof reached in their last runs, one line each, from the files that they leave
 * (lanes/figures.ts): the folder that SHARDKV_FIGURES names, or `.figures`.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../bin/bootstrap.mjs'

const folder = process.env['SHARDKV_FIGURES'] ?? join(root, '.figures')
const COMMIT_CHARACTERS = 10
const columns = ['lane', 'commit', 'finished', 'passed', 'failed', 'figures']

const filesIn = (path) => {
  try {
    return readdirSync(path).filter((name) => name.endsWith('.json')).toSorted()
  } catch {
    return []
  }
}

/** Numbers, texts and what a lane did not reach; tables of their own stay in the file. */
const keyFigures = (figures) => Object.entries(figures)
  .filter(([, value]) => typeof value === 'number' || typeof value === 'string')
  .map(([name, value]) => `${wordsOf(name)} ${value}`)
  .join(', ')

/** `virtualHours` as `virtual hours`. */
const wordsOf = (name) => name.replaceAll(/([a-z])([A-Z])/g, (_, end, start) => `${end} ${start.toLowerCase()}`)

const rowOf = (name) => {
  try {
    const { lane, commit, finishedAt, passed, failed, figures } = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    const finished = String(finishedAt).slice(0, 'yyyy-mm-ddThh:mm'.length).replace('T', ' ')
    return [lane, commit.slice(0, COMMIT_CHARACTERS), finished, String(passed), String(failed), keyFigures(figures)]
  } catch (error) {
    return [name, '', '', '', '', `can not be read: ${error.message}`]
  }
}

const rows = [columns, ...filesIn(folder).map(rowOf)]
const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at].length)))
const isLast = (at) => at === columns.length - 1
for (const row of rows) process.stdout.write(`${row.map((cell, at) => (isLast(at) ? cell : cell.padEnd(widths[at]))).join('  ')}\n`)
if (rows.length === 1) {
  process.stdout.write(`no lane has left figures in ${folder} yet: npm run sim -- --ci, npm run torture and others do\n`)
  process.exitCode = 1
}
