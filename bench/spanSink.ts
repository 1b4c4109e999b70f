/**
 * Takes spans over HTTP and forgets them, as a process of its own, so that its work is not counted: node spanSink.js <port>. It ends when
 * its standard input does.
 */

import { createServer } from 'node:http'

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => { response.end() })
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('listening\n'))
process.stdin.on('end', () => process.exit()).resume()
