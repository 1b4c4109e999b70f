/** Which errors of its data directory end a node for good, and what it says. */

import { expect, test } from '@jest/globals'
import { directoryRefusal } from '../../cli/commands/directoryRefusal.ts'

const failure = (code?: string) => Object.assign(new Error(`${code}: as the system says it`), { code })

test.each([
  ['ENOENT', '/data is not there: "shardkv init" creates it for a new cluster, --join for a node that joins, unless a link leads nowhere'],
  ['ENOTDIR', '/data is no directory, or leads through a file'],
  ['ELOOP', '/data leads through links that go round'],
  ['EACCES', '/data is not for this user to write in'],
  ['EPERM', '/data is not for this user to write in, or its file system holds no sockets, which the lock is one of'],
  ['EROFS', '/data is on a file system that is mounted read-only'],
  ['ELOCKED', 'ELOCKED: as the system says it'],
  ['ENAMETOOLONG', 'ENAMETOOLONG: as the system says it'],
])('%s is cured by no further start', (code, told) => expect(directoryRefusal('/data', failure(code))).toBe(told))

test.each(['ENOSPC', 'EDQUOT', 'EMFILE', 'EIO', undefined])('%s may be better at the next start', (code) => {
  expect(directoryRefusal('/data', failure(code))).toBeNull()
})
