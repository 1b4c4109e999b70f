/** NATS' protocol by hand, for what no client library would send. */

import { connect } from 'node:net'

/** A message with headers, whatever they are. `reply` may be empty. */
export const hpub = (subject: string, reply: string, headers: string, data = ''): string => {
  const block = `NATS/1.0\r\n${headers}\r\n\r\n`
  const size = Buffer.byteLength(block)
  return `HPUB ${subject} ${reply === '' ? '' : `${reply} `}${size} ${size + Buffer.byteLength(data)}\r\n${block}${data}\r\n`
}

/** Writes protocol lines as they are, and resolves once the broker has read them all; rejects with what it has against them. */
export const sayRaw = (port: number, text: string | Uint8Array): Promise<void> => new Promise((resolve, reject) => {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('error', reject)
  socket.on('data', (bytes) => {
    heard += bytes.toString()
    if (heard.includes('-ERR')) reject(new Error(heard))
    else if (!heard.includes('PONG\r\n')) return
    else resolve()
    socket.destroy()
  })
  socket.write('CONNECT {"verbose":false,"headers":true,"protocol":1}\r\n')
  socket.write(text)
  socket.write('PING\r\n')
})

/** Headers that a broker delivers and a client library throws over, passes over, or never finishes with. */
export const malformedHeaders: readonly (readonly [name: string, headers: string])[] = [
  ['a blank in a name', 'My Header: x'],
  ['a blank behind a name', 'Kv-If-Revision : 5'],
  ['a name that is no ASCII', 'Schlüssel: x'],
  ['a continued line', 'A: b\r\n c: d'],
  ['a line feed in a value', 'A: b\nc'],
  ['a line without a colon', 'Kv-If-Revision 5'],
  ['line feeds for line ends', 'A: b\nKv-If-Revision: 5'],
  ['thousands of names', Array.from({ length: 6_000 }, (_, at) => `${at.toString(36)}:`).join('\r\n')],
]
