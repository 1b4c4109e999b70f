/**
 * What every command of this checkout does first, on a fresh clone with Node and nothing else: install the dependencies when they
 * are missing or the lockfile changed, and build `dist` when a source is newer than the last build. Plain JavaScript without
 * imports from node_modules, since there may be none yet.
 *
 * In an installed package (no tsconfig.build.json) both steps are nothing. Two commands started at once build once: the second
 * waits for the first's lock, and takes over a lock whose owner is gone. Where there is nothing to do no lock is taken, since a full disk
 * has no room for one, and `npm start` must work there.
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const NODE_MIN = [20, 19]
const LOCK_WAIT_MS = 180_000
const LOCK_POLL_MS = 100

const inRoot = (...parts) => join(root, ...parts)
const compiler = inRoot('node_modules', 'typescript', 'bin', 'tsc')
const installedStamp = inRoot('node_modules', '.shardkv-lock-hash')
const builtStamp = inRoot('dist', '.shardkv-sources')
const say = (text) => process.stderr.write(`${text}\n`)

const fail = (text) => {
  say(text)
  process.exit(1)
}

const isCheckout = () => existsSync(inRoot('tsconfig.build.json'))

/**
 * Installs what package-lock.json asks for unless it is there already. Without a compiler it is not, whoever installed: npm leaves out what
 * only building needs where NODE_ENV is production. In what is built that was taken away on purpose, and is not missed.
 */
export const ensureDependencies = () => {
  checkNode()
  if (!isCheckout() || areInstalled()) return
  withLock('install', () => {
    if (areInstalled()) return
    if (!canBuild() || !isInstalledByHand()) install()
    writeFileSync(installedStamp, wantedLock())
  })
}

/** Compiles the sources into `dist` unless they are what was compiled last. */
export const ensureBuild = () => {
  if (!isCheckout() || isBuilt()) return
  withLock('build', () => {
    const wanted = sourcesStamp()
    const built = readIfThere(builtStamp)
    if (built === wanted) return
    if (built === '' || pathsIn(built).some((path) => !existsSync(inRoot(path)))) rmSync(inRoot('dist'), { recursive: true, force: true })
    say('shardkv: building ...')
    build()
    writeFileSync(builtStamp, wanted)
  })
}

/**
 * Everything as ES modules; the SDK's types, since nobody can import the rest of the package; and the SDK once more for `require`, in a
 * folder of its own, which says that its files are CommonJS. Then the Observatory's page, which draws the charts that were just compiled.
 */
export const build = () => {
  for (const project of ['tsconfig.build.json', 'tsconfig.types.json', 'tsconfig.cjs.json']) {
    run(process.execPath, [compiler, '-p', project], 'the build failed; the lines above say where')
  }
  writeFileSync(inRoot('dist', 'cjs', 'package.json'), '{ "type": "commonjs" }\n')
  run(process.execPath, [inRoot('scripts', 'page.mjs')], 'building the Observatory failed; the lines above say why')
}

/** Prepares the checkout, then goes on in this process with a module of `dist`. */
export const runBuilt = async (module) => {
  ensureDependencies()
  ensureBuild()
  return import(pathToFileURL(inRoot('dist', module)).href)
}

/** What a lane of proof is told about where it runs. */
export const laneWorld = () => {
  const { stdout, status } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
  return { commit: status === 0 ? stdout.trim() : 'unknown', environment: process.env }
}

/**
 * `npm ci` refuses a lockfile that does not list the binaries of every platform, and `npm install` writes such a one when it finds a
 * node_modules that lacks them (test/tidy.test.ts guards the lockfile here). `npm install --no-save` takes the same versions with the
 * same checksums from it, and leaves it as it is.
 */
const install = () => {
  // Everything, whatever the environment and .npmrc say: under NODE_ENV=production npm would leave out the compiler.
  const flags = ['--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  say('shardkv: installing dependencies (npm ci) ...')
  if (spawnSync('npm', ['ci', ...flags], { cwd: root, stdio: 'ignore' }).status === 0) return
  say('shardkv: npm ci does not take the lockfile here; installing its versions with npm install --no-save ...')
  run('npm', ['install', '--no-save', ...flags], 'installing dependencies failed; the lines above say why')
}

const checkNode = () => {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return
  fail(`shardkv needs Node ${NODE_MIN.join('.')} or newer; this is ${process.versions.node}. Install a current one from https://nodejs.org`)
}

const readIfThere = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '')

/** npm leaves a copy of the lockfile behind; when it is the newer of the two, somebody installed what the lockfile says. */
const isInstalledByHand = () => {
  const installed = inRoot('node_modules', '.package-lock.json')
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(inRoot('package-lock.json')).mtimeMs
}

const isBuilt = () => readIfThere(builtStamp) === sourcesStamp()

const canBuild = () => existsSync(compiler) || isBuilt()

const wantedLock = () => createHash('sha256').update(readFileSync(inRoot('package-lock.json'))).digest('hex')

const areInstalled = () => canBuild() && readIfThere(installedStamp) === wantedLock()

/** One line per file that the build reads: path, size and time. */
const sourcesStamp = () => {
  const folders = JSON.parse(readFileSync(inRoot('tsconfig.json'), 'utf8')).include.filter((folder) => folder !== 'test')
  const files = folders.filter((folder) => existsSync(inRoot(folder)))
    .flatMap((folder) => readdirSync(inRoot(folder), { recursive: true }).map((name) => `${folder}/${name}`))
    .filter((path) => /\.(?:ts|css|html|svg)$/.test(path))
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.types.json', 'tsconfig.cjs.json', 'package-lock.json', 'scripts/page.mjs', 'scripts/charts.mjs', 'scripts/simulator.mjs']
  return [...settings, ...files.sort()].map((path) => {
    const { size, mtimeMs } = statSync(inRoot(path))
    return `${path}\t${size}\t${mtimeMs}\n`
  }).join('')
}

const pathsIn = (stamp) => stamp.split('\n').filter((line) => line !== '').map((line) => line.split('\t')[0])

const run = (command, args, onFailure) => {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) fail(`shardkv: ${onFailure}${error === undefined ? '' : ` (${error.message})`}`)
}

/** A directory is the lock: creating one is atomic everywhere. It lives beside node_modules' content, or beside what will be. */
const withLock = (name, work) => {
  const lock = inRoot(`.${name}.lock`)
  const deadline = Date.now() + LOCK_WAIT_MS
  while (!tryLock(lock)) {
    if (Date.now() > deadline) fail(`shardkv: another command holds ${lock}; remove it if there is none`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS)
  }
  const release = () => rmSync(lock, { recursive: true, force: true })
  process.once('exit', release)
  try {
    work()
  } finally {
    release()
    process.removeListener('exit', release)
  }
}

const tryLock = (lock) => {
  try {
    mkdirSync(lock)
    writeFileSync(join(lock, 'pid'), String(process.pid))
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    const owner = Number(readIfThere(join(lock, 'pid')))
    if (owner > 0 && !isAlive(owner)) rmSync(lock, { recursive: true, force: true })
    return false
  }
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
