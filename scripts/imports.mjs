/**
 * The import rules of .dependency-cruiser.cjs, checked on the sources without their types: naming a type binds nothing at run time, and
 * dependency-cruiser's parser for TypeScript 7 can not tell such an import from a real one. So swc strips the types into a copy of
 * the tree with the same paths, and the copy is cruised.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { transformSync } from '@swc/core'
import { root } from '../bin/bootstrap.mjs'

const folders = ['actors', 'bus', 'topology', 'storage', 'gateway', 'observe', 'sim', 'cli', 'sdk', 'bench', 'lanes', 'torture', 'fuzz']

const strip = (text) => transformSync(text, {
  jsc: { target: 'es2023', parser: { syntax: 'typescript' }, transform: { verbatimModuleSyntax: true } },
  module: { type: 'es6' },
}).code

const copy = mkdtempSync(join(tmpdir(), 'shardkv-imports-'))
try {
  for (const file of ['package.json', 'tsconfig.json', '.dependency-cruiser.cjs']) cpSync(join(root, file), join(copy, file))
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const path = join(copy, folder, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, strip(readFileSync(join(root, folder, name), 'utf8')))
    }
  }
  const cruise = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const { status } = spawnSync(process.execPath, [
    cruise, '--config', '.dependency-cruiser.cjs', '--output-type', 'err-long', ...folders,
  ], { cwd: copy, stdio: 'inherit' })
  process.exitCode = status ?? 1
} finally {
  rmSync(copy, { recursive: true, force: true })
}
