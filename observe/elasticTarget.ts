/**
 * The thread of the log target `elastic`: pino-elasticsearch, with the end that it lacks. Its stream never closes, since it keeps `destroy`
 * for something else, so a process that ends would wait ten seconds for it and take its lines for lost. Here it closes when the last
 * lines are in, or could not be brought in.
 */

import { createRequire } from 'node:module'
import type { Transform } from 'node:stream'

/** Its types are those of another kind of module than it is. */
const pinoElasticsearch = createRequire(import.meta.url)('pino-elasticsearch') as (options: object) => Transform

/** A worker's entry: pino takes what is exported like this. */
const open = (options: Readonly<Record<string, unknown>>): Transform => {
  const stream = pinoElasticsearch(options)
  const close = (): void => { stream.emit('close') }
  stream.once('insert', close)
  stream.once('error', close)
  return stream
}

export { open as default }
