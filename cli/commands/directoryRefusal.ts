/**
 * Why a node can not have its data directory, where trying again as it is cures nothing: the process ends with 78, and whoever supervises
 * it does not start it again. A disk that is full, or has no descriptor left, is not among these.
 */

import type { FileError } from '../../storage/fileSystem.ts'

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'is not there: "shardkv init" creates it for a new cluster, --join for a node that joins, unless a link leads nowhere',
  ENOTDIR: 'is no directory, or leads through a file',
  ELOOP: 'leads through links that go round',
  EACCES: 'is not for this user to write in',
  EPERM: 'is not for this user to write in, or its file system holds no sockets, which the lock is one of',
  EROFS: 'is on a file system that is mounted read-only',
}

/** One line; null when the next start may go better. */
export const directoryRefusal = (directory: string, { code = '', message }: FileError): string | null => {
  // These two name the directory themselves, and more.
  if (code === 'ELOCKED' || code === 'ENAMETOOLONG') return message
  const reason = reasons[code]
  return reason === undefined ? null : `${directory} ${reason}`
}
