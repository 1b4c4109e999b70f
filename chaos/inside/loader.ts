/**
 * Module hooks of a haunted node process: whoever asks for the node file system gets the forgetful one around it, and one built file
 * may be changed while it is loaded (SHARDKV_CHAOS_PLANTED), so that the lane can be seen to catch a bug.
 */

import type { LoadHook, ResolveHook } from 'node:module'
import type { Planted } from './orders.ts'

const REAL = '/dist/storage/nodeFileSystem.js'
const FORGETFUL = new URL('./forgetfulFileSystem.js', import.meta.url).href

const planted = process.env['SHARDKV_CHAOS_PLANTED'] === undefined
  ? null
  : JSON.parse(process.env['SHARDKV_CHAOS_PLANTED']) as Planted

export const resolve: ResolveHook = async (specifier, context, next) => {
  const found = await next(specifier, context)
  return found.url.endsWith(REAL) && context.parentURL !== FORGETFUL ? { ...found, url: FORGETFUL } : found
}

export const load: LoadHook = async (url, context, next) => {
  const loaded = await next(url, context)
  if (planted === null || !url.endsWith(`/dist/${planted.file.replace(/\.ts$/, '.js')}`)) return loaded
  const source = textOf(loaded.source)
  if (source.split(planted.find).length !== 2) throw new Error(`${planted.file} does not have the text to be changed exactly once`)
  return { ...loaded, source: source.replace(planted.find, () => planted.replace) }
}

const textOf = (source: Awaited<ReturnType<LoadHook>>['source']): string =>
  (typeof source === 'string' ? source : new TextDecoder().decode(source))
