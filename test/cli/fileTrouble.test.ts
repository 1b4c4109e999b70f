/** Files and folders that a person names, and that can not be read or written: one line that says which and why, and no stack. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { openCluster } from '../../topology/launcher/clusterFile.ts'
import { headLine } from '../../observe/recorder/recording.ts'
import { fakeCluster, fakeStore, fakeTerminal } from './fakes.ts'
import type { CliIo } from '../../cli/io.ts'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardkv-trouble-'))
  file = join(folder, 'records.json')
  writeFileSync(file, '[{"name":"a"}]')
})
afterEach(() => { rmSync(folder, { recursive: true }) })

const files = createLocalFiles()
/** With what init and start do to the directory that they are given. */
const createCluster: CliIo['createCluster'] = (wishes) => openCluster({
  files, newClusterId: () => '0123456789abcdef', wallMs: () => 0, writeGenesis: async () => null, readGenesis: async () => null,
}, wishes)

const run = (...args: string[]) => {
  const body = headLine({ cluster: 'c1', madeAt: 1, nodes: ['n1'], missing: [], from: null, to: null })
  return fakeTerminal(fakeCluster(fakeStore().answer), { createCluster, http: async () => ({ status: 200, body }) }).run(...args)
}
const link = (): string => {
  symlinkSync(join(folder, 'gone'), join(folder, 'link'))
  return join(folder, 'link')
}

const NO_FOLDER = 'a folder on the way to it is not there'
const FOLDER = 'it is a folder, where a file is needed'
const FILE = 'a file stands on the way to it, where a folder is needed'
const key = ['--key', '{name}']

describe('a path that leads nowhere ends in one line', () => {
  test.each<readonly [string, () => readonly string[], () => string]>([
    ['record into no folder', () => ['record', join(folder, 'none', 'x')], () => `${join(folder, 'none', 'x')}: ${NO_FOLDER}`],
    ['record onto a folder', () => ['record', folder], () => `${folder}: ${FOLDER}`],
    ['replay of a folder', () => ['replay', folder], () => `${folder}: ${FOLDER}`],
    ['replay below a file', () => ['replay', join(file, 'x')], () => `${join(file, 'x')}: ${FILE}`],
    ['load of a folder', () => ['load', folder, ...key], () => `${folder}: ${FOLDER}`],
    ['load below a file', () => ['load', join(file, 'x'), ...key], () => `${join(file, 'x')}: ${FILE}`],
    ['load with a checkpoint in no folder', () => ['load', file, ...key, '--checkpoint', join(folder, 'none', 'cp')],
      () => `${join(folder, 'none', 'cp')}: ${NO_FOLDER}`],
    ['load with a folder as its checkpoint', () => ['load', file, ...key, '--checkpoint', folder], () => `${folder}: ${FOLDER}`],
    ['init in a file', () => ['init', '--dir', file], () => `${join(file, 'cluster.json')}: ${FILE}`],
    ['init at the end of a dangling link', () => ['init', '--dir', link()], () => `${join(folder, 'link')}: ${NO_FOLDER}`],
  ])('%s', async (_, args, told) => {
    const words = args()
    expect(await run(...words)).toEqual({ code: 1, out: '', err: `shardkv: ${told()}\n` })
  })

  test('a context that is a folder is a wrong flag, as one that is not there', async () => {
    const contexts = join(folder, 'nats', 'context')
    mkdirSync(join(contexts, 'here.json'), { recursive: true })
    const terminal = fakeTerminal(fakeCluster(fakeStore().answer), { env: { XDG_CONFIG_HOME: folder } })
    expect(await terminal.run('get', 'k', '--context', 'here'))
      .toEqual({ code: 2, out: '', err: `shardkv: the context here can not be read: ${join(contexts, 'here.json')}: ${FOLDER}\n` })
  })
})

test('what could not take its place leaves nothing beside it', async () => {
  mkdirSync(join(folder, 'there'))
  await expect(files.writeAtomically(join(folder, 'there'), 'x')).rejects.toMatchObject({ code: 'EISDIR', path: join(folder, 'there') })
  expect(readdirSync(folder).toSorted()).toEqual(['records.json', 'there'])
})

test('a working folder that was removed is told in one line', async () => {
  const error = Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { code: 'ENOENT', syscall: 'uv_cwd' })
  const { code, err } = await fakeTerminal(null, { runNode: async () => { throw error } }).run('node', '--id', 'n1', '--dir', 'd')
  expect([code, err]).toEqual([1, 'shardkv: the folder that this was started in is not there any more\n'])
})

test('a program or a socket that is not there is no file of anybody\'s', async () => {
  for (const syscall of ['spawn nats-server', 'connect']) {
    const error = Object.assign(new Error(`${syscall} ENOENT x`), { code: 'ENOENT', syscall, path: 'x' })
    const { code, err } = await fakeTerminal(null, { runNode: async () => { throw error } }).run('node', '--id', 'n1', '--dir', 'd')
    expect([code, err]).toEqual([1, expect.stringMatching(/^shardkv: Error: .* ENOENT x\n +at /)])
  }
})
