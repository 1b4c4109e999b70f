/** Headers as they leave: the block before a message's data (NATS ADR-4), which bus/receivedHeaders.ts reads. */

import type { Headers } from './port.ts'

const FIRST_LINE = 'NATS/1.0'
const line = /^[!-9;-~]+: [^\r\n]*$/

/** Empty when there are none. Throws TypeError for a name or a value that would be another header, or the end of them. */
export const sentHeaders = (headers: Headers | undefined): string => {
  if (headers === undefined || headers.size === 0) return ''
  let block = FIRST_LINE
  for (const [name, value] of headers) {
    const header = `${name}: ${value}`
    if (!line.test(header)) throw new TypeError(`no header can be ${JSON.stringify(header)}; nothing was sent`)
    block += `\r\n${header}`
  }
  return `${block}\r\n\r\n`
}
