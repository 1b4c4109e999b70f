/**
 * The Observatory's page, built into dist/observe/page after the sources are compiled: one script, one style sheet, the charts, the
 * simulator (which a browser asks for when somebody wants it), and a list of what there is. Names carry a hash of their content, so that a browser may keep them for ever; the page itself is asked for anew.
 *
 *   node scripts/page.mjs
 */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { root } from '../bin/bootstrap.mjs'
import { chartOf } from './charts.mjs'
import { bundleSimulator } from './simulator.mjs'

const out = join(root, 'dist/observe/page')
const machines = ['node', 'connection', 'shard', 'raft', 'wal', 'gossip', 'topology']

const charts = await Promise.all(machines.map(async (name) => {
  const module = await import(pathToFileURL(join(root, `dist/actors/${name}/machine.js`)).href)
  return chartOf(module[`${name}Machine`])
}))

const bundled = await build({
  entryPoints: [join(root, 'observe/page/main.ts')], bundle: true, minify: true, write: false, outdir: out, format: 'esm', target: 'es2022',
  legalComments: 'none', logLevel: 'error', tsconfig: join(root, 'observe/page/tsconfig.json'),
})
const styled = await build({
  entryPoints: [join(root, 'observe/page/page.css')], bundle: true, minify: true, write: false, outdir: out, logLevel: 'error',
})

const types = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', json: 'application/json', svg: 'image/svg+xml', html: 'text/html; charset=utf-8' }

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const assets = []

const add = (stem, extension, text) => {
  const name = `${stem}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}.${extension}`
  writeFileSync(join(out, name), text)
  assets.push({ path: `/observatory/${name}`, file: name, type: types[extension], isKept: true })
  return `/observatory/${name}`
}

const [script] = bundled.outputFiles
const [style] = styled.outputFiles
const html = readFileSync(join(root, 'observe/page/index.html'), 'utf8')
  .replace('{{script}}', add('observatory', 'js', script.text))
  .replace('{{style}}', add('observatory', 'css', style.text))
  .replace('{{charts}}', add('charts', 'json', JSON.stringify(charts)))
  .replace('{{simulator}}', add('simulator', 'js', await bundleSimulator()))
  .replace('{{icon}}', add('icon', 'svg', readFileSync(join(root, 'observe/page/icon.svg'), 'utf8')))
writeFileSync(join(out, 'index.html'), html)
assets.push({ path: '/', file: 'index.html', type: types.html, isKept: false })
writeFileSync(join(out, 'assets.json'), `${JSON.stringify(assets, null, 2)}\n`)
